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
from seqkit.equations.shapes import Shapes
from seqkit.equations.trace import trace


class _Matrix:
    """``U.f``: multiplies a batch of vectors (B, H), each head by its block."""

    def __init__(self, weight: np.ndarray, heads: int = 1) -> None:
        self.weight, self.heads = weight, heads

    def __matmul__(self, vector: np.ndarray) -> np.ndarray:
        vector = np.broadcast_to(vector, (*vector.shape[:-1], self.heads * self.weight.shape[1]))
        parts = zip(np.split(vector, self.heads, axis=-1), np.split(self.weight, self.heads), strict=True)
        return np.concatenate([part @ block.T for part, block in parts], axis=-1)


def shapes_of(cell: Cell, params: Mapping[str, np.ndarray], units: int | None = None) -> Shapes:
    """The sizes of a cell with these parameters."""
    return Shapes.of_params(trace(cell), cell.parameters(), params, units)


def namespaces(cell: Cell, params: Mapping[str, np.ndarray], shapes: Shapes) -> tuple[Any, Any]:
    """The U and p of ``step``, from a layer's parameters."""
    weight, rows_of = params["weight_hh"], shapes.recurrent_gates
    u = SimpleNamespace(**{gate: _Matrix(weight[rows], cell.heads) for gate, rows in rows_of.items()})
    p = SimpleNamespace()
    for name, declared in cell.parameters().items():
        value: Any = params[name]
        if declared.kind == "scalar" and declared.rows:
            value = value[:, None]
        if declared.kind == "matrix":
            value = _Matrix(value, declared.heads)
        elif declared.rows:
            value = SimpleNamespace(**dict(zip(declared.rows, value, strict=True)))
        setattr(p, name, value)
    return u, p


def input_parts(x: np.ndarray, params: Mapping[str, np.ndarray], shapes: Shapes) -> SimpleNamespace:
    """The x of ``step`` at one step, from its features (I,): W x + b of every gate, and raw inputs, all (1, size)."""
    gates = {
        gate: (params["weight_ih"][rows] @ x[: shapes.features])[None] for gate, rows in shapes.input_gates.items()
    }
    for gate, rows in shapes.biases.items():
        gates[gate] = gates[gate] + params["bias"][rows]
    raw = {name: x[None, first : first + size] for name, (first, size) in shapes.inputs.items()}
    return SimpleNamespace(**gates, **raw)


def run_reference(
    cell: Cell,
    params: Mapping[str, np.ndarray],
    x: np.ndarray,
    lengths: np.ndarray | None = None,
    state: tuple[np.ndarray, ...] | None = None,
    reverse: bool = False,
    zoneout: Mapping[str, Any] | None = None,
    units: int | None = None,
) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
    """Outputs (B, T, size of the first state) and final states of a cell, one sequence and one step at a time.

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
    units : int, optional
        Units, where no parameter tells them: none has as many rows or columns.

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
    shapes = shapes_of(cell, params, units)
    u, p = namespaces(cell, params, shapes)
    batch, time, _ = x.shape
    lengths = np.full(batch, time) if lengths is None else np.asarray(lengths)
    initial = state or tuple(np.zeros((batch, size)) for size in shapes.states)
    final = tuple(np.array(s, dtype=np.float64) for s in initial)
    sizes = dict(zip(cell.states, shapes.states, strict=True))
    y = np.zeros((batch, time, shapes.states[0]))
    kept = {name: np.broadcast_to(share, (batch, time, sizes[name])) for name, share in (zoneout or {}).items()}
    for b in range(batch):
        current = {name: values[b : b + 1].copy() for name, values in zip(cell.states, final, strict=True)}
        for t in range(lengths[b])[:: -1 if reverse else 1]:
            inputs = input_parts(x[b, t].astype(np.float64), params, shapes)
            new = cell.step(inputs, u, SimpleNamespace(**current), p)
            new = {name: np.broadcast_to(new[name], (1, size)) for name, size in sizes.items()}
            for name, share in kept.items():
                new[name] = share[b, t] * current[name] + (1 - share[b, t]) * new[name]
            current = new
            y[b, t] = current[cell.states[0]]
        for name, values in zip(cell.states, final, strict=True):
            values[b] = current[name]
    return y, final
