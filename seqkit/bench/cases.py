"""Cases: what is measured, and how many operations it needs.

Legend: B batch, T time, I input features, H units.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

from seqkit import registry
from seqkit.equations import Cell, trace

MODES = ("infer", "train", "step")

USUAL = {
    "infer": ((1, 100, 128), (32, 100, 256)),
    "train": ((32, 100, 64), (32, 100, 256)),
    "step": ((1, 1, 128),),
}
"""B, T and H of the cases that are measured when nothing else is asked for; I is H."""
QUICK = {"infer": ((32, 100, 64),), "train": ((32, 100, 64),), "step": ((1, 1, 64),)}


@dataclass(frozen=True)
class Case:
    """One thing to measure.

    Attributes
    ----------
    cell : str
        Registered name.
    mode : {"infer", "train", "step"}
        Outputs of whole sequences; outputs, then the gradients of all parameters but not of the
        input; or one step of a stream, with its state carried along.
    batch, time, features, units : int
        Sizes; `time` is 1 for "step".
    bidirectional : bool
        Whether sequences are also read from their end.
    dtype : {"float32", "float64"}
        Of parameters and data.
    """

    cell: str
    mode: str
    batch: int
    time: int
    features: int
    units: int
    bidirectional: bool = False
    dtype: str = "float32"

    @property
    def steps(self) -> int:
        """Steps of all sequences in one call, B * T."""
        return self.batch * self.time

    def __str__(self) -> str:
        direction = ", both directions" if self.bidirectional else ""
        sizes = f"B{self.batch} T{self.time} I{self.features} H{self.units}"
        return f"{self.cell} {self.mode} {sizes} {self.dtype}{direction}"


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
    inputs, recurrent = count_products(registry.cell_of(case.cell))
    x, u = inputs * case.features * case.units, recurrent * case.units**2
    each = 2 * x + 3 * u if case.mode == "train" else x + u
    return 2 * case.steps * each * (2 if case.bidirectional else 1)


def count_products(cell: Cell) -> tuple[int, int]:
    """Products of a step with the input and with vectors of units; equal ones count once."""
    terms = {
        (kind, name, None if kind == "x" else column.operands[position])
        for column in trace(cell).columns
        for kind, name, position in column.detail
    }
    inputs = sum(kind == "x" for kind, _, _ in terms)
    return inputs, len(terms) - inputs


def grid(
    cells: Iterable[str],
    modes: Iterable[str] = MODES,
    *,
    batch: Sequence[int] = (),
    time: Sequence[int] = (),
    features: Sequence[int] = (),
    units: Sequence[int] = (),
    bidirectional: bool = False,
    dtype: str = "float32",
    quick: bool = False,
) -> list[Case]:
    """Every cell in every mode, in the usual sizes or in all combinations of those given.

    Features not given are as many as units.  A stream has no end to read it from, so
    `bidirectional` leaves "step" out.

    Examples
    --------
    >>> for case in grid(["gru"], ["infer"], batch=[1, 8], units=[64]):
    ...     print(case)
    gru infer B1 T100 I64 H64 float32
    gru infer B8 T100 I64 H64 float32
    """
    found = []
    for cell, mode in product(cells, modes):
        stream = mode == "step"
        if stream and bidirectional:
            continue
        shapes: Iterable[tuple[int, int, int]] = (QUICK if quick else USUAL)[mode]
        if batch or time or features or units:
            shapes = product(batch or (1 if stream else 32,), (1,) if stream else time or (100,), units or (128,))
        found += [Case(cell, mode, b, t, i, h, bidirectional, dtype) for b, t, h in shapes for i in features or (h,)]
    return found
