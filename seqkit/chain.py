"""Recurrent layers one after the other.

Outside training, neighbouring recurrent layers of a model are given to the engine together: for a
single sequence it can run them as a pipeline, each layer on a thread of its own and some steps
behind the one it reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from seqkit import _core
from seqkit.execution import run_calls
from seqkit.layer import Layer
from seqkit.recurrent import Recurrent
from seqkit.rows import Rows
from seqkit.sequence_layer import arrays_of


def chains(layers: Sequence[Layer]) -> Iterator[tuple[int, list[Layer]]]:
    """Runs of layers that can be computed together, each with the place of its first.

    A run is a single layer, or recurrent layers that read each other's sequences; what acts in
    training only does not part them.

    Examples
    --------
    >>> import seqkit
    >>> layers = [seqkit.GRU(4, return_sequences=True), seqkit.Dropout(0.5), seqkit.GRU(4), seqkit.Dense(1)]
    >>> [(place, [layer.name for layer in run]) for place, run in chains(layers)]
    [(0, ['gru', 'gru']), (3, ['dense'])]
    """
    place = 0
    while place < len(layers):
        run, end = [layers[place]], place + 1
        while isinstance(run[-1], Recurrent) and run[-1].returns_sequences and (after := _next(layers, end)):
            end, layer = after
            run.append(layer)
        yield place, run
        place = end


def _next(layers: Sequence[Layer], place: int) -> tuple[int, Layer] | None:
    """The recurrent layer that comes next, and the place after it."""
    while place < len(layers) and layers[place].training_only:
        place += 1
    return (place + 1, layers[place]) if place < len(layers) and isinstance(layers[place], Recurrent) else None


def run_chain(layers: Sequence[Recurrent], x: Any, lengths: np.ndarray | None) -> np.ndarray:
    """The output of the last layer, outside training.

    Raises
    ------
    ShapeError, DTypeError
        If x or lengths do not fit the first layer.
    """
    first = layers[0]
    rows: Any = Rows.of_array(x, lengths, first.dtype, first.name, first.input_size)
    directions = []
    for layer in layers:
        directions.append(layer.begin(rows, None, training=False))
        rows = directions[-1].y
    calls = [direction.forward.call for direction in directions]
    together = _core.pipeline_pays(calls, _core.num_threads())
    for part in [calls] if together else [[call] for call in calls]:
        run_calls(part, first.execution, pipeline=together)
    for layer, direction in zip(layers, directions, strict=True):
        direction.ended()
        layer.finish(direction)
    return arrays_of(rows)
