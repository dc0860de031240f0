"""Biases in the order of the engine: which number goes where is found once for every size.

Legend: N numbers of all gates that have a bias, P the largest size of a vector, in whole panels.
"""

from __future__ import annotations

import numpy as np

from seqkit.equations.layout import Layout


def bias_places(layout: Layout) -> np.ndarray:
    """Where the numbers that columns start from lie in the bias (N,), counted from 1; 0 stands for a 0.

    Returns
    -------
    ndarray of int64, (terms, columns * P)
        [stage][panel][column][width]; a column starts from the sum over the terms.
    """
    gates, width, panels = layout.shapes.biases, layout.width, layout.panels(layout.widest)
    read = [
        [gate for kind, gate, _ in column.detail if kind == "x" and gate in gates]
        for stage in layout.stage_columns
        for column in stage
    ]
    places = np.zeros((max(map(len, read), default=0), len(read), panels * width), np.int64)
    for column, names in enumerate(read):
        for term, gate in enumerate(names):
            numbers = np.arange(gates[gate].start, gates[gate].stop)
            places[term, column, : len(numbers)] = 1 + numbers
    ends = np.cumsum([len(stage) for stage in layout.stage_columns])
    stages = np.split(places.reshape(len(places), len(read), panels, width), ends[:-1], axis=1)
    by_panel = [stage.swapaxes(1, 2).reshape(len(places), stage.shape[1] * panels * width) for stage in stages]
    return np.concatenate(by_panel, axis=1)
