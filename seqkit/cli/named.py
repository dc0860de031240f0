"""What is meant by the DATA of a command: a file, or the name of a data set."""

from __future__ import annotations

import difflib
from pathlib import Path

from seqkit import datasets
from seqkit.data.files import companion, locate
from seqkit.datasets import Entry
from seqkit.errors import DataError


def dataset(name: str) -> Entry | None:
    """The data set of this name, unless it is the name of a file."""
    if Path(name).exists() or name.lower() not in map(str.lower, datasets.names()):
        return None
    return datasets.info(name)


def training_file(name: str) -> Path:
    """The file to learn from.

    Raises
    ------
    DataError
        If there is no such file or data set, or it is one for a program of its own.
    """
    entry = dataset(name)
    if entry is None:
        return _file(name)
    if entry.fits is None:
        able = ", ".join(one for one in datasets.names() if datasets.info(one).fits)
        raise DataError(
            f"{entry.name} is for {entry.task}, which is no task of this command; read it by "
            f"seqkit.datasets.load({entry.name!r}), or choose one of {able}."
        )
    return datasets.fetch(entry.name) / entry.fits


def measured_file(name: str) -> Path:
    """The file to apply a model to: that of the test set where a data set has one."""
    path = training_file(name)
    return path if dataset(name) is None else companion(path) or path


def _file(name: str) -> Path:
    if not Path(name).suffix and not Path(name).exists():
        close = difflib.get_close_matches(name.lower(), map(str.lower, datasets.names()), n=1)
        hint = f"; did you mean {close[0]!r}?" if close else "."
        raise DataError(
            f"there is no file {name!r} and no data set of this name{hint} There are {', '.join(datasets.names())}."
        )
    return locate(name)
