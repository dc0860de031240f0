"""Biases in the order of the engine: which number goes where is found once for every size.

Legend: H units, G gates that have a bias, P units padded to whole panels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqkit.equations.layout import Layout


def bias_places(layout: Layout, gates: Sequence[str], width: int) -> np.ndarray:
    """Where the numbers that columns start from lie in the bias (G * H), counted from 1; 0 stands for a 0.

    Returns
    -------
    ndarray of int64, (terms, columns * P)
        [stage][panel][column][width]; a column starts from the sum over the terms.
    """
    read = [
        [gate for kind, gate, _ in column.detail if kind == "x" and gate in gates]
        for stage in layout.stage_columns
        for column in stage
    ]
    units, panels = layout.units, -(-layout.units // width)
    places = np.zeros((max(map(len, read), default=0), len(read), panels * width), np.int64)
    for column, names in enumerate(read):
        for term, gate in enumerate(names):
            places[term, column, :units] = 1 + gates.index(gate) * units + np.arange(units)
    ends = np.cumsum([len(stage) for stage in layout.stage_columns])
    stages = np.split(places.reshape(len(places), len(read), panels, width), ends[:-1], axis=1)
    by_panel = [stage.swapaxes(1, 2).reshape(len(places), stage.shape[1] * panels * width) for stage in stages]
    return np.concatenate(by_panel, axis=1)
