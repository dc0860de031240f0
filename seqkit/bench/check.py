"""seqkit against its own equations, before anything is timed: a wrong result gets no figure.

Legend: B batch, T time, H units, D directions.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from seqkit.bench.workload import Arrays, Workload
from seqkit.equations import run_reference
from seqkit.errors import CheckError

TOLERANCE = {"float32": 1e-4, "float64": 1e-8, "bfloat16": 0.05, "int8": 0.1}
"""Largest difference that passes for rounding, of outputs and gradients.

Weights and vectors keep 8 bits in bfloat16 and less than 7 in int8, and a step reads what the one
before has rounded; the wide tolerances still catch a wrong gate, scale or layout.
"""
SHIFT = 1e-4
"""Length of the move of all parameters that the gradients are tried on."""


def difference(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference of two arrays, relative to the largest number expected.

    Infinite where shapes differ or a number is not finite.

    Examples
    --------
    >>> difference(np.array([1.0, 2.5]), np.array([1.0, 2.0]))
    0.25
    """
    if found.shape != expected.shape or not np.isfinite(found).all():
        return float("inf")
    largest = float(np.abs(expected).max(initial=0.0))
    return float(np.abs(found - expected).max(initial=0.0)) / (largest or 1.0)


def largest_difference(found: Arrays, expected: Arrays) -> float:
    """The largest difference over all arrays; infinite if one is missing."""
    if found.keys() != expected.keys():
        return float("inf")
    return max(difference(found[name].astype(np.float64), expected[name]) for name in expected)


def verify(workload: Workload, results: Arrays) -> float:
    """Compare results with the equations in float64, on the first and the last sequence.

    Returns
    -------
    float
        The difference of the outputs.

    Raises
    ------
    CheckError
        If the outputs differ or, in training, the gradients are not those of the equations.
    """
    rows = sorted({0, workload.case.batch - 1})
    error = difference(results["y"][rows].astype(np.float64), _reference(workload, rows))
    _require(workload, "outputs", error)
    if workload.case.mode == "train":
        _require(workload, "gradients", _slope_error(workload, rows))
    return error


def _require(workload: Workload, what: str, error: float) -> None:
    allowed = TOLERANCE[workload.case.precision]
    if not error <= allowed:
        raise CheckError(
            f"{workload.case}: {what} differ from the equations by {error:.1e}, expected at most {allowed:.0e}; "
            "a wrong result gets no figures. Please report this, with the output of `seqkit info`."
        )


def _reference(workload: Workload, rows: list[int], move: Mapping[str, np.ndarray] | None = None) -> np.ndarray:
    """Outputs (rows, T, D*H) of the equations in float64, with moved parameters."""
    outputs, lengths = [], workload.lengths
    for direction, layer in workload.directions.items():
        params = {name: array.astype(np.float64) for name, array in layer.params.items()}
        if move is not None:
            params = {name: array + move[f"{direction}.{name}"] for name, array in params.items()}
        own = None if lengths is None else lengths[rows]
        y, _ = run_reference(
            layer.cell, params, workload.x[rows], own, reverse=direction == "backward", units=layer.units
        )
        outputs.append(y)
    return np.concatenate(outputs, axis=-1)


def _slope_error(workload: Workload, rows: list[int]) -> float:
    """How far the gradients are from predicting the change of the loss sum(dy * y) when parameters move.

    The loss looks at `rows` alone, but the gradients are those of the whole batch.  Every
    number moves by the same length, up or down at random, so that every gradient counts; the
    error is relative to the change that is to be expected for such a move.
    """
    dy = np.zeros_like(workload.dy)
    dy[rows] = workload.dy[rows]
    grads = {name: array.astype(np.float64) for name, array in workload.gradients(dy).items() if name != "y"}
    rng = np.random.default_rng(1)
    length = SHIFT / np.sqrt(sum(grad.size for grad in grads.values()))
    move = {name: rng.choice([-length, length], grad.shape) for name, grad in grads.items()}
    above = _reference(workload, rows, move)
    below = _reference(workload, rows, {name: -array for name, array in move.items()})
    change = float((dy[rows] * (above - below)).sum()) / 2
    predicted = sum(float((grads[name] * move[name]).sum()) for name in grads)
    usual = length * np.sqrt(sum(float(np.square(grad).sum()) for grad in grads.values()))
    return abs(change - predicted) / (max(usual, abs(change)) or 1.0)
