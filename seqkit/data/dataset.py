"""What was read from a file: one series in time order, or many labelled sequences.

Legend: N sequences, T steps, F features, K targets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from seqkit.errors import DataError

LARGEST = 1e100
"""Larger numbers are refused: their squares could overflow."""


@dataclass(frozen=True)
class Series:
    """One column of numbers in time order.

    Attributes
    ----------
    name : str
        The data set, for messages.
    column : str
        Name of the column.
    values : ndarray of float64, shape (T,)
        Finite numbers, oldest first.
    index : tuple of str
        What each row is called: its date or year, else its number from 1.
    origin : str
        What the file is, for :meth:`describe`.
    """

    name: str
    column: str
    values: np.ndarray
    index: tuple[str, ...]
    origin: str

    def __repr__(self) -> str:
        return f"Series({self.name!r}, column {self.column!r}, {len(self.values)} values)"

    def describe(self) -> str:
        """What was understood of the file, for a person to check."""
        values = self.values
        return (
            f"{self.origin}\n"
            f"series: column {self.column!r}, {len(values)} values from {self.index[0]} to {self.index[-1]}, "
            f"min {values.min():.6g}, mean {values.mean():.6g}, max {values.max():.6g}"
        )


@dataclass(frozen=True)
class Sequences:
    """Sequences of different lengths with a class or with numbers to predict, or neither.

    Attributes
    ----------
    name : str
        The data set, for messages.
    x : list of ndarray of float64, each (T_i, F)
        Finite numbers.
    features : tuple of str
        Names of the F features.
    ids : tuple of str
        Names of the N sequences.
    origin : str
        What the file is, for :meth:`describe`.
    labels : tuple of str, optional
        The class of each sequence.
    targets : ndarray of float64, shape (N, K), optional
        The numbers that belong to each sequence.
    target_names : tuple of str
        Names of the K targets.
    """

    name: str
    x: list[np.ndarray]
    features: tuple[str, ...]
    ids: tuple[str, ...]
    origin: str
    labels: tuple[str, ...] | None = None
    targets: np.ndarray | None = None
    target_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        return f"Sequences({self.name!r}, {len(self)} of {len(self.features)} features: {shortened(self.features)})"

    def describe(self) -> str:
        """What was understood of the file, for a person to check."""
        lengths = [len(row) for row in self.x]
        steps = f"{min(lengths)}" if min(lengths) == max(lengths) else f"{min(lengths)} to {max(lengths)}"
        lines = [
            self.origin,
            f"sequences: {len(self)} of {steps} steps, {len(self.features)} features: {shortened(self.features)}",
        ]
        if self.labels is not None:
            counts = Counter(self.labels)
            named = [f"{name} ({counts[name]})" for name in sorted(counts)]
            lines.append(f"classes: {len(counts)}: {shortened(named)}")
        if self.targets is not None:
            lines.extend(
                f"target {name!r}: min {column.min():.6g}, mean {column.mean():.6g}, max {column.max():.6g}"
                for name, column in zip(self.target_names, self.targets.T, strict=True)
            )
        return "\n".join(lines)

    def select(self, rows: np.ndarray | Sequence[int]) -> Sequences:
        """These sequences only, in this order."""
        return replace(
            self,
            x=[self.x[row] for row in rows],
            ids=tuple(self.ids[row] for row in rows),
            labels=None if self.labels is None else tuple(self.labels[row] for row in rows),
            targets=None if self.targets is None else self.targets[np.asarray(rows, dtype=np.int64)],
        )

    def without(self, names: Sequence[str]) -> Sequences:
        """The same sequences without these features.

        Raises
        ------
        DataError
            If there is no such feature, or none would be left.
        """
        for name in names:
            require_known(name, self.features, f"{self.name}: feature")
        kept = [i for i, feature in enumerate(self.features) if feature not in names]
        if not kept:
            raise DataError(f"{self.name}: every feature is ignored; keep at least one of {shortened(self.features)}.")
        return replace(self, x=[row[:, kept] for row in self.x], features=tuple(self.features[i] for i in kept))


def usable(values: np.ndarray) -> np.ndarray:
    """Where values are numbers that can be computed with: not NaN, not infinite, not absurdly large."""
    return np.abs(values) <= LARGEST


def require_known(name: str, known: Sequence[str], what: str) -> None:
    """Raise DataError unless `name` is one of `known`; the message lists them."""
    if name not in known:
        raise DataError(f"{what} {name!r} does not exist; there are {shortened(known, 20)}.")


def apart(name: str, *taken: str) -> str:
    """The name of a column of true values, beside columns that have names of their own.

    Examples
    --------
    >>> apart("sales", "time", "forecast"), apart("time", "time", "forecast")
    ('sales', 'true time')
    """
    return f"true {name}" if name in taken else name


def read_bytes(path: Path) -> bytes:
    """The whole file.

    Raises
    ------
    DataError
        If it cannot be read or is empty.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the name and the permissions.") from None
    if not content.strip():
        raise DataError(f"{path}: the file is empty.")
    return content


def shortened(names: Sequence[str], most: int = 8) -> str:
    """Names separated by commas; the middle of a long list is left out."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])}, … {names[-1]}"


def as_written(text: str) -> str:
    """A text in which matplotlib finds no formula.

    Examples
    --------
    >>> print(as_written("from $5 to $10"))
    from \\$5 to \\$10
    """
    return text.replace("$", r"\$")
