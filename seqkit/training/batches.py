"""A data set, taken batch by batch.

Only the sequences of one batch are ever padded together, on the right and with zeros, so a
long sequence costs nothing to the batches it is not in.

Legend: S sequences (samples), B batch, T time, F features, K targets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from seqkit.errors import ConfigError, ShapeError
from seqkit.sequences import as_lengths, is_ragged, pad


class Batch(NamedTuple):
    """Some samples as arrays."""

    x: np.ndarray
    lengths: np.ndarray | None
    y: np.ndarray | None
    sample_weight: np.ndarray | None


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
        self.ragged = is_ragged(x, ndim=1 if ids else 2)
        self._x = [np.asarray(row) for row in x] if self.ragged else _inputs(x)
        self._lengths = self._given_lengths(lengths)
        self._y = self._beside(y, "y", per_step)
        self._sample_weight = self._beside(sample_weight, "sample_weight", per_step)

    def __len__(self) -> int:
        return len(self._x)

    @property
    def features(self) -> int:
        """Number of features of the inputs."""
        return int(self._x[0].shape[-1] if isinstance(self._x, list) else self._x.shape[-1])

    def take(self, rows: Sequence[int] | np.ndarray) -> Batch:
        """The samples with these numbers."""
        y, sample_weight = _take(self._y, rows), _take(self._sample_weight, rows)
        if isinstance(self._x, list):
            return Batch(*pad([self._x[row] for row in rows], "x"), y, sample_weight)
        return Batch(self._x[rows], _take(self._lengths, rows), y, sample_weight)

    def _given_lengths(self, lengths: Any) -> np.ndarray | None:
        if lengths is None:
            return None
        if isinstance(self._x, list):
            raise ConfigError("x is a list of sequences, which have their own lengths; leave lengths out.")
        return as_lengths(lengths, self._x.shape[0], self._x.shape[1], "x")

    def _beside(self, values: Any, what: str, per_step: bool) -> np.ndarray | list[np.ndarray] | None:
        """Targets or weights, checked against the inputs."""
        if values is None:
            return None
        stepwise = self.ragged and per_step and len(values) > 0 and np.ndim(values[0]) > 0
        checked = [np.asarray(row) for row in values] if stepwise else _array(values, what)
        if len(checked) != len(self):
            raise ShapeError(f"{what} has {len(checked)} samples but x has {len(self)}.")
        for number, (row, sequence) in enumerate(zip(checked, self._x, strict=True) if stepwise else ()):
            if len(row) != len(sequence):
                raise ShapeError(f"{what}[{number}] has {len(row)} steps but x[{number}] has {len(sequence)}.")
        return checked


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
        array = np.asarray(values)
    except ValueError as error:
        raise ShapeError(f"{what} is neither a rectangular array nor a list of sequences ({error}).") from None
    if array.ndim == 0:
        raise ShapeError(f"{what} must hold samples along its first axis, got the single value {values!r}.")
    return array


def _take(values: np.ndarray | list[np.ndarray] | None, rows: Sequence[int] | np.ndarray) -> np.ndarray | None:
    if isinstance(values, list):
        return pad([values[row] for row in rows], "y")[0]
    return None if values is None else values[rows]
