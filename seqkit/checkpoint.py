"""Model files: arrays and a description in one safetensors file.

The format
  A safetensors file.  Its metadata hold one entry, "seqkit", a JSON object: the description with
  "format_version" and "sha256", a checksum over the rest of the description and every array's
  name, type, shape and bytes.  Nothing in a file is ever executed.  Equal models give equal files.

Versions
  1: a model of layers.  2: a description with a "kind", which says what else the model is.
  A file has the lowest version that says what is in it, so that older versions of seqkit read it.

Reading
  The whole file is read and checked before anything is made of it.  It is not mapped into
  memory: a file that shrinks under a mapping kills the process, and saving a model over the
  file it came from would change the arrays.

Writing
  A new file beside the old one takes its place only when it is safely on the disk, so an
  interrupted or failing write leaves the old file as it was.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from seqkit.errors import ConfigError, LoadError
from seqkit.limits import parse_json, read_file
from seqkit.safetensors_header import read_header

FORMAT_VERSION = 2
"""The newest that is read; all older ones are, too."""
TEMPORARY = ".seqkit-*.tmp"
"""Names of files that are being written, or were when the process was killed."""


def write(path: str | os.PathLike[str], description: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write a model file, in one step that either happens or does not.

    Parameters
    ----------
    path : str or path-like
        Name of the file; one that exists is replaced and keeps its permissions.
    description : mapping
        Plain values that JSON can hold.
    arrays : mapping of str to ndarray
        Arrays of any layout.

    Raises
    ------
    ConfigError
        If the file would be one that :func:`read` refuses.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(folder + "/m.safetensors", {"units": 2}, {"w": np.arange(3.0)[::-1]})
    ...     description, arrays = read(folder + "/m.safetensors")
    >>> description["units"], arrays["w"].tolist()
    (2, [2.0, 1.0, 0.0])
    """
    # safetensors 0.8.0 writes the memory of a strided array as if it were contiguous.
    packed = {name: np.ascontiguousarray(array).reshape(np.shape(array)) for name, array in arrays.items()}
    versioned = {"format_version": 2 if "kind" in description else 1, **description}
    text = _json({**versioned, "sha256": _checksum(versioned, packed)})
    data = save(packed, {"seqkit": text})
    try:
        _description(data, path)
    except LoadError as error:  # what cannot be read again must not take the place of what can
        raise ConfigError(f"This model cannot be saved: {error}") from None
    replace(Path(path), data)


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Description and arrays of a model file.

    Raises
    ------
    LoadError
        If the file cannot be read, is damaged, is not a seqkit model, is newer than this seqkit, or has sizes that
        are none or more than :class:`seqkit.limits.Limits` allow.
    """
    data = read_file(path)
    description = _description(data, path)
    _check_version(description.get("format_version"), path)
    checksum = description.pop("sha256", None)
    try:
        arrays = load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise LoadError(f"{path}: the file is damaged ({error}); use another copy of it.") from None
    if _checksum(description, arrays) != checksum:
        raise LoadError(f"{path}: the checksum is wrong, the file is damaged or was edited; use another copy of it.")
    return description, arrays


def _description(data: bytes, path: str | os.PathLike[str]) -> dict[str, Any]:
    """What the checked header says of the model."""
    metadata, _ = read_header(data, str(path))
    if "seqkit" not in metadata:
        raise LoadError(
            f"{path}: not a seqkit model: the file has arrays and no description of a model. Models of other libraries "
            f"have to be converted."
        )
    description = parse_json(metadata["seqkit"].encode(), f"{path}: the description")
    if not isinstance(description, dict):
        raise LoadError(f"{path}: not a seqkit model: the description is no JSON object.")
    return description


def _check_version(version: Any, path: str | os.PathLike[str]) -> None:
    if type(version) is not int or not 1 <= version <= FORMAT_VERSION:
        raise LoadError(
            f"{path}: the file has format version {version!r:.20}, this seqkit reads 1 to {FORMAT_VERSION}; "
            f"update seqkit."
        )


def _checksum(description: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(_json(description).encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(_json([name, array.dtype.str, array.shape]).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _json(value: Any) -> str:
    """The one way to write a value: floats come back exactly, and NaN is refused."""
    return json.dumps(value, allow_nan=False)


def replace(path: Path, data: bytes) -> None:
    """Write a file, in one step that either happens or does not; one that exists keeps its permissions.

    What is no regular file, as /dev/null, is written to and stays what it is.
    """
    target = Path(os.path.realpath(path))  # a link stays a link
    if target.exists() and not target.is_file():
        target.write_bytes(data)
        return
    temporary = target.with_name(TEMPORARY.replace("*", secrets.token_hex(8)))
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_directory(target.parent)


def _sync_directory(folder: Path) -> None:
    """Make the new name last through a power cut; only POSIX systems can and need to."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
