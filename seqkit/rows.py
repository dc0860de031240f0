"""Rows of sequences as the engine reads and writes them.

Legend: B batch, T longest sequence, F features, R sum of lengths.

The steps of a sequence are rows of F contiguous numbers at a constant distance; where each
sequence starts is free.  So a padded (B, T, F) array, a view of one with any strides, and the
(R, F) concatenation of a list are all read in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from seqkit import _core
from seqkit.errors import ShapeError
from seqkit.sequences import as_lengths, as_numbers, as_sequences


@dataclass(frozen=True)
class Rows:
    """An array of sequences, with the byte offset of every sequence and the step between rows."""

    array: np.ndarray
    starts: np.ndarray
    step: int
    lengths: np.ndarray
    time: int
    full: bool
    whole: np.ndarray | None = None
    """Of some steps of sequences: the lengths of the whole sequences, whose order the engine keeps."""

    @classmethod
    def of_array(cls, x: Any, lengths: Any, dtype: np.dtype, owner: str, features: int) -> Rows:
        """A (B, T, F) array and its lengths."""
        array = as_sequences(x, dtype, owner, features)
        batch, time, _ = array.shape
        given = as_lengths(lengths, batch, time, owner)
        counts = full_lengths(batch, time) if given is None else given
        full = given is None or bool((given == time).all())
        return cls(array, starts_of(batch, array.strides[0]), array.strides[1], counts, time, full)

    @classmethod
    def of_list(cls, rows: Sequence[Any], dtype: np.dtype, owner: str, features: int) -> Rows:
        """A list of (time_i, F) arrays: nothing is padded."""
        arrays = [as_numbers(row, dtype, owner) for row in rows]
        wrong = next((a.shape for a in arrays if a.ndim != 2 or a.shape[1] != features), None)
        if wrong is not None:
            raise ShapeError(f"{owner}: a sequence of the list has shape {wrong}, expected (time, {features}).")
        lengths = np.array([len(a) for a in arrays], np.int64)
        return cls._flat(np.concatenate(arrays), lengths)

    @classmethod
    def _flat(cls, array: np.ndarray, lengths: np.ndarray) -> Rows:
        step = array.shape[1] * array.itemsize
        return cls(array, (np.cumsum(lengths) - lengths) * step, step, lengths, int(lengths.max(initial=0)), False)

    def new(self, features: int) -> Rows:
        """Room for as many rows of other width, 0 where no step is."""
        dtype = self.array.dtype
        if self.array.ndim == 2:
            return self._flat(np.empty((len(self.array), features), dtype), self.lengths)
        shape = (len(self.lengths), self.time, features)
        return self.of_view(np.empty(shape, dtype) if self.full else np.zeros(shape, dtype))

    def last(self, features: int) -> np.ndarray:
        """Room for one row of every sequence, 0 where it has no step."""
        return np.zeros((len(self.lengths), features), self.array.dtype)

    def of_view(self, array: np.ndarray) -> Rows:
        """The rows of another padded array of the same sequences, with contiguous features."""
        starts = starts_of(len(array), array.strides[0])
        return Rows(array, starts, array.strides[1], self.lengths, self.time, self.full)

    def columns(self, start: int, stop: int) -> Rows:
        """Some features of the same rows, as a view."""
        return replace(self, array=self.array[..., start:stop])

    def steps(self, first: int, end: int, reverse: bool = False) -> Rows:
        """Steps `first` to `end` of every sequence, as a view; with `reverse` they are counted from its end."""
        if first == 0 and end == self.time:
            return self
        time = end - first
        lengths = full_lengths(len(self.lengths), time) if self.full else np.clip(self.lengths - first, 0, time)
        skipped = np.maximum(self.lengths - end, 0) if reverse else first
        starts = self.starts + skipped * self.step
        return replace(self, starts=starts, lengths=lengths, time=time, whole=self.lengths)

    def split(self) -> list[np.ndarray]:
        """The sequences of a flat array, as views."""
        return np.split(self.array, np.cumsum(self.lengths)[:-1])

    @property
    def batch(self) -> _core.Batch:
        """The order in which the engine works."""
        if self.full:
            return full_batch(len(self.lengths), self.time)
        return engine_batch(self.lengths, self.time, self.lengths if self.whole is None else self.whole)

    def segments(self, steps: int | None) -> list[int]:
        """First step of every segment of about `steps` steps, and the end; None is one segment."""
        return [0, self.time] if steps is None or steps >= self.time else self.batch.segments(steps)

    @property
    def place(self) -> tuple[np.ndarray, np.ndarray, int]:
        """What the engine is told."""
        return self.array, self.starts, self.step


def last_place(array: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """A (B, F) array, one row for every sequence, as the engine is told."""
    return array, starts_of(len(array), array.strides[0]), 0


# What depends on the shape of a batch alone is kept: short calls would spend half of their time on it.


@lru_cache(maxsize=64)
def starts_of(batch: int, stride: int) -> np.ndarray:
    """Where rows begin that lie at a constant distance."""
    return _read_only(np.arange(batch, dtype=np.int64) * stride)


@lru_cache(maxsize=16)
def full_lengths(batch: int, time: int) -> np.ndarray:
    """The lengths of sequences that are all `time` long."""
    return _read_only(np.full(batch, time, np.int64))


@lru_cache(maxsize=16)
def full_batch(batch: int, time: int) -> _core.Batch:
    """The order of sequences that are all `time` long."""
    return engine_batch(full_lengths(batch, time), time, full_lengths(batch, time))


def _read_only(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def engine_batch(lengths: np.ndarray, time: int, whole: np.ndarray) -> _core.Batch:
    """The order in which the engine works: the longest of the whole sequences first, ties as they come."""
    order = np.argsort(-whole, kind="stable")
    ordered = np.ascontiguousarray(lengths[order])
    active = len(lengths) - np.searchsorted(ordered[::-1], np.arange(time), side="right")
    offset = np.concatenate([[0], np.cumsum(active)]).astype(np.int64)
    return _core.Batch(
        len(lengths), time, order.astype(np.int64), ordered, np.ascontiguousarray(active, np.int64), offset
    )
