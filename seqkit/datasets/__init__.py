"""Public data sets, downloaded once, checked and kept, and local copies of them.

:func:`load` reads a data set by its name, :func:`names` lists them, :func:`info` tells where one
comes from and how it may be used, :func:`fetch` gives the folder with its files.  A data set is
looked for below the folder that ``SEQKIT_DATA`` names, then among those downloaded before
(``SEQKIT_CACHE``, or the user's folder for such files), and is then downloaded from its public
home.  Its files are compared with known checksums, wherever they are from.  With
``SEQKIT_OFFLINE`` nothing is downloaded.

The generators of made-up tasks are here, too: they need no files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seqkit.data.records import irregular_records
from seqkit.data.synthetic import (
    Synthetic,
    adding_problem,
    embedded_reber,
    spike_intervals,
    temporal_order,
    timed_spikes,
)
from seqkit.datasets import store
from seqkit.datasets.catalog import CATALOG
from seqkit.datasets.entry import Entry, Source
from seqkit.datasets.parts import Monitored, Parts
from seqkit.errors import DataError

__all__ = [
    "Entry",
    "Monitored",
    "Parts",
    "Source",
    "Synthetic",
    "adding_problem",
    "embedded_reber",
    "fetch",
    "find",
    "info",
    "irregular_records",
    "load",
    "names",
    "spike_intervals",
    "temporal_order",
    "timed_spikes",
]


def names() -> tuple[str, ...]:
    """Names of the data sets.

    Examples
    --------
    >>> "JapaneseVowels" in names()
    True
    """
    return tuple(CATALOG)


def info(name: str) -> Entry:
    """Where a data set comes from, its licence, whom to cite, its checksums; nothing is read.

    Parameters
    ----------
    name : str
        One of :func:`names`, in capitals or not.

    Raises
    ------
    DataError
        If the name is unknown.

    Examples
    --------
    >>> info("fsdd").licence
    'CC BY-SA 4.0'
    """
    found = next((entry for entry in CATALOG.values() if entry.name.lower() == name.lower()), None)
    if found is None:
        raise DataError(f"there is no data set {name!r}; there are {', '.join(CATALOG)}.")
    return found


def fetch(name: str) -> Path:
    """The folder with the files of a data set, which is downloaded if it is not here.

    Raises
    ------
    DataError
        If the name is unknown, the files cannot be had, or they are not the known ones.
    ConfigError
        If they must be downloaded and pooch is missing (``pip install 'seqkit[datasets]'``).

    Examples
    --------
    >>> (fetch("sunspots") / "sunspots.csv").exists()
    True
    """
    return store.fetch(info(name))


def find(name: str) -> Path | None:
    """The folder of a data set that is here already, or None; nothing is downloaded."""
    return store.find(info(name))


def load(name: str) -> Any:
    """Read a data set, which is downloaded if it is not here.

    Returns
    -------
    Parts of Sequences
        For labelled sequences (JapaneseVowels, BasicMotions, ItalyPowerDemand, GunPoint, fsdd) and
        music (jsb): ``train``, ``test`` and, where there is one, ``validation``.
    Parts of str
        For texts (tinyshakespeare).
    Series
        For series to forecast (airline, sunspots).
    tuple of Monitored
        For series with labelled anomalies (nab).

    Raises
    ------
    DataError, ConfigError
        As :func:`fetch`.

    Examples
    --------
    >>> load("sunspots").values[:3].tolist()
    [5.0, 11.0, 16.0]
    """
    return info(name).read(fetch(name))
