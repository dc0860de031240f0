"""What is known of a data set before it is read: where it comes from, whose it is, and its checksums."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Source:
    """Files that come from one address.

    Attributes
    ----------
    url : str
        A file, or an archive (.zip, .tar.gz) that holds the files and perhaps others.
    sha256 : str
        Of the file; of several, of what ``LC_ALL=C sha256sum FILES`` prints.
    files : tuple of str
        Their names below the data set's folder, in the order of their characters' numbers.
    inside : str
        The folder of the archive that they lie in.
    """

    url: str
    sha256: str
    files: tuple[str, ...]
    inside: str = ""

    @property
    def is_archive(self) -> bool:
        """Whether files must be taken out of what is downloaded."""
        return self.url.endswith((".zip", ".tar.gz"))

    def present(self, folder: Path) -> bool:
        """Whether all files lie in a folder, whatever they hold."""
        return all((folder / name).is_file() for name in self.files)

    def right(self, folder: Path) -> bool:
        """Whether the files of a folder are the known ones."""
        return checksum(folder, self.files) == self.sha256


@dataclass(frozen=True)
class Entry:
    """A data set of the catalogue.

    Attributes
    ----------
    name, title : str
    task : str
        What it is used for.
    folder : str
        Its folder below that of all data sets.
    sources : tuple of Source
        Addresses and checksums; none where the data come with seqkit.
    home, licence, citation : str
        The page of the data set, how it may be used, and whom to cite.
    read : callable
        Makes of the folder what :func:`seqkit.datasets.load` gives.
    fits : str or None
        The file that ``seqkit fit NAME`` reads, where it can.
    season, holdout : int or None
        Of a series: values of a period, and how many last ones are usually held out.
    note : str
        What is good to know.
    """

    name: str
    title: str
    task: str
    folder: str
    sources: tuple[Source, ...]
    home: str
    licence: str
    citation: str
    read: Callable[[Path], Any]
    fits: str | None = None
    season: int | None = None
    holdout: int | None = None
    note: str = ""

    def present(self, folder: Path) -> bool:
        """Whether a folder has all files of the data set."""
        return all(source.present(folder) for source in self.sources)

    def right(self, folder: Path) -> bool:
        """Whether the files of a folder are the known ones."""
        return all(source.right(folder) for source in self.sources)


def checksum(folder: Path, files: tuple[str, ...]) -> str:
    """SHA-256 of a file, or of the list of checksums of several, as ``sha256sum`` writes it.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "a").write_bytes(b"abc")
    >>> checksum(folder, ("a",))[:16]
    'ba7816bf8f01cfea'
    """
    sums = [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files]
    if len(sums) == 1:
        return sums[0]
    listing = "".join(f"{value}  {name}\n" for value, name in zip(sums, files, strict=True))
    return hashlib.sha256(listing.encode()).hexdigest()
