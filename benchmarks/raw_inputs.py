"""Cells with raw inputs on a plain series: what else they read is made up, the same for every series.

Legend: B batch, T time, F features of the series.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import seqkit
from seqkit import registry
from seqkit.wrapper import Wrapper


def of_a_series(cell: str) -> str:
    """Register a layer of `cell` that reads a plain series; its name."""
    name, raw = f"{cell}_of_a_series", registry.cell_of(cell).inputs

    class OfASeries(Wrapper):
        """A series in which all has full attention, steps follow each other by 1, and nothing is missing."""

        def __init__(self, units: int, return_sequences: bool = False) -> None:
            super().__init__(registry.create(cell, units, return_sequences=return_sequences))

        def _build(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
            size = self._with_raw_inputs(np.zeros((1, 1, self.input_size))).shape[2]
            self.layer.build(size, rng, self.dtype.name)
            return {}

        def _with_raw_inputs(self, x: np.ndarray) -> np.ndarray:
            """The features that W reads, if it does, then the raw inputs."""
            ones = np.ones_like(x)
            steps = ones[:, :, :1] * np.arange(x.shape[1], dtype=x.dtype)[:, None]
            known = {"x": x, "mask": ones, "gap": ones, "attention": ones[:, :, :1], "time": steps}
            return np.concatenate([x] * ("features" not in raw.values()) + [known[name] for name in raw], axis=2)

        def forward(self, x: Any, lengths: Any = None, state: Any = None, training: bool = True) -> Any:
            return self.layer.forward(self._with_raw_inputs(x), lengths, state, training)

        def backward(self, dy: Any, cache: Any, dstate: Any = None, input_grad: bool = True) -> Any:
            dx, dinitial = self.layer.backward(dy, cache, dstate, input_grad)
            return (None if dx is None else dx[:, :, : self.input_size]), dinitial

    seqkit.register(name)(OfASeries)
    return name
