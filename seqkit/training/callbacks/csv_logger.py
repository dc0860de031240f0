"""Results of every epoch in a CSV file."""

from __future__ import annotations

import csv
import os
from pathlib import Path

from seqkit.training.callbacks.base import Callback, make_folder
from seqkit.training.history import Logs


class CSVLogger(Callback):
    """Write a row for every epoch: its number and its results.

    Training that is resumed goes on with the same table: its rows are those of the history.

    Parameters
    ----------
    path : str or path-like
        The file; one that exists is replaced, and its folder is made if need be.
    separator : str
        What stands between two columns.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import seqkit
    >>> path = tempfile.mkdtemp() + "/epochs.csv"
    >>> model = seqkit.Sequential([seqkit.Dense(1)], seed=0)
    >>> model.compile("adam", "mse")
    >>> history = model.fit(np.ones((8, 2)), np.ones(8), epochs=2, callbacks=CSVLogger(path), verbose=0)
    >>> [line.split(",")[0] for line in Path(path).read_text().splitlines()]
    ['epoch', '0', '1']
    """

    def __init__(self, path: str | os.PathLike[str], separator: str = ",") -> None:
        self._path = path
        self._separator = separator

    def on_train_begin(self) -> None:
        self._begun = False
        make_folder(Path(self._path).parent, "CSVLogger")

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        history = self.model.history
        columns = [history.epoch, *(history.history[name] for name in logs)]
        rows = list(zip(*columns, strict=True))
        with open(self._path, "a" if self._begun else "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter=self._separator, lineterminator="\n")
            writer.writerows(rows[-1:] if self._begun else [("epoch", *logs), *rows])
        self._begun = True
