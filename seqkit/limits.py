"""Budgets for files that somebody else wrote: sizes are believed only as far as bytes are really there."""

from __future__ import annotations

import json
import math
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from seqkit.errors import ConfigError, LoadError, UnsafeFileError


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
    objects : int
        Bytes of a description as Python objects, estimated from above.
    ratio : int
        Times that something compressed grows, where it is more than a megabyte.
    """

    file: int = 16 << 30
    text: int = 16 << 20
    arrays: int = 100_000
    rank: int = 8
    depth: int = 64
    objects: int = 48 << 20
    ratio: int = 100


def limits_of(text: str) -> Limits:
    """The limits with those that a text changes, as ``SEQKIT_LIMITS`` does.

    Raises
    ------
    ConfigError
        If the text has another form, or there is no such limit.

    Examples
    --------
    >>> limits_of("ratio=1000 text=50000000").ratio
    1000
    """
    try:
        given = {name: int(number) for name, _, number in (part.partition("=") for part in text.split())}
        if min(given.values(), default=1) < 1:
            raise ValueError
        return replace(Limits(), **given)
    except (TypeError, ValueError):
        names = ", ".join(vars(Limits()))
        raise ConfigError(
            f"SEQKIT_LIMITS: expected positive numbers by name, as 'ratio=1000 text=50000000', got {text!r:.200}; "
            f"there are {names}."
        ) from None


LIMITS = limits_of(os.environ.get("SEQKIT_LIMITS", ""))


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
    data = _read(path, limit, None)
    if len(data) > limit:  # it has grown meanwhile
        raise LoadError(f"{path}: the file has more than {limit} bytes, which are read at most.")
    return data


def first_bytes(path: str | os.PathLike[str], count: int, limit: int = LIMITS.file) -> bytes:
    """The first `count` bytes of a file, or all it has; checked and refused as by :func:`read_file`."""
    return _read(path, limit, count)


def _read(path: str | os.PathLike[str], limit: int, count: int | None) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            return _contents(descriptor, path, limit, count)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise LoadError(f"{path}: cannot be read ({error.strerror}); check the name and the permissions.") from error


def _contents(descriptor: int, path: str | os.PathLike[str], limit: int, count: int | None) -> bytes:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise LoadError(f"{path}: not a regular file; give the name of a model file.")
    if status.st_size > limit:
        raise LoadError(f"{path}: the file has {status.st_size} bytes, at most {limit} are read.")
    with open(descriptor, "rb", closefd=False) as file:
        return file.read(status.st_size + 1 if count is None else count)


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


_COST = {b",": 32, b":": 128, b'"': 32, b"[": 88, b"{": 240}
"""Bytes that CPython takes at most for what each of these characters begins or ends."""
_BRACKETS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
"""Strings, so that what is in them is passed over, and brackets; never goes back, however long a string is."""
_DIGITS = 40
"""Of a whole number: enough for 128 bits, as in states of random generators."""


def parse_json(data: bytes, owner: str, limits: Limits = LIMITS) -> Any:
    """The value of a JSON text (RFC 8259) that somebody else wrote.

    Stricter than the json module: UTF-8 only, no NaN or infinity, no whole number of more than 40 digits, no key
    twice in an object, no half of a surrogate pair. Size, nesting and memory are bounded before anything is parsed.

    Parameters
    ----------
    data : bytes
        The text.
    owner : str
        What it is, for errors: a file, and a part of it.
    limits : Limits
        `text`, `depth` and `objects` count.

    Raises
    ------
    UnsafeFileError
        If it is larger or deeper than `limits`.
    LoadError
        If it is not such a text.

    Examples
    --------
    >>> parse_json(b'{"units": 3}', "config.json")
    {'units': 3}
    >>> parse_json(b'{"units": 3, "units": 4}', "config.json")
    Traceback (most recent call last):
        ...
    seqkit.errors.LoadError: config.json: not a JSON text that can be used (the key 'units' stands twice in an object).
    """
    _check_text(data, owner, limits)
    try:
        value = json.loads(
            data.decode(),
            parse_int=_whole,
            parse_float=_finite,
            parse_constant=_no_constant,
            object_pairs_hook=_object,
        )
        if b"\\ud" in data.lower():  # half a surrogate pair can be neither printed nor written again
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise LoadError(f"{owner}: not a JSON text that can be used ({error}).") from None
    return value


def _check_text(data: bytes, owner: str, limits: Limits) -> None:
    if len(data) > limits.text:
        raise UnsafeFileError(f"{owner}: a text of {len(data)} bytes, expected at most {limits.text}.")
    wide = 0 if data.isascii() else 3 * len(data)  # one other character makes all of them wide
    if wide + sum(cost * data.count(character) for character, cost in _COST.items()) > limits.objects:
        raise UnsafeFileError(f"{owner}: a text of more values than fit into {limits.objects} bytes of memory.")
    depth = 0
    for match in _BRACKETS.finditer(data):
        bracket = data[match.start()]
        depth += (bracket in b"[{") - (bracket in b"]}")
        if depth > limits.depth:
            raise UnsafeFileError(f"{owner}: a text that is nested deeper than {limits.depth} levels.")


def _whole(text: str) -> int:
    if len(text) > _DIGITS:
        raise ValueError(f"a whole number of {len(text)} digits")
    return int(text)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text:.40} is too large")
    return value


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError(f"the key {twice!r:.80} stands twice in an object")
    return value
