"""A table of text cells, and the series or sequences that it holds.

A cell becomes a number only when its column is used, so dates and remarks may stand beside
the numbers.  Every complaint names the line and the column.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from seqkit.data.dataset import LARGEST, Sequences, Series, require_known, shortened
from seqkit.errors import DataError

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})


def is_number(cell: str) -> bool:
    """Whether a cell is a finite number, of a size that can be computed with, with a decimal point.

    Examples
    --------
    >>> [is_number(cell) for cell in ("-1.5e3", " 7 ", "1,5", "1_000", "nan", "")]
    [True, True, False, False, False, False]
    """
    try:
        return abs(float(cell)) <= LARGEST and "_" not in cell
    except ValueError:
        return False


@dataclass(frozen=True)
class Table:
    """Named columns of text.

    Attributes
    ----------
    name : str
        The file, for messages.
    columns : tuple of str
        Names, all different.
    rows : list of list of str
        One list per row, as long as `columns`.
    lines : list of int
        The line of the file in which each row begins.
    layout : str
        Separator and header, for ``describe``.
    """

    name: str
    columns: tuple[str, ...]
    rows: list[list[str]]
    lines: list[int]
    layout: str

    def texts(self, column: str) -> list[str]:
        """The cells of a column."""
        require_known(column, self.columns, f"{self.name}: column")
        position = self.columns.index(column)
        return [row[position].strip() for row in self.rows]

    def numbers(self, column: str) -> np.ndarray:
        """The cells of a column as float64, (rows,).

        Raises
        ------
        DataError
            At the first cell that is missing or not a finite number.
        """
        cells = self.texts(column)
        for line, cell in zip(self.lines, cells, strict=True):
            if not is_number(cell):
                raise DataError(f"{self.name}, line {line}, column {column!r}: {_complaint(cell)}")
        return np.array(cells, dtype=np.float64)

    @cached_property
    def numeric(self) -> tuple[str, ...]:
        """The columns with at least one number."""
        return tuple(column for column in self.columns if any(map(is_number, self.texts(column))))

    @property
    def origin(self) -> str:
        """The file in one line."""
        kinds = [f"{column} ({'numbers' if column in self.numeric else 'text'})" for column in self.columns]
        return f"{self.name}: {len(self.rows)} rows, {self.layout}; columns {shortened(kinds)}"

    def series(self, column: str | None = None) -> Series:
        """One column in time order.

        The first column, if it is another one, names the rows if it is text or increases
        from row to row.  Without `column` there must be just one other column of numbers.

        Raises
        ------
        DataError
            If there is no such column, a choice is needed, time runs backwards, or a value is missing.
        """
        index = self._index(column)
        if column is None:
            column = self._only([name for name in self.numeric if name != index])
        values = self.numbers(column)
        names = [str(i) for i in range(1, len(values) + 1)] if index is None else self.texts(index)
        return Series(self.name, column, values, tuple(names), self.origin)

    def features(self, exclude: Sequence[str | None]) -> tuple[str, ...]:
        """Every column of numbers that is not excluded.

        Raises
        ------
        DataError
            If an excluded column does not exist or no column is left.
        """
        for name in exclude:
            if name is not None:
                require_known(name, self.columns, f"{self.name}: column")
        left = tuple(name for name in self.numeric if name not in exclude)
        if not left:
            listed = shortened(self.columns, 20)
            raise DataError(f"{self.name}: no column of numbers is left to learn from; columns are {listed}.")
        return left

    def sequences(
        self, id_column: str, features: Sequence[str], label: str | None = None, target: str | None = None
    ) -> Sequences:
        """The rows grouped by `id_column`, each group in the order of the file.

        Raises
        ------
        DataError
            If a column is missing or one sequence has two labels or targets.
        """
        groups = self._groups(id_column)
        values = np.stack([self.numbers(name) for name in features], axis=1)
        return Sequences(
            name=self.name,
            x=[values[rows] for rows in groups.values()],
            features=tuple(features),
            ids=tuple(groups),
            origin=f"{self.origin}; grouped by {id_column!r}",
            labels=None if label is None else tuple(self._constant(label, groups)),
            targets=None if target is None else self._targets(target, groups),
            target_names=() if target is None else (target,),
        )

    def _index(self, column: str | None) -> str | None:
        """The column that names the rows, if there is one."""
        first = self.columns[0]
        if first == column or len(self.columns) == 1:
            return None
        cells = self.texts(first)
        steps = list(pairwise(_times(cells)))
        if steps and all(later < earlier for earlier, later in steps):
            span = f"from {cells[0]} to {cells[-1]}"
            raise DataError(f"{self.name}: column {first!r} runs backwards {span}; sort the rows, oldest first.")
        increasing = bool(steps) and all(later > earlier for earlier, later in steps)
        return first if increasing or first not in self.numeric else None

    def _only(self, candidates: list[str]) -> str:
        if not candidates:
            cells = {cell for name in self.columns for cell in self.texts(name)}
            comma = any("," in cell and is_number(cell.replace(",", ".")) for cell in cells)
            hint = " (write decimals with a point)" if comma else ""
            listed = shortened(self.columns, 20)
            raise DataError(f"{self.name}: there is no column of numbers{hint}; columns are {listed}.")
        if len(candidates) > 1:
            raise DataError(
                f"{self.name}: {len(candidates)} columns hold numbers ({shortened(candidates, 20)}); "
                "choose one with --column, or, to fit sequences of rows, group them with --id."
            )
        return candidates[0]

    def _groups(self, id_column: str) -> dict[str, list[int]]:
        """Rows of each sequence, in the order in which the ids appear."""
        groups: dict[str, list[int]] = {}
        for row, name in enumerate(self._filled(id_column)):
            groups.setdefault(name, []).append(row)
        return groups

    def _filled(self, column: str) -> list[str]:
        """The cells of a column of which none may be missing."""
        cells = self.texts(column)
        for line, cell in zip(self.lines, cells, strict=True):
            if cell.lower() in MISSING:
                raise DataError(f"{self.name}, line {line}, column {column!r}: {_complaint(cell)}")
        return cells

    def _constant(self, column: str, groups: dict[str, list[int]]) -> list[str]:
        """The one value that each group has in a column."""
        cells = self._filled(column)
        for name, (first, *rest) in groups.items():
            for row in rest:
                if cells[row] != cells[first]:
                    raise DataError(
                        f"{self.name}, line {self.lines[row]}, column {column!r}: sequence {name!r} has {cells[row]!r} "
                        f"here and {cells[first]!r} in line {self.lines[first]}; a whole sequence must have one value."
                    )
        return [cells[rows[0]] for rows in groups.values()]

    def _targets(self, column: str, groups: dict[str, list[int]]) -> np.ndarray:
        self.numbers(column)  # names the line of what is not a number
        return np.array(self._constant(column, groups), dtype=np.float64)[:, None]


def _times(cells: list[str]) -> list[Any]:
    """What can be compared: numbers, or dates like 2008-12-31, which sort as text; else none."""
    if all(map(is_number, cells)):
        return [float(cell) for cell in cells]
    return cells if all(re.match(r"\d{4}-\d\d", cell) for cell in cells) else []


def _complaint(cell: str) -> str:
    if cell.lower() in MISSING:
        return f"the value is missing ({cell!r}); fill it in or remove the row."
    hint = " (write decimals with a point)" if is_number(cell.replace(",", ".")) else ""
    return f"{cell[:40]!r} is not a finite number of at most {LARGEST:g}{hint}."
