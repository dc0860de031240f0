"""A data set, taken batch by batch.

Legend: S sequences (samples), B batch, T time, F features, K targets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from seqkit.errors import ShapeError
from seqkit.inputs import Inputs, first
from seqkit.training.given import Input, Joined, as_samples, take

POOL = 50
"""Batches that are sorted by length together: enough to differ from epoch to epoch."""


class Batch(NamedTuple):
    """Some samples as arrays; of a model with several inputs, `x` and `lengths` are tuples."""

    x: Any
    lengths: Any
    y: np.ndarray | None
    sample_weight: np.ndarray | None


class Samples:
    """Inputs with, where given, targets, weights and lengths.

    Parameters
    ----------
    x : array_like or list of ndarray, or a tuple of such
        (S, T, F) sequences, (S, F) vectors, (S, T) ids, or a list of (T_i, F) sequences or of
        (T_i,) ids; for each input, where `ids` has several.
    y : array_like or list of ndarray, optional
        One target per sample, or one per step.
    sample_weight : array_like, optional
        One weight per sample, or one per step.
    lengths : array_like of int, (S,), or a tuple of such, optional
        True lengths of right-padded sequences.
    ids : tuple of bool
        Which inputs are integer ids.
    per_step : bool
        Whether there is one target per step.
    steps_of : callable
        Gives the numbers of steps that have a target, from the lengths of the inputs.

    Raises
    ------
    ShapeError
        If the parts have not the same number of samples or steps.
    DTypeError
        If a list holds arrays of objects.

    Examples
    --------
    >>> import numpy as np
    >>> samples = Samples([np.ones((2, 1)), np.ones((3, 1)), np.ones((1, 1))], y=[0, 1, 2])
    >>> batch = samples.take([2, 0])
    >>> batch.x.shape, batch.lengths.tolist(), batch.y.tolist()
    ((2, 2, 1), [1, 2], [2, 0])
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        lengths: Any = None,
        ids: tuple[bool, ...] = (False,),
        per_step: bool = False,
        steps_of: Callable[[Any], np.ndarray | None] = first,
    ) -> None:
        self._several = len(ids) > 1 and isinstance(x, tuple)
        if len(ids) > 1 and isinstance(x, list) and [np.ndim(one) for one in x] == [2 if one else 3 for one in ids]:
            raise ShapeError(f"x is a list of {len(x)} inputs; a list holds sequences, so give inputs as a tuple.")
        names = [f"x[{number}]" for number in range(len(ids))] if self._several else ["x"]
        given = Inputs.of(x, lengths, names, "x") if self._several else Inputs((x,), (lengths,), alone=True)
        self.inputs = [Input(*one) for one in zip(given.arrays, given.lengths, ids, names, strict=False)]
        self.ragged = any(one.ragged for one in self.inputs)
        for one, name in zip(self.inputs, names, strict=True):
            if len(one) != len(self):
                raise ShapeError(f"{name} has {len(one)} samples but {names[0]} has {len(self)}.")
        self.steps_of = steps_of
        self._y = self._beside(y, "y", per_step)
        self._sample_weight = self._beside(sample_weight, "sample_weight", per_step)

    def __len__(self) -> int:
        return len(self.inputs[0])

    @property
    def sizes(self) -> int | tuple[int, ...]:
        """Number of features of the input, or of each of several; 1 of ids."""
        sizes = tuple(1 if one.ids else one.features for one in self.inputs)
        return sizes if self._several else sizes[0]

    @property
    def sequences(self) -> bool:
        """Whether the (first) input has steps."""
        return self.inputs[0].sequences

    @property
    def time(self) -> int:
        """Steps of the longest sequence; 1 for vectors."""
        return max(one.time for one in self.inputs)

    @property
    def step_bytes(self) -> int:
        """Bytes of one step of all inputs."""
        return sum(one.step_bytes for one in self.inputs)

    @property
    def copied_bytes(self) -> int:
        """Bytes of the copies that were made of lists."""
        parts = *(one.values for one in self.inputs), self._y, self._sample_weight
        return sum(part.values.nbytes for part in parts if isinstance(part, Joined))

    @property
    def lengths(self) -> np.ndarray | None:
        """(S,): lengths of the sequences, of several inputs the sums; None where all are full."""
        known = [one.lengths for one in self.inputs if one.lengths is not None]
        return sum(known[1:], start=known[0]) if known else None

    def take(self, rows: Sequence[int] | np.ndarray) -> Batch:
        """The samples with these numbers."""
        rows = np.ascontiguousarray(rows, np.int64)
        x = tuple(take(one.values, rows) for one in self.inputs)
        beside = take(self._y, rows), take(self._sample_weight, rows)
        return Batch(x if self._several else x[0], self._lengths_of(rows), *beside)

    def _lengths_of(self, rows: np.ndarray) -> Any:
        """Lengths of some samples; a tuple where there are several inputs."""
        lengths = tuple(None if one.lengths is None else one.lengths[rows] for one in self.inputs)
        return lengths if self._several else lengths[0]

    def _beside(self, values: Any, what: str, per_step: bool) -> np.ndarray | Joined | None:
        """Targets or weights, checked against the inputs."""
        if values is None:
            return None
        stepwise = self.ragged and per_step and len(values) > 0 and np.ndim(values[0]) > 0
        checked = values if stepwise else as_samples(values, what)
        if len(checked) != len(self):
            raise ShapeError(f"{what} has {len(checked)} samples but x has {len(self)}.")
        return self._joined_beside(values, what) if stepwise else checked

    def _joined_beside(self, values: Sequence[Any], what: str) -> Joined:
        """A value for every step of a list of sequences."""
        expected = self.steps_of(self._lengths_of(np.arange(len(self))))
        steps = np.array([len(row) for row in values])
        wanted = steps if expected is None else expected
        for number in np.flatnonzero(steps != wanted)[:1]:
            raise ShapeError(f"{what}[{number}] has {steps[number]} steps but x[{number}] has {wanted[number]}.")
        return Joined(values, what)


class Part(NamedTuple):
    """Some samples of a data set, by their numbers."""

    samples: Samples
    rows: np.ndarray

    @classmethod
    def whole(cls, samples: Samples) -> Part:
        """All samples in their order."""
        return cls(samples, np.arange(len(samples)))

    def split(self, share: float) -> tuple[Part, Part]:
        """The first samples, and the last ones, which are `share` of all."""
        kept = int(len(self.rows) * (1.0 - share))
        return Part(self.samples, self.rows[:kept]), Part(self.samples, self.rows[kept:])

    def shuffled(self, rng: np.random.Generator, size: int, pool: int = POOL) -> Part:
        """The samples in a random order for batches of `size`.

        Where lengths differ and `pool` is above 1, batches are of similar length: `pool` batches at a
        time are sorted by length before they are cut, and the order of all batches is drawn again.
        What is left over for the last, smaller batch is drawn from all samples.
        """
        rows = rng.permutation(self.rows)
        count = len(rows) // size
        if self.samples.lengths is None or pool < 2 or count < 2:
            return Part(self.samples, rows)
        whole, rest = rows[: count * size], rows[count * size :]
        sort = np.lexsort((self.samples.lengths[whole], np.arange(len(whole)) // (pool * size)))
        batches = rng.permutation(whole[sort].reshape(count, size))  # along the first axis
        return Part(self.samples, np.concatenate([batches.ravel(), rest]))

    def batches(self, size: int) -> Iterator[Batch]:
        """The samples in order, `size` at a time; no samples are one empty batch."""
        for start in range(0, max(len(self.rows), 1), size):
            yield self.samples.take(self.rows[start : start + size])
