"""The definition of low precision, on float64 arrays: what the engine must compute at every step.

One step is compared at a time, from the states that the engine itself had before it: where two
numbers round apart, a difference in the last bit of float32 would become one of a whole step of
bfloat16 or int8, and every later step would differ.  Vectors that the step multiplies are taken
from the engine's trace for the same reason, after a look whether they are right.

Legend: B batch, T time, I input features, H units, K numbers of an operand.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from seqkit.equations.reference import namespaces, shapes_of

Rounding = Callable[[np.ndarray], np.ndarray]


def bfloat16(rows: np.ndarray) -> np.ndarray:
    """Numbers with 8 bits of significand, ties to even."""
    significand, exponent = np.frexp(rows.astype(np.float64))
    return np.ldexp(np.rint(significand * 2**8), exponent - 8)


def int8(rows: np.ndarray) -> np.ndarray:
    """Rows (n, K) as whole multiples of their largest magnitude over 127; the steps are those of float32."""
    rows = rows.astype(np.float32)
    largest = np.abs(rows).max(axis=-1, keepdims=True)
    some = largest >= np.float32(1e-30)
    factor = np.divide(np.float32(127), largest, out=np.zeros_like(largest), where=some)
    scale = np.where(some, largest / np.float32(127), 0).astype(np.float64)
    return np.rint(rows * factor).astype(np.float64) * scale


ROUNDINGS: dict[str, Rounding] = {"bfloat16": bfloat16, "int8": int8}


class Rounded:
    """``U.f``: both factors of a product are rounded, the sum is exact."""

    def __init__(self, weight: np.ndarray, known: list[np.ndarray], weights: Rounding, operand: Rounding) -> None:
        self.weight, self.known, self.operand = weights(weight), known, operand

    def __matmul__(self, vector: np.ndarray) -> np.ndarray:
        near = [values for values in self.known if np.abs(values - vector).max() < 1e-5]
        assert near, "the step multiplies a vector that is none of the traced ones"
        return self.operand(near[0]) @ self.weight.T


def assert_defined(
    layer: Any, x: np.ndarray, lengths: np.ndarray, state: Any, weights: Rounding, operand: Rounding, tolerance: float
) -> None:
    """Every step of a built layer is what the definition makes of the step before, within `tolerance`."""
    values = layer.trace(x, list(layer.execution.program.names), lengths=lengths, state=state)
    for b, length in enumerate(lengths):
        order = range(length)[:: -1 if layer.go_backwards else 1]
        before = {name: part[b : b + 1] for name, part in zip(layer.cell.states, state, strict=True)}
        for t in order:
            traced = {name: array[b : b + 1, t] for name, array in values.items()}
            found = one_step(layer, x[b : b + 1, t], before, [*before.values(), *traced.values()], weights, operand)
            for name, expected in found.items():
                error = np.abs(traced[name] - expected).max() / max(1.0, np.abs(expected).max())
                assert error <= tolerance, f"sequence {b}, step {t}: state {name} is {error:.1e} away"
            before = {name: traced[name] for name in before}


def one_step(
    layer: Any,
    x: np.ndarray,
    before: dict[str, np.ndarray],
    known: list[np.ndarray],
    weights: Rounding,
    operand: Rounding,
) -> dict[str, np.ndarray]:
    """New states (1, N) from the input (1, I) and the states before."""
    params = {name: np.asarray(value, np.float64) for name, value in layer.params.items()}
    shapes = shapes_of(layer.cell, params)
    u, p = namespaces(layer.cell, params, shapes)
    for space in (u, p):
        for name, matrix in vars(space).items():
            if hasattr(matrix, "weight"):
                setattr(space, name, Rounded(matrix.weight, known, weights, operand))
    bias = params.get("bias", np.zeros(len(params["weight_ih"])))
    a = operand(x[:, : shapes.features]) @ weights(params["weight_ih"]).T + bias
    inputs = {gate: a[:, rows] for gate, rows in shapes.input_gates.items()}
    inputs |= {name: x[:, first : first + size].astype(np.float64) for name, (first, size) in shapes.inputs.items()}
    states = {name: value.astype(np.float64) for name, value in before.items()}
    return layer.cell.step(SimpleNamespace(**inputs), u, SimpleNamespace(**states), p)
