"""Series as they are given, with columns beside them.

Legend: N series, T_i values, K columns known in advance, P others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from seqkit.data.dataset import usable
from seqkit.errors import DataError, ShapeError
from seqkit.estimators.inputs import as_numbers
from seqkit.tasks.scaling import is_constant


@dataclass(frozen=True)
class Record:
    """One series: its levels (T,), its columns that are known in advance (T, K), and others (T, P)."""

    levels: np.ndarray
    known: np.ndarray
    others: np.ndarray

    def __len__(self) -> int:
        return len(self.levels)

    def until(self, end: int) -> Record:
        """The first `end` steps."""
        return Record(self.levels[:end], self.known[:end], self.others[:end])


@dataclass(frozen=True)
class ColumnScaling:
    """Mean and standard deviation of columns, (K,) each; 1 for the deviation of a constant column."""

    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, arrays: Sequence[np.ndarray]) -> Self:
        """Those of all rows of arrays (T_i, K)."""
        rows = np.concatenate(arrays)
        return cls(rows.mean(axis=0), np.array([1.0 if is_constant(column) else column.std() for column in rows.T]))

    def __call__(self, columns: np.ndarray) -> np.ndarray:
        return (columns - self.mean) / self.deviation


def is_one(y: Any) -> bool:
    """Whether `y` is one series and not several."""
    if hasattr(y, "columns"):
        return True
    items = y if isinstance(y, (list, tuple)) else np.asarray(y)
    if isinstance(items, np.ndarray) and (items.dtype != object or not items.ndim):
        return items.ndim < 2
    return bool(len(items)) and np.ndim(items[0]) == 0


def as_series(y: Any, owner: str) -> list[np.ndarray]:
    """A list of series (T_i,) in float64.

    Raises
    ------
    ShapeError
        If something is not one-dimensional.
    DataError
        If there is none, or a value is not a finite number.
    DTypeError
        If something is no number.
    """
    one = is_one(y)
    if not one and not len(y):
        raise DataError(f"{owner}: y holds no series.")
    return [_one(y, f"{owner}: y")] if one else [_one(row, f"{owner}: y[{number}]") for number, row in enumerate(y)]


def _one(y: Any, what: str) -> np.ndarray:
    """One series, (T,); of a table its only column."""
    values = as_numbers(y, what)
    if hasattr(y, "columns"):
        if values.shape[1] != 1:
            raise ShapeError(
                f"{what} is a table of {values.shape[1]} columns; give the one to forecast, and others as X (what is "
                f"known in advance) or past. Several series are a list."
            )
        values = values[:, 0]
    _check(values, 1, what)
    return values


def as_columns(columns: Any, one: bool, lengths: Sequence[int], count: int | None, what: str) -> list[np.ndarray]:
    """Arrays (T_i, K), one for each series; a single column may stand without its axis.  None is no columns.

    Parameters
    ----------
    columns : array_like or list, or None
    one : bool
        Whether they are of one series, not of a list.
    lengths : sequence of int
        T_i.
    count : int, optional
        K, where it is known.
    what : str
        For errors.

    Raises
    ------
    ShapeError
        If they don't fit the series or each other.
    DataError
        If a value is not a finite number.
    """
    if columns is None:
        arrays = [np.zeros((length, 0)) for length in lengths]
    else:
        named = [(columns, what)] if one else [(values, f"{what}[{i}]") for i, values in enumerate(columns)]
        arrays = [as_numbers(values, where) for values, where in named]
    arrays = [values[:, None] if values.ndim == 1 else values for values in arrays]
    if len(arrays) != len(lengths):
        raise ShapeError(f"{what} is of {len(arrays)} series, expected {len(lengths)}.")
    for number, (values, length) in enumerate(zip(arrays, lengths, strict=True)):
        where = what if one else f"{what}[{number}]"
        _check(values, 2, where)
        expected = (length, arrays[0].shape[1] if count is None else count)
        if values.shape != expected:
            raise ShapeError(f"{where} has shape {values.shape}, expected {expected}.")
    return arrays


def _check(values: np.ndarray, dimensions: int, what: str) -> None:
    if values.ndim != dimensions:
        raise ShapeError(f"{what} has {values.ndim} dimensions, expected {dimensions}.")
    wrong = np.argwhere(~usable(values))
    if len(wrong):
        raise DataError(f"{what} is {values[tuple(wrong[0])]} at step {wrong[0][0]}; fill in what is missing.")
