"""Cases: what is measured.

Nothing of seqkit is imported when this file is: ``benchmarks/`` reads it to measure versions that have another one.

Legend: B batch, T time, I input features, H units, D directions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

MODES = ("infer", "train", "step", "streams")
ONE_STEP = ("step", "streams")
"""Modes in which a call is one step of streams: no lengths, and no end to read from."""
PRECISIONS = {"float32": 4, "float64": 8, "bfloat16": 2, "int8": 1}
"""Bytes of a weight."""
LOW = ("bfloat16", "int8")
"""Precisions for inference alone; parameters, data and results are float32."""

USUAL = {
    "infer": ((1, 100, 128), (32, 100, 256)),
    "train": ((32, 100, 64), (32, 100, 256)),
    "step": ((1, 1, 128),),
    "streams": ((64, 1, 128),),
}
"""B, T and H of the cases that are measured when nothing else is asked for; I is H."""
QUICK = {
    "infer": ((32, 100, 64),),
    "train": ((32, 100, 64),),
    "step": ((1, 1, 64),),
    "streams": ((16, 1, 64),),
}
USUAL_BATCH = {"infer": 32, "train": 32, "step": 1, "streams": 64}
"""B where other sizes are given."""


@dataclass(frozen=True)
class Case:
    """One thing to measure.

    Attributes
    ----------
    cell : str
        Registered name.
    mode : {"infer", "train", "step", "streams"}
        Outputs of whole sequences; outputs, then the gradients of all parameters but not of the
        input; one step of a batch, with its state carried along; or one step of a random half of
        `batch` open streams.
    batch, time, features, units : int
        Sizes; `time` is 1 for "step" and "streams".
    directions : {1, 2}
        2 if sequences are also read from their end.
    ragged : str
        Profile of the lengths, of ``ragged.PROFILES``.
    precision : {"float32", "float64", "bfloat16", "int8"}
        Of products; the low ones are for inference.
    threads : int
        Threads of seqkit and of its peers.
    """

    cell: str
    mode: str
    batch: int
    time: int
    features: int
    units: int
    directions: int = 1
    ragged: str = "none"
    precision: str = "float32"
    threads: int = 1

    @property
    def dtype(self) -> str:
        """Number type of parameters and data."""
        return "float32" if self.precision in LOW else self.precision

    @cached_property
    def lengths(self) -> np.ndarray | None:
        """Lengths of the sequences (B,), or None where all are full."""
        if self.ragged == "none":
            return None
        from seqkit.bench.ragged import lengths_of

        return lengths_of(self.ragged, self.batch, self.time)

    @property
    def steps(self) -> int:
        """Steps of all sequences in one call: the sum of their lengths."""
        return self.sequences * self.time if self.lengths is None else int(self.lengths.sum())

    @property
    def sequences(self) -> int:
        """Sequences that one call works on."""
        if self.mode != "streams":
            return self.batch
        from seqkit.bench.ticks import streams_of_tick

        return streams_of_tick(self.batch)

    @property
    def possible(self) -> bool:
        """Whether there is such a thing: a stream has no lengths and no end, and low precision does not train."""
        if self.mode in ONE_STEP:
            return self.directions == 1 and self.ragged == "none"
        return self.mode != "train" or self.precision not in LOW

    def __str__(self) -> str:
        sizes = f"B{self.batch} T{self.time} I{self.features} H{self.units}"
        direction = ", both directions" if self.directions == 2 else ""
        lengths = f", {self.ragged} lengths" if self.ragged != "none" else ""
        threads = f", {self.threads} thread{'s' if self.threads > 1 else ''}"
        return f"{self.cell} {self.mode} {sizes} {self.precision}{direction}{lengths}{threads}"


def grid(
    cells: Iterable[str],
    modes: Iterable[str] = MODES,
    *,
    batch: Sequence[int] = (),
    time: Sequence[int] = (),
    features: Sequence[int] = (),
    units: Sequence[int] = (),
    directions: Sequence[int] = (1,),
    ragged: Sequence[str] = ("none",),
    precision: Sequence[str] = ("float32",),
    threads: Sequence[int] = (1,),
    quick: bool = False,
) -> list[Case]:
    """Every cell in every mode, in the usual sizes or in all combinations of those given.

    Features not given are as many as units.  What is impossible is left out, such as a stream
    in two directions.

    Examples
    --------
    >>> for case in grid(["gru"], ["infer"], batch=[1, 8], units=[64]):
    ...     print(case)
    gru infer B1 T100 I64 H64 float32, 1 thread
    gru infer B8 T100 I64 H64 float32, 1 thread
    """

    def shapes(mode: str) -> Iterator[tuple[int, int, int, int]]:
        usual: Iterable[tuple[int, int, int]] = (QUICK if quick else USUAL)[mode]
        if batch or time or features or units:
            usual = product(
                batch or (USUAL_BATCH[mode],), (1,) if mode in ONE_STEP else time or (100,), units or (128,)
            )
        return ((b, t, i, h) for b, t, h in usual for i in features or (h,))

    found = (
        Case(cell, mode, *shape, both, profile, number, count)
        for count, cell, mode, both, profile, number in product(threads, cells, modes, directions, ragged, precision)
        for shape in shapes(mode)
    )
    return [case for case in found if case.possible]
