"""Parquet files into a :class:`~seqkit.data.table.Table`, by whichever library of tables is installed."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from seqkit.data.dataset import shortened
from seqkit.data.table import Table
from seqkit.errors import DataError, words

LIBRARIES = ("pyarrow", "polars")


def read_parquet(path: Path) -> Table:
    """Read a table; its "lines" are its rows, counted from 1, and null is a missing value.

    Raises
    ------
    DataError
        If no library is installed that can, the file is damaged, or it has no rows or nested columns.
    """
    library = next((name for name in LIBRARIES if find_spec(name)), None)
    if library is None:
        raise DataError(
            f"{path}: Parquet files need pyarrow or Polars; pip install pyarrow, or save the table as .csv."
        )
    try:
        columns = dict(READERS[library](path))
    except Exception as error:  # of any kind: the libraries have their own
        raise DataError(f"{path}: the file is no Parquet file that can be read ({words(error)}).") from None
    if not columns or not next(iter(columns.values())):
        raise DataError(f"{path}: there are no rows.")
    nested = [name for name, cells in columns.items() if any(isinstance(cell, (list, dict)) for cell in cells)]
    if nested:
        raise DataError(f"{path}: a cell must be one value, and there are lists in {shortened(nested)}.")
    rows = [["" if cell is None else str(cell) for cell in row] for row in zip(*columns.values(), strict=True)]
    return Table(str(path), tuple(columns), rows, list(range(1, len(rows) + 1)), "Parquet")


def _by_pyarrow(path: Path) -> Iterator[tuple[str, list[Any]]]:
    table = import_module("pyarrow.parquet").read_table(path)
    yield from zip(table.column_names, (column.to_pylist() for column in table.columns), strict=True)


def _by_polars(path: Path) -> Iterator[tuple[str, list[Any]]]:
    yield from import_module("polars").read_parquet(path).to_dict(as_series=False).items()


READERS = {"pyarrow": _by_pyarrow, "polars": _by_polars}
