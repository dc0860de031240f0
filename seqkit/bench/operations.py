"""What a case needs, whoever computes it: floating-point operations, and weights to read.

Legend: B batch, T time, I input features, H units.
"""

from __future__ import annotations

from seqkit import registry
from seqkit.bench.cases import PRECISIONS, Case
from seqkit.equations import Cell, trace


def operations(case: Case) -> int:
    """Floating-point operations that the products of one call need, 2 for each multiply-add.

    With g products W x and u products U v in the equations, a step of a sequence needs
    ``g*I*H + u*H*H`` multiply-adds forwards; training needs as many again for the gradients of
    the weights and ``u*H*H`` for those of the states.  Pointwise work is not counted.

    Examples
    --------
    >>> operations(Case("lstm", "infer", batch=1, time=1, features=10, units=100))  # 2 * 4 * (10 + 100) * 100
    88000
    """
    x, u = _weights(case)
    each = 2 * x + 3 * u if case.mode == "train" else x + u
    return 2 * case.steps * each * case.directions


def weight_bytes(case: Case) -> int:
    """Bytes of all weights that products read.

    Examples
    --------
    >>> weight_bytes(Case("lstm", "infer", batch=1, time=1, features=10, units=100))  # 4 * 4 * (10 + 100) * 100
    176000
    """
    return case.directions * sum(_weights(case)) * PRECISIONS[case.precision]


def bytes_read(case: Case) -> int:
    """Bytes of weights that one call must read, however large the batch.

    The recurrent ones once for every time step, since a step needs the state of the one before,
    and twice in training; those of the input once, since all steps can be multiplied at once.

    Examples
    --------
    >>> bytes_read(Case("lstm", "infer", batch=1, time=7, features=10, units=100))  # 4 * 4 * (10 + 7*100) * 100
    1136000
    """
    x, u = _weights(case)
    return case.directions * (x + u * case.time * (2 if case.mode == "train" else 1)) * PRECISIONS[case.precision]


def _weights(case: Case) -> tuple[int, int]:
    """Weights of one direction that multiply the input and those that multiply vectors of units."""
    inputs, recurrent = count_products(registry.cell_of(case.cell))
    return inputs * case.features * case.units, recurrent * case.units**2


def count_products(cell: Cell) -> tuple[int, int]:
    """Products of a step with the input and with vectors of units; equal ones count once."""
    terms = {
        (kind, name, None if kind == "x" else column.operands[position])
        for column in trace(cell).columns
        for kind, name, position in column.detail
    }
    inputs = sum(kind == "x" for kind, _, _ in terms)
    return inputs, len(terms) - inputs
