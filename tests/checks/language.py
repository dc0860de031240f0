"""Cells that use what the equations have beyond gates, states and vectors; none of them is from a paper."""

from __future__ import annotations

from typing import Any

from seqkit.equations import Cell, sigmoid, tanh

Step = dict[str, Any]


class SomeBiases(Cell):
    """A bias for the second and the fourth of four gates, of which the third reads no input."""

    gates, states, biases = ("a", "b", "c", "d"), ("h",), ("b", "d")

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        a, b = sigmoid(x.a + U.a @ s.h), tanh(x.b)
        return {"h": a * b + tanh(U.c @ s.h) * sigmoid(x.d + x.b)}


class NoBiases(Cell):
    """None at all, though biases are allowed."""

    gates, states, biases = ("a",), ("h",), ()

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        return {"h": tanh(x.a + U.a @ s.h)}


LANGUAGE = {cell.__name__: cell for cell in (SomeBiases, NoBiases)}
