"""How a model made of layers is run and given inputs, so that it can be compared with what it came from.

Legend: B batch, T time, F features.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from seqkit.interop.imported import Arrays
from seqkit.model import Sequential
from seqkit.stack import Stack

BATCH, TIME = 4, 20
"""Most sequences and steps of what is drawn."""


def runner(model: Sequential) -> Callable[[Arrays], dict[str, np.ndarray]]:
    """The model as a function of "x" and, where they are given, "lengths", to "y".

    A stateful model forgets its states, before and after.

    Examples
    --------
    >>> import numpy as np
    >>> from seqkit.layers.dense import Dense
    >>> run = runner(Sequential([Dense(2, input_shape=(3,))], seed=0))
    >>> run({"x": np.ones((1, 5, 3))})["y"].shape
    (1, 5, 2)
    """

    def run(inputs: Arrays) -> dict[str, np.ndarray]:
        x = inputs["x"]
        model.reset_states()
        y = model.predict(x, batch_size=len(x), lengths=inputs.get("lengths"))
        model.reset_states()
        return {"y": np.asarray(y)}

    return run


def drawer(model: Stack, ragged: bool = True) -> Callable[[np.random.Generator], dict[str, np.ndarray]]:
    """What draws inputs for a model: "x" (B, T, F), or ids (B, T), and "lengths" (B,) where they are `ragged`.

    Lengths run from 1 to T; what lies past them is as random as the rest, so that whoever reads it is found out.

    Examples
    --------
    >>> import numpy as np
    >>> from seqkit.layers.dense import Dense
    >>> inputs = drawer(Sequential([Dense(2, input_shape=(3,))], seed=0))(np.random.default_rng(0))
    >>> inputs["x"].shape, inputs["lengths"].tolist()
    ((4, 13, 3), [7, 5, 6, 6])
    """
    first: Any = model.layers[0]

    def draw(rng: np.random.Generator) -> dict[str, np.ndarray]:
        batch, time = int(rng.integers(1, BATCH + 1)), int(rng.integers(1, TIME + 1))
        if model.accepts_ids:
            inputs = {"x": rng.integers(getattr(first, "input_dim", 2), size=(batch, time))}
        else:
            inputs = {"x": rng.standard_normal((batch, time, first.input_size)).astype(first.dtype)}
        if ragged:
            inputs["lengths"] = rng.integers(1, time + 1, size=batch)
        return inputs

    return draw
