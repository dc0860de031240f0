"""Sequences out of tables of pandas, Polars, Arrow and others.

Legend: N sequences, T steps, F features, K targets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit.data.dataset import Sequences, shortened, usable
from seqkit.errors import ConfigError, DataError, words

if TYPE_CHECKING:
    import narwhals as nw


def sequences_from_frame(
    frame: Any,
    group: str | None = None,
    features: str | Sequence[str] | None = None,
    *,
    time: str | None = None,
    target: str | Sequence[str] | None = None,
    label: str | None = None,
) -> Sequences:
    """The rows of a table as sequences, one for each value of a column.

    Parameters
    ----------
    frame : pandas.DataFrame, polars.DataFrame, pyarrow.Table, or any other that narwhals reads
        One row for each step.
    group : str, optional
        The column that says to which sequence a row belongs; without it, all rows are one sequence.  Sequences come in
        the order in which their groups first appear, and rows keep their order.
    features : str or sequence of str, optional
        The columns of numbers that become features, in this order; by default all that are not named otherwise.
    time : str, optional
        The column by which the rows of each sequence are sorted; rows of the same time keep their order.
    target : str or sequence of str, optional
        Columns of numbers that belong to whole sequences: ``.targets`` (N, K).
    label : str, optional
        The column with the class of each sequence: ``.labels``, as text.

    Returns
    -------
    Sequences
        ``.x`` is a list of N float64 arrays (T_i, F), as models take it; ``.ids`` has the groups as text.

    Raises
    ------
    DataError
        If a column does not exist or holds no numbers, a value is missing or not finite, or a target or label is not
        the same in all rows of a sequence; the message names column and row, counted from 0.
    ConfigError
        If narwhals is not installed.

    Notes
    -----
    Values for every step are features of their own: ``sequences_from_frame(frame, "id", ["load"]).x`` is a list of
    (T_i, 1) arrays, as ``fit`` takes them for a model that gives something at every step.

    Examples
    --------
    >>> import pandas as pd
    >>> frame = pd.DataFrame({"id": ["b", "a", "b"], "hour": [2, 1, 1], "load": [0.5, 0.1, 0.4]})
    >>> data = sequences_from_frame(frame, "id", time="hour")
    >>> data.ids, [x.tolist() for x in data.x]
    (('b', 'a'), [[[0.4], [0.5]], [[0.1]]])
    """
    table = _Table(frame)
    targets = _names(target or ())
    chosen = table.features(None if features is None else _names(features), [group, time, label, *targets])
    codes, ids = table.groups(group)
    order = np.lexsort((np.zeros(len(codes)) if time is None else table.ranks(time), codes))  # stable
    values = np.stack([table.numbers(name) for name in chosen], axis=1)[order]
    first = np.unique(codes, return_index=True)[1]
    return Sequences(
        name=table.kind,
        x=np.split(values, np.cumsum(np.bincount(codes))[:-1]),
        features=tuple(map(str, chosen)),
        ids=ids,
        origin=f"{table.kind} of {len(codes)} rows" + (f"; grouped by {group!r}" if group else ""),
        labels=None if label is None else tuple(map(str, table.constant(label, table.cells(label), codes, first))),
        targets=table.targets(targets, codes, first) if targets else None,
        target_names=tuple(map(str, targets)),
    )


def _names(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


class _Table:
    """A table of any library, whose columns are asked for with complaints."""

    def __init__(self, frame: Any) -> None:
        self.kind = f"{type(frame).__module__.partition('.')[0]} {type(frame).__name__}"
        try:
            import narwhals as nw
        except ImportError:
            raise ConfigError(
                "sequences_from_frame: tables are read with narwhals; pip install 'seqkit[frames]'."
            ) from None
        try:
            self.frame: nw.DataFrame[Any] = nw.from_native(frame, eager_only=True)
        except Exception as error:
            raise DataError(
                f"sequences_from_frame: a {self.kind} is no table that can be read ({words(error)}); give a DataFrame "
                f"of pandas or Polars or a Table of Arrow, and collect() what is lazy."
            ) from None
        if len(self.frame) == 0:
            raise DataError(f"{self.kind}: the table has no rows.")

    def features(self, names: tuple[str, ...] | None, others: Iterable[str | None]) -> tuple[str, ...]:
        """The names that were asked for, or all but the others."""
        used = [name for name in others if name is not None]
        for name in (*used, *(names or ())):
            if name not in self.frame.columns:
                known = shortened([str(column) for column in self.frame.columns], 20)
                raise DataError(f"{self.kind}: column {name!r} does not exist; there are {known}.")
        chosen = tuple(name for name in self.frame.columns if name not in used) if names is None else names
        if not chosen:
            raise DataError(f"{self.kind}: no column is left to learn from; name some as features.")
        return chosen

    def cells(self, name: str) -> list[Any]:
        """A column of which no value may be missing, as Python objects."""
        cells = self.frame.get_column(name).to_list()
        row = next((row for row, cell in enumerate(cells) if cell is None or cell != cell), None)  # NaN, NaT
        if row is not None:
            raise DataError(
                f"{self.kind}: column {name!r}, row {row}: the value is missing; fill it in or drop the row."
            )
        return cells

    def numbers(self, name: str) -> np.ndarray:
        """A column as float64, all of it finite."""
        import narwhals as nw

        column = self.frame.get_column(name)
        if not (column.dtype.is_numeric() or column.dtype == nw.Boolean):
            raise DataError(
                f"{self.kind}: column {name!r} holds {column.dtype}, not numbers; convert it, or name the columns to "
                f"use as features."
            )
        values = np.asarray(column.cast(nw.Float64).to_numpy(), np.float64)
        wrong = np.flatnonzero(~usable(values))  # NaN is missing, whatever the library calls it
        if wrong.size:
            raise DataError(
                f"{self.kind}: column {name!r}, row {wrong[0]}: {values[wrong[0]]} is missing or not a finite number; "
                f"fill it in or drop the row."
            )
        return values

    def groups(self, name: str | None) -> tuple[np.ndarray, tuple[str, ...]]:
        """The number of each row's sequence, and what the sequences are called."""
        if name is None:
            return np.zeros(len(self.frame), np.int64), ("all",)
        codes, groups = self._numbered(name, dict.fromkeys)
        return codes, tuple(map(str, groups))

    def ranks(self, name: str) -> np.ndarray:
        """Numbers that sort like the values of a column."""
        values = self.frame.get_column(name).to_numpy()
        if (
            values.dtype.kind in "iubfmM" and not np.isnan(values).any()
        ):  # the fast way; others are looked at one by one
            return values
        return self._numbered(name, lambda cells: sorted(set(cells)))[0]

    def _numbered(self, name: str, ordered: Callable[[list[Any]], Iterable[Any]]) -> tuple[np.ndarray, list[Any]]:
        """Each cell as its place among the different values, and these, in the order that is asked for."""
        cells = self.cells(name)
        try:
            places = {cell: place for place, cell in enumerate(ordered(cells))}
        except TypeError as error:
            raise DataError(
                f"{self.kind}: column {name!r} has values without an order or a hash ({words(error)})."
            ) from None
        return np.array([places[cell] for cell in cells]), list(places)

    def constant(self, name: str, cells: Sequence[Any], codes: np.ndarray, first: np.ndarray) -> list[Any]:
        """The one value that each sequence has in a column."""
        values = [cells[row] for row in first]
        for row, (cell, code) in enumerate(zip(cells, codes, strict=True)):
            if cell != values[code]:
                raise DataError(
                    f"{self.kind}: column {name!r}, row {row}: {cell!r} here and {values[code]!r} in row {first[code]} "
                    f"of the same sequence, which must have one value."
                )
        return values

    def targets(self, names: Sequence[str], codes: np.ndarray, first: np.ndarray) -> np.ndarray:
        """Targets (N, K)."""
        columns = [self.constant(name, self.numbers(name).tolist(), codes, first) for name in names]
        return np.array(columns, np.float64).T
