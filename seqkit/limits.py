"""Budgets for files that somebody else wrote: sizes are believed only as far as bytes are really there."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass

from seqkit.errors import LoadError, UnsafeFileError


@dataclass(frozen=True)
class Limits:
    """What a reader takes at most; larger files are refused with a message that names the limit.

    Attributes
    ----------
    file : int
        Bytes of a file.
    text : int
        Bytes of a description: a header, a configuration.
    arrays : int
        Number of arrays; also of nodes of a graph.
    rank : int
        Dimensions of an array.
    depth : int
        Nesting of a description.
    ratio : int
        Times that something compressed grows, where it is more than a megabyte.
    """

    file: int = 16 << 30
    text: int = 16 << 20
    arrays: int = 100_000
    rank: int = 8
    depth: int = 64
    ratio: int = 100


LIMITS = Limits()


def read_file(path: str | os.PathLike[str], limit: int = LIMITS.file) -> bytes:
    """All bytes of a regular file of at most `limit` bytes.

    What is checked is the open file, not its name, and a pipe is refused instead of waited for.

    Raises
    ------
    LoadError
        If it cannot be read, is not a regular file, or is larger.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "f")
    ...     _ = path.write_bytes(b"abc")
    ...     read_file(path)
    b'abc'
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            data = _contents(descriptor, path, limit)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise LoadError(f"{path}: cannot be read ({error.strerror}); check the name and the permissions.") from error
    if len(data) > limit:  # it has grown meanwhile
        raise LoadError(f"{path}: the file has more than {limit} bytes, which are read at most.")
    return data


def _contents(descriptor: int, path: str | os.PathLike[str], limit: int) -> bytes:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise LoadError(f"{path}: not a regular file; give the name of a model file.")
    if status.st_size > limit:
        raise LoadError(f"{path}: the file has {status.st_size} bytes, at most {limit} are read.")
    with open(descriptor, "rb", closefd=False) as file:
        return file.read(status.st_size + 1)


def array_bytes(shape: Iterable[int], itemsize: int, owner: str, rank: int = LIMITS.rank) -> int:
    """Bytes of an array whose shape a file gives, without overflow.

    Raises
    ------
    UnsafeFileError
        If the shape is none: too many dimensions, or one that is not a whole number from 0 on.

    Examples
    --------
    >>> array_bytes((2, 3), 4, "w")
    24
    """
    sizes = tuple(shape)
    if len(sizes) > rank:
        raise UnsafeFileError(f"{owner}: an array of {len(sizes)} dimensions, expected at most {rank}.")
    if any(isinstance(size, bool) or not isinstance(size, int) or size < 0 for size in sizes):
        raise UnsafeFileError(f"{owner}: an array cannot have the shape {sizes!r:.200}.")
    return math.prod(sizes) * itemsize
