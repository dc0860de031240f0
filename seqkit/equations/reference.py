"""The reference: a cell's ``step`` run as it is written, on float64 NumPy arrays.

Slow and plain; every test compares the engine with it.

Legend: B batch, T time, I input features, H units.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from seqkit.equations.cell import Cell
from seqkit.equations.trace import trace


class _Matrix:
    """``U.f``: multiplies a batch of vectors (B, H)."""

    def __init__(self, weight: np.ndarray) -> None:
        self.weight = weight

    def __matmul__(self, vector: np.ndarray) -> np.ndarray:
        return vector @ self.weight.T


def gates_read(cell: Cell) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The gates that read the input and those that are multiplied by U, each in order."""
    terms = {term[:2] for column in trace(cell).columns for term in column.detail}
    return tuple(g for g in cell.gates if ("x", g) in terms), tuple(g for g in cell.gates if ("U", g) in terms)


def namespaces(cell: Cell, params: Mapping[str, np.ndarray]) -> tuple[tuple[str, ...], Any, Any]:
    """Gates that read the input, and the U and p of ``step``, from a layer's parameters."""
    input_gates, recurrent_gates = gates_read(cell)
    units = len(params["weight_ih"]) // len(input_gates)
    u = SimpleNamespace(
        **{gate: _Matrix(params["weight_hh"][i * units : (i + 1) * units]) for i, gate in enumerate(recurrent_gates)}
    )
    p = SimpleNamespace()
    for name, declared in cell.parameters().items():
        value: Any = params[name]
        if declared.kind == "scalar":
            value = np.repeat(value[:, None], units, axis=1)[slice(None) if declared.rows else 0]
        if declared.kind == "matrix":
            value = _Matrix(value)
        elif declared.rows:
            value = SimpleNamespace(**dict(zip(declared.rows, value, strict=True)))
        setattr(p, name, value)
    return input_gates, u, p


def _bias(cell: Cell, params: Mapping[str, np.ndarray], input_gates: tuple[str, ...], units: int) -> np.ndarray:
    """What every row of ``weight_ih`` @ x is added to: the bias, 0 where a gate has none."""
    rows = params.get("bias", np.zeros(0)).reshape(-1, units)
    blocks = dict(zip(filter(cell.has_bias, input_gates), rows, strict=True))
    return np.concatenate([blocks.get(gate, np.zeros(units)) for gate in input_gates])


def run_reference(
    cell: Cell,
    params: Mapping[str, np.ndarray],
    x: np.ndarray,
    lengths: np.ndarray | None = None,
    state: tuple[np.ndarray, ...] | None = None,
    reverse: bool = False,
    zoneout: Mapping[str, Any] | None = None,
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Outputs (B, T, H) and final states of a cell, one sequence and one step at a time.

    Parameters
    ----------
    cell : Cell
        The cell.
    params : mapping of str to ndarray
        weight_ih (G*H, I), weight_hh (G*H, H), bias (G*H,) of the gates that have one, and its own.
    x : ndarray (B, T, I)
        Input.
    lengths : ndarray (B,), optional
        True lengths; outputs past the end are 0.
    state : tuple of ndarray (B, H), optional
        Initial states, zero by default.
    reverse : bool
        Run from the end of each sequence to its start; outputs stay at their time.
    zoneout : mapping of str to float or ndarray (B, T, H), optional
        For states that are zoned out, the share of the old value that a step keeps (Krueger et al., 2017).

    Examples
    --------
    >>> import numpy as np
    >>> import seqkit
    >>> layer = seqkit.GRU(4, return_sequences=True).build(3, seed=0, dtype="float64")
    >>> x = np.random.default_rng(0).standard_normal((2, 5, 3))
    >>> y, state = run_reference(layer.cell, layer.params, x)
    >>> float(np.abs(y - layer(x)).max()) < 1e-14
    True
    """
    params = {name: np.asarray(value, dtype=np.float64) for name, value in params.items()}
    input_gates, u, p = namespaces(cell, params)
    batch, time, _ = x.shape
    units = len(params["weight_ih"]) // len(input_gates)
    lengths = np.full(batch, time) if lengths is None else np.asarray(lengths)
    initial = state or tuple(np.zeros((batch, units)) for _ in cell.states)
    final = tuple(np.array(s, dtype=np.float64) for s in initial)
    y = np.zeros((batch, time, units))
    kept = {name: np.broadcast_to(share, y.shape) for name, share in (zoneout or {}).items()}
    bias = _bias(cell, params, input_gates, units)
    for b in range(batch):
        current = {name: values[b : b + 1].copy() for name, values in zip(cell.states, final, strict=True)}
        for t in range(lengths[b])[:: -1 if reverse else 1]:
            a = params["weight_ih"] @ x[b, t].astype(np.float64) + bias
            inputs = {gate: a[None, i * units : (i + 1) * units] for i, gate in enumerate(input_gates)}
            new = cell.step(SimpleNamespace(**inputs), u, SimpleNamespace(**current), p)
            for name, share in kept.items():
                new[name] = share[b, t] * current[name] + (1 - share[b, t]) * new[name]
            current = new
            y[b, t] = current[cell.states[0]]
        for name, values in zip(cell.states, final, strict=True):
            values[b] = current[name]
    return y, final
