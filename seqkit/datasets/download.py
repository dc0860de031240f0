"""Downloads that are whole and right, or leave nothing behind.

Files arrive in a folder of their own, are taken out of their archive, compared with the known
checksum, and only then moved to their place, one by one and at once.  Two processes that want the
same files at the same time download them twice and disturb each other in nothing.
"""

from __future__ import annotations

import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

from seqkit.datasets.entry import Entry, Source
from seqkit.errors import ConfigError, DataError, words

TIMEOUT = 30.0
"""Seconds that a server may be silent."""
LARGEST = 1 << 28
"""Bytes that a file of an archive may have."""
ATTEMPTS = 2
ARRIVING = ".download"
FAILURES = (OSError, EOFError, zlib.error, tarfile.TarError, zipfile.BadZipFile)
"""What a server or an archive may do; the errors of requests are OSErrors."""


def pooch(entry: Entry) -> Any:
    """The library that downloads."""
    try:
        import pooch as library
    except ImportError:
        raise ConfigError(
            f"{entry.name}: to download data sets needs pooch; install it with: pip install 'seqkit[datasets]', or "
            f"{by_hand(entry)}"
        ) from None
    return library


def by_hand(entry: Entry) -> str:
    """What to do where nothing can be downloaded."""
    return (
        f"set SEQKIT_DATA to the folder that holds {entry.folder} with its files "
        f"(`seqkit datasets show {entry.name}` says where they are from)."
    )


def into(folder: Path, entry: Entry) -> Path:
    """Download the files of a data set into a folder.

    Raises
    ------
    DataError
        If the server gives something else, or nothing, or the folder cannot be written to.
    """
    library = pooch(entry)
    library.get_logger().info("%s: licence: %s; please cite: %s", entry.name, entry.licence, entry.citation)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".arriving-", dir=folder) as arrived:
            for source in entry.sources:
                _arrive(Path(arrived), source, entry, library)
            for source in entry.sources:
                _move(Path(arrived), folder, source)
    except PermissionError as error:
        raise DataError(
            f"{entry.name}: {error.filename or folder} cannot be written; set SEQKIT_CACHE to another folder, or "
            f"{by_hand(entry)}"
        ) from None
    return folder


def _arrive(folder: Path, source: Source, entry: Entry, library: Any) -> None:
    """Download from one address and check what came."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _take_apart(_download(folder, source, library), folder, source)
            break
        except PermissionError:
            raise
        except FAILURES as error:
            if attempt == ATTEMPTS:
                reason = f"{source.url} gave no usable file: {words(error)}"
                raise DataError(f"{entry.name}: {reason}; {by_hand(entry)}") from None
    if not source.right(folder):
        raise DataError(
            f"{entry.name}: what {source.url} gives is not what it was (its SHA-256 differs), and nothing of it is "
            f"kept; {by_hand(entry)}"
        )


def _download(folder: Path, source: Source, library: Any) -> Path:
    file = folder / ARRIVING
    library.get_logger().info("downloading %s", source.url)
    library.HTTPDownloader(timeout=TIMEOUT)(source.url, str(file), None)
    return file


def _take_apart(file: Path, folder: Path, source: Source) -> None:
    """Put the files of what was downloaded into a folder."""
    for name in source.files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    if not source.is_archive:
        file.rename(folder / source.files[0])
        return
    prefix = f"{source.inside}/" if source.inside else ""
    with zipfile.ZipFile(file) if source.url.endswith(".zip") else tarfile.open(file) as archive:
        for name in source.files:
            (folder / name).write_bytes(_member(archive, prefix + name))
    file.unlink()


def _member(archive: zipfile.ZipFile | tarfile.TarFile, name: str) -> bytes:
    """What a file of an archive holds; what is not there or not plainly a file is an OSError."""
    try:
        opened = archive.open(name) if isinstance(archive, zipfile.ZipFile) else archive.extractfile(name)
    except KeyError:
        opened = None
    if opened is None:
        raise FileNotFoundError(f"the archive holds no file {name}")
    with opened as member:
        content = member.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise OSError(f"{name} of the archive is larger than {LARGEST} bytes")
    return content


def _move(arrived: Path, folder: Path, source: Source) -> None:
    """Move files to their place, over what may be there."""
    for name in source.files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (arrived / name).replace(folder / name)
