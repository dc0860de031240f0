"""A data set, taken batch by batch.

Only the sequences of one batch are ever padded together, on the right and with zeros, so a
long sequence costs nothing to the batches it is not in.  A list of sequences is kept as one array,
from which a batch is gathered by compiled code.

Legend: S sequences (samples), B batch, T time, F features, K targets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from seqkit._core import gather_padded
from seqkit.arrays import as_array
from seqkit.errors import ConfigError, DTypeError, ShapeError
from seqkit.sequences import as_lengths, as_list, is_ragged

POOL = 50
"""Batches that are sorted by length together: enough to differ from epoch to epoch."""


class Batch(NamedTuple):
    """Some samples as arrays."""

    x: np.ndarray
    lengths: np.ndarray | None
    y: np.ndarray | None
    sample_weight: np.ndarray | None


class Joined:
    """Sequences that lie one behind the other in one array, of which any can be taken as a batch.

    Parameters
    ----------
    rows : sequence of array_like, (T_i, F) or (T_i,)
        The sequences; they are copied.
    what : str
        Name used in error messages.

    Examples
    --------
    >>> import numpy as np
    >>> joined = Joined([np.array([1.0, 2.0]), np.array([3.0]), np.array([])], "x")
    >>> joined.take(np.array([1, 0])).tolist(), joined.lengths.tolist()
    ([[3.0, 0.0], [1.0, 2.0]], [2, 1, 0])
    """

    def __init__(self, rows: Sequence[Any], what: str) -> None:
        arrays, self.lengths = as_list(rows, what)
        self.values = np.ascontiguousarray(np.concatenate(arrays))
        if self.values.dtype.hasobject:
            raise DTypeError(f"{what} must hold numbers, got dtype {self.values.dtype}; convert it to float32.")
        self.starts = np.cumsum(self.lengths) - self.lengths

    def __len__(self) -> int:
        return len(self.lengths)

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Sequences `rows` as (B, T, F) or (B, T) with zeros past their ends."""
        return gather_padded(self.values, self.starts, self.lengths, rows)


class Samples:
    """Inputs with, where given, targets, weights and lengths.

    Parameters
    ----------
    x : array_like or list of ndarray
        (S, T, F) sequences, (S, F) vectors, (S, T) ids, or a list of (T_i, F) sequences or of
        (T_i,) ids.
    y : array_like or list of ndarray, optional
        One target per sample, or one per step.
    sample_weight : array_like, optional
        One weight per sample, or one per step.
    lengths : array_like of int, (S,), optional
        True lengths of right-padded sequences.
    ids : bool
        Whether the inputs are integer ids.
    per_step : bool
        Whether there is one target per step.

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
        ids: bool = False,
        per_step: bool = False,
    ) -> None:
        self._ids, self.ragged = ids, is_ragged(x, ndim=1 if ids else 2)
        self._x = Joined(x, "x") if self.ragged else _inputs(x)
        self.lengths = self._x.lengths if isinstance(self._x, Joined) else None
        if lengths is not None:
            self.lengths = self._given_lengths(lengths)
        self._y = self._beside(y, "y", per_step)
        self._sample_weight = self._beside(sample_weight, "sample_weight", per_step)

    def __len__(self) -> int:
        return len(self._x)

    @property
    def features(self) -> int:
        """Number of features of the inputs."""
        return int((self._x.values if isinstance(self._x, Joined) else self._x).shape[-1])

    @property
    def time(self) -> int:
        """Steps of the longest sequence; 1 for vectors."""
        if isinstance(self._x, Joined):
            return int(self._x.lengths.max(initial=0))
        return int(self._x.shape[1]) if self._ids or self._x.ndim == 3 else 1

    @property
    def step_bytes(self) -> int:
        """Bytes of one step of the inputs."""
        values = self._x.values if isinstance(self._x, Joined) else self._x
        return values.itemsize * (1 if self._ids else values.shape[-1])

    @property
    def copied_bytes(self) -> int:
        """Bytes of the copies that were made of lists."""
        parts = self._x, self._y, self._sample_weight
        return sum(part.values.nbytes for part in parts if isinstance(part, Joined))

    def take(self, rows: Sequence[int] | np.ndarray) -> Batch:
        """The samples with these numbers."""
        rows = np.ascontiguousarray(rows, np.int64)
        lengths = None if self.lengths is None else self.lengths[rows]
        return Batch(_take(self._x, rows), lengths, _take(self._y, rows), _take(self._sample_weight, rows))

    def _given_lengths(self, lengths: Any) -> np.ndarray | None:
        if isinstance(self._x, Joined):
            raise ConfigError("x is a list of sequences, which have their own lengths; leave lengths out.")
        return as_lengths(lengths, self._x.shape[0], self._x.shape[1], "x")

    def _beside(self, values: Any, what: str, per_step: bool) -> np.ndarray | Joined | None:
        """Targets or weights, checked against the inputs."""
        if values is None:
            return None
        stepwise = self.ragged and per_step and len(values) > 0 and np.ndim(values[0]) > 0
        checked = values if stepwise else _array(values, what)
        if len(checked) != len(self):
            raise ShapeError(f"{what} has {len(checked)} samples but x has {len(self)}.")
        return self._joined_beside(values, what) if stepwise else checked

    def _joined_beside(self, values: Sequence[Any], what: str) -> Joined:
        """A value for every step of a list of sequences."""
        assert self.lengths is not None
        steps = np.array([len(row) for row in values])
        for number in np.flatnonzero(steps != self.lengths)[:1]:
            raise ShapeError(f"{what}[{number}] has {steps[number]} steps but x[{number}] has {self.lengths[number]}.")
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


def _inputs(x: Any) -> np.ndarray:
    array = _array(x, "x")
    if array.ndim not in (2, 3):
        raise ShapeError(
            f"x has shape {array.shape}, expected (samples, time, features), (samples, features) or a list of "
            f"(time_i, features) arrays; one series of one feature is series[None, :, None]."
        )
    return array


def _array(values: Any, what: str) -> np.ndarray:
    try:
        array = as_array(values, "model", what)
    except ValueError as error:
        raise ShapeError(f"{what} is neither a rectangular array nor a list of sequences ({error}).") from None
    if array.ndim == 0:
        raise ShapeError(f"{what} must hold samples along its first axis, got the single value {values!r}.")
    return array


def _take(values: Any, rows: np.ndarray) -> Any:
    if isinstance(values, Joined):
        return values.take(rows)
    return None if values is None else values[rows]
