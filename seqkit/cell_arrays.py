"""The arrays of a recurrent layer: their shapes and what they start from.

Legend: I input features, H units, G gates.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqkit import initializers
from seqkit.equations import Cell
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
    gates: tuple[Sequence[str], Sequence[str]],
    sizes: tuple[int, int],
    methods: tuple[str, str, str],
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """``weight_ih`` (G*H, I), ``weight_hh`` (G*H, H), ``bias`` (G*H,) if the cell has one, and the cell's own.

    Parameters
    ----------
    cell : Cell
        The equations.
    gates : (sequence of str, sequence of str)
        The gates that read the input and those that are multiplied by U.
    sizes : (int, int)
        I and H.
    methods : (str, str, str)
        Names of the initializers of ``weight_ih``, ``weight_hh`` and ``bias``.
    rng : Generator
        Source of the numbers; drawn from for each gate in turn.
    """
    (inputs, recurrent), (features, units) = gates, sizes
    arrays = {
        "weight_ih": initializers.blocks(methods[0], len(inputs), (units, features), rng),
        "weight_hh": initializers.blocks(methods[1], len(recurrent), (units, units), rng),
    }
    if cell.use_bias:
        drawn = initializers.blocks(methods[2], len(inputs), (1, units), rng)
        arrays["bias"] = drawn.ravel() + np.repeat([cell.initial_bias(gate) for gate in inputs], units)
    for name, parameter in cell.parameters().items():
        shape = parameter.shape(units)
        rows = shape[0] if len(shape) == 2 else 1
        arrays[name] = initializers.blocks(parameter.initializer, 1, (rows, units), rng).reshape(shape)
    return arrays
