"""HDF5 files of strangers, read by a child process; see :mod:`seqkit.interop.keras.hdf5_child`.

What the child says is no more trusted than the file: it can be wrong, but it is numbers.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from threading import Timer
from typing import IO, Any

import numpy as np

from seqkit.errors import ConfigError, LoadError, UnsafeFileError
from seqkit.limits import LIMITS, Limits, array_bytes, parse_json

SIGNATURE = b"\x89HDF\r\n\x1a\n"
CHILD = Path(__file__).with_name("hdf5_child.py")
TYPES = frozenset(f"{end}{kind}" for kind in ("f2", "f4", "f8", "i2", "i4", "i8", "u2", "u4", "u8") for end in "<") | {
    "|i1",
    "|u1",
}
ENVIRONMENT = {"HDF5_PLUGIN_PRELOAD": "::", "HDF5_USE_FILE_LOCKING": "FALSE", "OPENBLAS_NUM_THREADS": "1"}
"""No plugins of the HDF5 library, no threads."""


@dataclass(frozen=True)
class Hdf5:
    """What a file holds.

    Attributes
    ----------
    texts : dict
        Attributes with names, versions and configurations, by the path of their group ("" is the root).
    arrays : dict of str to ndarray
        Data sets by path, as ``layers/lstm/cell/vars/0``.
    """

    texts: dict[str, dict[str, Any]]
    arrays: dict[str, np.ndarray]


def read_hdf5(data: bytes, owner: str, limits: Limits = LIMITS) -> Hdf5:
    """The texts and arrays of an HDF5 file.

    Parameters
    ----------
    data : bytes
        The file.
    owner : str
        Its name, for errors.

    Raises
    ------
    ConfigError
        If h5py is not installed.
    LoadError
        If it is damaged.
    UnsafeFileError
        If it has links, data in other files, filters other than gzip and shuffle, anything but plain numbers, or
        more than `limits` allow; or if reading crashes or does not come to an end.
    """
    if find_spec("h5py") is None:
        raise ConfigError(f"{owner}: h5py is needed to read HDF5 files; pip install 'seqkit[keras]'.")
    if not data.startswith(SIGNATURE):
        raise LoadError(f"{owner}: not an HDF5 file, it does not begin with the signature of one.")
    with _child(data, limits) as pipe:
        found = _header(pipe, owner, limits)
        arrays = dict(_arrays(pipe, found, len(data), owner, limits))
        if pipe.read(1):
            raise UnsafeFileError(f"{owner}: the HDF5 reader gave more than it announced; the file is not used.")
    return Hdf5(found["texts"], arrays)


@contextmanager
def _child(data: bytes, limits: Limits) -> Iterator[IO[bytes]]:
    """What the child writes about a file; it is gone afterwards, whatever happens."""
    paths = [path for path in sys.path if os.path.isabs(path)]
    command = [sys.executable, "-I", "-S", str(CHILD), json.dumps(asdict(limits)), *paths]
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT | kept,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    timer = Timer(20 + len(data) / 10e6, process.kill)  # its own limit on processor time comes first
    timer.start()
    try:
        with suppress(BrokenPipeError), process.stdin:
            process.stdin.write(data)
        yield process.stdout
    finally:
        timer.cancel()
        process.kill()
        process.stdout.close()
        process.wait()


def _header(pipe: IO[bytes], owner: str, limits: Limits) -> dict[str, Any]:
    line = pipe.readline(4 * limits.text)
    if not line.endswith(b"\n"):
        raise _crashed(owner)
    found = parse_json(line, owner)
    if not isinstance(found, dict):
        raise _crashed(owner)
    if "refused" in found:
        raise UnsafeFileError(f"{owner}: the HDF5 file is refused, {_plain(found['refused'])}.")
    if "damaged" in found:
        raise LoadError(f"{owner}: the HDF5 file is damaged ({_plain(found['damaged'])}); use another copy of it.")
    if not _has_form(found):
        raise _crashed(owner)
    return found


def _has_form(found: dict[str, Any]) -> bool:
    """Whether an answer is what a child that has not been taken over gives."""
    texts, arrays = found.get("texts"), found.get("arrays")
    if not isinstance(texts, dict) or not isinstance(arrays, dict):
        return False
    groups = [list(group.values()) if isinstance(group, dict) else [None] for group in texts.values()]
    words = [part for group in groups for value in group for part in (value if isinstance(value, list) else [value])]
    pairs = all(isinstance(entry, list) and len(entry) == 2 and isinstance(entry[1], list) for entry in arrays.values())
    return pairs and all(isinstance(word, str) for word in words)


def _crashed(owner: str) -> UnsafeFileError:
    return UnsafeFileError(f"{owner}: reading it as HDF5 crashed, or took too much time or memory; it is not used.")


def _plain(text: Any) -> str:
    """A text of the child, as one line of bounded length."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())[:300]


def _arrays(
    pipe: IO[bytes], found: dict[str, Any], nbytes: int, owner: str, limits: Limits
) -> Iterator[tuple[str, np.ndarray]]:
    room = (1 << 20) + limits.ratio * nbytes
    for name, (kind, shape) in found["arrays"].items():
        if not isinstance(kind, str) or kind not in TYPES:
            raise UnsafeFileError(f"{owner}: {_plain(name)!r} holds numbers of an unusual form.")
        dtype = np.dtype(kind)
        size = array_bytes(shape, dtype.itemsize, f"{owner}: {_plain(name)}")
        room -= size
        if room < 0:
            raise UnsafeFileError(f"{owner}: the arrays have more than {limits.ratio} times the bytes of the file.")
        numbers = pipe.read(size)
        if len(numbers) != size:
            raise _cut_off(numbers, owner)
        yield name, np.frombuffer(numbers, dtype, math.prod(shape)).reshape(shape)


def _cut_off(numbers: bytes, owner: str) -> LoadError:
    """Why numbers are missing: the child says so in place of them, or it is gone."""
    line = numbers.rsplit(b"\n", 2)[-2] if numbers.endswith(b"\n") else b""
    if line.startswith(b'{"damaged"'):
        return LoadError(f"{owner}: the HDF5 file is damaged, its numbers cannot be read; use another copy of it.")
    return _crashed(owner)
