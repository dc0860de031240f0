"""Where data sets lie: local copies, then those downloaded before, then their public homes."""

from __future__ import annotations

import os
from pathlib import Path

from seqkit.datasets import download
from seqkit.datasets.catalog import embedded_folder
from seqkit.datasets.entry import Entry
from seqkit.errors import ConfigError, DataError


def fetch(entry: Entry) -> Path:
    """The folder with the files of a data set, downloaded if need be.

    Raises
    ------
    DataError
        If a local copy is not what is known under this name, or the files cannot be downloaded.
    ConfigError
        If they must be downloaded and pooch is not installed.
    """
    if not entry.sources:
        return embedded_folder()
    own = local(entry)
    if own is not None:
        if entry.right(own):
            return own
        raise DataError(
            f"{entry.name}: the files in {own} are not the known ones (their SHA-256 differs); replace them, or take "
            "the folder out of SEQKIT_DATA and read the files by their own names."
        )
    kept = cached(entry)
    if kept is not None:
        return kept
    if os.environ.get("SEQKIT_OFFLINE"):
        raise DataError(
            f"{entry.name}: it is not here, and SEQKIT_OFFLINE forbids to download it; {download.by_hand(entry)}"
        )
    return download.into(cache(entry), entry)


def find(entry: Entry) -> Path | None:
    """The folder of a data set that is here already, or None."""
    if not entry.sources:
        return embedded_folder()
    return local(entry) or cached(entry)


def local(entry: Entry) -> Path | None:
    """The folder of a data set below SEQKIT_DATA, if it has all files."""
    root = os.environ.get("SEQKIT_DATA")
    folder = Path(root or "") / entry.folder
    return folder if root and entry.present(folder) else None


def cached(entry: Entry) -> Path | None:
    """The folder of a data set that was downloaded before; a damaged one counts as none."""
    try:
        folder = cache(entry)
    except ConfigError:
        return None
    return folder if entry.present(folder) and entry.right(folder) else None


def cache(entry: Entry) -> Path:
    """Where a data set is kept when it is downloaded: below SEQKIT_CACHE, or the user's folder for such files."""
    root = os.environ.get("SEQKIT_CACHE")
    return (Path(root) if root else Path(download.pooch(entry).os_cache("seqkit"))) / entry.folder
