"""Cells that use what the equations have beyond gates, states and vectors; none of them is from a paper."""

from __future__ import annotations

from typing import Any

from seqkit.equations import Cell, Parameter, scalar, sigmoid, tanh, vector

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


class Scalars(Cell):
    """Learned numbers for all units: alone, in rows, beside a vector, as a new state, and multiplied by U."""

    gates, states = ("a", "b"), ("h", "c")

    def parameters(self) -> dict[str, Parameter]:
        return {"zeta": scalar(), "v": vector(), "scales": scalar("one", "two", "three", initializer=0.5)}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Step:
        a = tanh(x.a + U.a @ s.h + p.zeta)
        b = sigmoid(p.scales.one * x.b + p.v) * p.scales.two
        return {"h": a * b + U.b @ p.scales.three, "c": p.zeta + 0.5 * s.c}


LANGUAGE = {cell.__name__: cell for cell in (SomeBiases, NoBiases, Scalars)}
