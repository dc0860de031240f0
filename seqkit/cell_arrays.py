"""The arrays of a recurrent layer: their shapes and what they start from.

Legend: I input features, H units, G gates.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqkit import initializers
from seqkit.equations import Cell, OppositeOf
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


def initial_arrays(
    cell: Cell,
    gates: tuple[Sequence[str], Sequence[str], Sequence[str]],
    sizes: tuple[int, int],
    methods: tuple[str, str, str],
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """``weight_ih`` (G*H, I), ``weight_hh`` (G*H, H), ``bias`` (G*H,) if any gate has one, and the cell's own.

    Parameters
    ----------
    cell : Cell
        The equations.
    gates : (sequence of str, sequence of str, sequence of str)
        The gates that read the input, those that are multiplied by U, and those that have a bias.
    sizes : (int, int)
        I and H.
    methods : (str, str, str)
        Names of the initializers of ``weight_ih``, ``weight_hh`` and ``bias``; what the cell says of a bias is added.
    rng : Generator
        Source of the numbers; drawn from for each gate in turn.
    """
    (inputs, recurrent, biased), (features, units) = gates, sizes
    arrays = {
        "weight_ih": initializers.blocks(methods[0], len(inputs), (units, features), rng),
        "weight_hh": initializers.blocks(methods[1], len(recurrent), (units, units), rng),
    }
    if biased:
        drawn = initializers.blocks(methods[2], len(biased), (1, units), rng).ravel()
        arrays["bias"] = drawn + np.concatenate(_own_biases(cell, biased, units, rng))
    for name, parameter in cell.parameters().items():
        owner = f"{cell.name or type(cell).__name__}: {name}"
        arrays[name] = initializers.values(parameter.initializer, parameter.shape(units), rng, owner)
    return arrays


def _own_biases(cell: Cell, gates: Sequence[str], units: int, rng: np.random.Generator) -> list[np.ndarray]:
    """What the cell says of the bias of every gate; opposites of others come last."""
    owner, said = cell.name or type(cell).__name__, {gate: cell.initial_bias(gate) for gate in gates}
    found = {
        gate: initializers.values(start, (units,), rng, f"{owner}: bias of gate {gate}")
        for gate, start in said.items()
        if not isinstance(start, OppositeOf)
    }
    for gate, start in said.items():
        if isinstance(start, OppositeOf):
            found[gate] = -by_name(found, start.gate, f"{owner}: bias, to be the opposite of for gate {gate},")
    return [found[gate] for gate in gates]
