"""Layers that are run in low precision, and data for them."""

from __future__ import annotations

from typing import Any

import numpy as np

import seqkit
from seqkit.equations import Cell, Parameter, matrix, sigmoid, tanh
from seqkit.testing.data import Data, fill

PRECISIONS = ("bfloat16", "int8")


@seqkit.register("test_two_stages")
class TwoStages(Cell):
    """A product of a vector of the step, a declared matrix, and a state that nothing bounds."""

    gates, states = ("f", "n"), ("h", "m")

    def parameters(self) -> dict[str, Parameter]:
        return {"mix": matrix()}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        f = sigmoid(x.f + U.f @ s.h)
        gated = f * s.m
        n = tanh(x.n + U.n @ gated + p.mix @ s.h)
        return {"h": (1 - f) * s.h + f * n, "m": 2.5 * n + 0.75 * s.m}


def make(name: str, units: int, features: int, **options: Any) -> Any:
    layer = seqkit.create(name, units, return_sequences=True, **options).build(features, seed=0)
    return fill(layer)


def inputs(layer: Any, lengths: Any, seed: int = 1) -> tuple[np.ndarray, np.ndarray, Any]:
    data = Data.draw(layer, lengths, seed=seed)
    return data.x, data.lengths, data.state
