"""The arrays of a recurrent layer: their shapes and what they start from.

Legend: F input features that W multiplies, H units, S size of the first state; H where no other is declared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqkit import initializers
from seqkit.equations import Cell, OppositeOf
from seqkit.equations.shapes import Shapes
from seqkit.options import by_name


def learned_states(option: str, states: Sequence[str], owner: str) -> tuple[str, ...]:
    """Names of the parameters that sequences start from, as `option` says: none where they start from zeros.

    Examples
    --------
    >>> learned_states("learned", ("h", "c"), "lstm"), learned_states("zeros", ("h", "c"), "lstm")
    (('initial_h', 'initial_c'), ())
    """
    names = {"zeros": (), "learned": tuple(f"initial_{state}" for state in states)}
    return by_name(names, option, f"{owner}: initial_state")


def sizes_of_states(cell: Cell, units: int) -> tuple[int, ...]:
    """Sizes of the states of a layer that is not built; 0 where one follows from the input."""
    declared = cell.sizes()
    sizes = [declared.get(state, "units") for state in cell.states]
    return tuple(size if isinstance(size, int) else units if size == "units" else 0 for size in sizes)


def initial_arrays(
    cell: Cell,
    shapes: Shapes,
    methods: tuple[str, str, str],
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """``weight_ih`` (G*H, F), ``weight_hh`` (G*H, S), ``bias`` (G*H,) if any gate has one, and the cell's own.

    Parameters
    ----------
    cell : Cell
        The equations.
    shapes : Shapes
        All sizes.
    methods : (str, str, str)
        Names of the initializers of ``weight_ih``, ``weight_hh`` and ``bias``; what the cell says of a bias is added.
    rng : Generator
        Source of the numbers; drawn from for each gate in turn.
    """
    title, inputs, recurrent = cell.name or type(cell).__name__, shapes.input_gates, shapes.recurrent_gates
    arrays = {
        "weight_ih": _blocks(methods[0], inputs, shapes.features, rng, f"{title}: weight_ih"),
        "weight_hh": _blocks(methods[1], recurrent, shapes.states[0], rng, f"{title}: weight_hh", cell.heads),
    }
    if shapes.biases:
        drawn = [initializers.get(methods[2])((1, size), rng).ravel() for size in map(_count, shapes.biases.values())]
        arrays["bias"] = np.concatenate(drawn) + np.concatenate(_own_biases(cell, shapes.biases, rng))
    for name, parameter in cell.parameters().items():
        shape = shapes.shape(parameter.dimensions)
        arrays[name] = _by_heads(parameter.initializer, parameter.heads, shape, rng, f"{title}: {name}")
    return arrays


def _blocks(
    method: str, gates: Mapping[str, slice], columns: int, rng: np.random.Generator, owner: str, heads: int = 1
) -> np.ndarray:
    """The rows of all gates, drawn gate by gate and head by head."""
    initializers.require_room((sum(map(_count, gates.values())), columns // heads), owner)
    drawn = [_by_heads(method, heads, (_count(rows), columns), rng, owner) for rows in gates.values()]
    return np.concatenate([np.zeros((0, columns // heads)), *drawn])


def _by_heads(initializer: Any, heads: int, shape: tuple[int, ...], rng: np.random.Generator, owner: str) -> np.ndarray:
    """An array of this shape or, with several heads, the blocks on the diagonal of such a matrix, each by itself."""
    shape = shape if heads == 1 else (shape[0] // heads, shape[1] // heads)
    return np.concatenate([initializers.values(initializer, shape, rng, owner) for _ in range(heads)])


def _own_biases(cell: Cell, gates: Mapping[str, slice], rng: np.random.Generator) -> list[np.ndarray]:
    """What the cell says of the bias of every gate; opposites of others come last."""
    owner, said = cell.name or type(cell).__name__, {gate: cell.initial_bias(gate) for gate in gates}
    found = {
        gate: initializers.values(start, (_count(gates[gate]),), rng, f"{owner}: bias of gate {gate}")
        for gate, start in said.items()
        if not isinstance(start, OppositeOf)
    }
    for gate, start in said.items():
        if isinstance(start, OppositeOf):
            found[gate] = -by_name(found, start.gate, f"{owner}: bias, to be the opposite of for gate {gate},")
    return [found[gate] for gate in gates]


def _count(rows: slice) -> int:
    return int(rows.stop - rows.start)
