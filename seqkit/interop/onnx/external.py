"""Tensors in files beside the model: read from regular files inside the model's own folder and from nowhere else.

A model file names these files, so whoever wrote it would choose what is read.  Folders are opened one inside another
and no link is followed; what is checked is the open file, not its name, so that nobody can change it in between; a file
with a second name may be one from elsewhere.  All tensors together take no more bytes than the file has.

Source of the format: "External Data", github.com/onnx/onnx, docs/ExternalData.md.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from pathlib import Path

from seqkit.errors import LoadError, UnsafeFileError
from seqkit.interop.onnx.wire import Record
from seqkit.limits import LIMITS

KEYS = {"location", "offset", "length", "checksum"}


class ExternalFiles:
    """The folder of a model, None where there is only its text."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._read: Counter[tuple[int, int]] = Counter()

    def read(self, entries: list[Record], nbytes: int, owner: str) -> bytearray:
        """The bytes of a tensor.

        Raises
        ------
        UnsafeFileError
            If the place is outside of the folder or the file, or the file is not a regular one with one name.
        LoadError
            If there is no such file, or no folder is known.
        """
        place = _place(entries, owner)
        location = place["location"]
        owner = f"{owner}: its numbers in {location!r:.200}"
        parts = _parts(location, owner)
        offset, length = _number(place, "offset", 0, owner), _number(place, "length", nbytes, owner)
        if length != nbytes:
            raise UnsafeFileError(f"{owner} are {length} bytes, the shape needs {nbytes}.")
        if self.folder is None:
            raise LoadError(f"{owner} cannot be read from the bytes of the model alone; give the path of its file.")
        try:
            descriptor = _open(self.folder, parts)
        except OSError as error:
            raise LoadError(
                f"{owner} cannot be read ({error.strerror}); they must be in a regular file inside the model's "
                "folder, not reached through links."
            ) from error
        try:
            self._check(os.fstat(descriptor), offset, nbytes, owner)
            return _bytes_at(descriptor, offset, nbytes, owner)
        finally:
            os.close(descriptor)

    def _check(self, status: os.stat_result, offset: int, nbytes: int, owner: str) -> None:
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            raise UnsafeFileError(f"{owner} are not in a regular file with one name; copy it into the model's folder.")
        read = self._read
        read[status.st_dev, status.st_ino] += nbytes
        if status.st_size > LIMITS.file:
            raise LoadError(f"{owner} are in a file of {status.st_size} bytes, at most {LIMITS.file} are read.")
        if offset + nbytes > status.st_size or read[status.st_dev, status.st_ino] > status.st_size:
            raise UnsafeFileError(
                f"{owner} are {nbytes} bytes from {offset} on, the file has {status.st_size} for all tensors together."
            )


def _place(entries: list[Record], owner: str) -> dict[str, str]:
    place = {entry.get("key", ""): entry.get("value", "") for entry in entries}
    if len(place) != len(entries) or not {"location"} <= place.keys() <= KEYS:
        raise UnsafeFileError(
            f"{owner}: external data have the keys {sorted(entry.get('key', '') for entry in entries)!r:.200}, "
            f"expected location and at most {sorted(KEYS)}, each once."
        )
    return place


def _parts(location: str, owner: str) -> list[str]:
    parts = location.removeprefix("./").split("/")
    if any(part in ("", ".", "..") for part in parts) or any(letter in location for letter in "\\:\0"):
        raise UnsafeFileError(f"{owner} would be outside of the model's folder; only files inside it are read.")
    return parts


def _number(place: dict[str, str], key: str, default: int, owner: str) -> int:
    text = place.get(key, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise UnsafeFileError(f"{owner}: {key} is {text!r:.50}, expected a number from 0 on.")
    return int(text)


def _open(folder: Path, parts: list[str]) -> int:
    """A descriptor of the file; every folder on the way is opened inside the one before."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for part in parts:
        last = part is parts[-1]
        try:
            inside = os.open(part, flags if last else flags | os.O_DIRECTORY, dir_fd=at)
        finally:
            os.close(at)
        at = inside
    return at


def _bytes_at(descriptor: int, offset: int, nbytes: int, owner: str) -> bytearray:
    data = bytearray(nbytes)
    view, done = memoryview(data), 0
    while done < nbytes:
        count = os.preadv(descriptor, [view[done:]], offset + done)
        if count == 0:
            raise LoadError(f"{owner} became fewer while they were read; try again.")
        done += count
    return data
