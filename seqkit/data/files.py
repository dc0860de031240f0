"""From a file name to data: which reader, which columns, where the test set is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from seqkit.data.csv_file import read_csv
from seqkit.data.dataset import Sequences, Series
from seqkit.data.npz_file import read_npz
from seqkit.data.parquet_file import read_parquet
from seqkit.data.table import Table
from seqkit.data.ts_file import read_ts
from seqkit.errors import DataError

TABLES = (".csv", ".tsv", ".txt", ".parquet")
ARCHIVES = (".npz", ".ts")


@dataclass(frozen=True)
class Embedded:
    """A data set that comes with seqkit, and how it is usually forecast."""

    file: str
    season: int
    holdout: int


EMBEDDED = {"sunspots": Embedded("sunspots.csv", season=11, holdout=60)}


@dataclass(frozen=True)
class Columns:
    """What the columns of a table, or the features of sequences, are for.

    Attributes
    ----------
    id : str, optional
        Groups the rows of a table into sequences.
    label, target : str, optional
        The class, or the number to predict.
    ignore : tuple of str
        Columns or features that are not used.
    features : tuple of str, optional
        Columns to use, where they are known from training data; then `label` and `target` may
        be missing.  Otherwise all others that hold numbers.
    """

    id: str | None = None
    label: str | None = None
    target: str | None = None
    ignore: tuple[str, ...] = ()
    features: tuple[str, ...] | None = None


def locate(name: str) -> Path:
    """The file of an embedded data set, or the file of this name.

    Raises
    ------
    DataError
        If there is no such file or its kind is unknown.

    Examples
    --------
    >>> locate("sunspots").name
    'sunspots.csv'
    """
    if name in EMBEDDED:
        return Path(__file__).with_name(EMBEDDED[name].file)
    path = Path(name)
    if path.is_dir():
        raise DataError(f"{name} is a folder; name a file in it, such as X_TRAIN.ts.")
    if not path.exists():
        raise DataError(f"there is no file {name!r}; embedded data sets are {', '.join(EMBEDDED)}.")
    if path.suffix.lower() not in TABLES + ARCHIVES:
        raise DataError(f"{name}: files of kind {path.suffix!r} are not known; use {', '.join(TABLES + ARCHIVES)}.")
    return path


def is_table(path: Path) -> bool:
    """Whether the file is a table of rows and columns; otherwise it holds sequences."""
    return path.suffix.lower() in TABLES


def companion(path: Path) -> Path | None:
    """The test set that lies beside a training set: ``X_TEST.ts`` for ``X_TRAIN.ts``."""
    stem = re.sub("(?<=_)TRAIN$", "TEST", path.stem)
    stem = re.sub("(?<=_)train$", "test", stem)
    beside = path.with_stem(stem)
    return beside if stem != path.stem and beside.exists() else None


def read_table(path: Path) -> Table:
    """The rows and columns of a file."""
    return (read_parquet if path.suffix.lower() == ".parquet" else read_csv)(path)


def read_series(path: Path, column: str | None = None) -> Series:
    """One column of a table in time order, see :meth:`Table.series`."""
    if not is_table(path):
        raise DataError(f"{path}: a forecast needs a table ({', '.join(TABLES)}), one row per point in time.")
    return read_table(path).series(column)


def read_sequences(path: Path, columns: Columns) -> tuple[Sequences, Sequences | None]:
    """The sequences of a file, and its test sequences if the file has its own.

    Raises
    ------
    DataError
        If the file cannot be read or lacks a column.
    """
    if is_table(path):
        return _grouped(read_table(path), columns), None
    train, test = read_npz(path) if path.suffix.lower() == ".npz" else (read_ts(path), None)
    return _chosen(train, columns), None if test is None else _chosen(test, columns)


def _grouped(table: Table, columns: Columns) -> Sequences:
    if columns.id is None:
        raise DataError(f"{table.name}: rows must be grouped into sequences; name the column that does so with --id.")
    label, target = columns.label, columns.target
    if columns.features is None:
        return table.sequences(columns.id, table.features([columns.id, label, target, *columns.ignore]), label, target)
    present = set(table.columns)
    return table.sequences(
        columns.id, columns.features, label if label in present else None, target if target in present else None
    )


def _chosen(sequences: Sequences, columns: Columns) -> Sequences:
    chosen = sequences.without(columns.ignore) if columns.ignore else sequences
    if columns.features is not None and chosen.features != columns.features:
        raise DataError(
            f"{sequences.name}: there are {len(chosen.features)} features, expected {len(columns.features)} "
            "as in the training data."
        )
    return chosen
