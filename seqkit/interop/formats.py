"""The formats of model files: how each is told from the others, and who reads and writes it.

A file is known by what is in it, not by its name.  The table asks those first that have a mark of their own.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from seqkit.errors import ConfigError, LoadError
from seqkit.interop.imported import Imported
from seqkit.limits import first_bytes

HEAD = 1 << 12
"""Bytes that tell formats from each other."""


@dataclass(frozen=True)
class Format:
    """One format that is read.

    Attributes
    ----------
    name : str
        What it is called on the command line.
    title : str
        For people.
    marked : callable
        Whether a file that begins with these bytes is one, where no format before it in the table is.
    reader : str
        "module:function" of what gives an :class:`~seqkit.interop.imported.Imported` of a path.
    options : tuple of str
        Keywords that the function takes.
    """

    name: str
    title: str
    marked: Callable[[bytes], bool]
    reader: str
    options: tuple[str, ...] = ()


def _safetensors(head: bytes) -> bool:
    """The length of a header, whose object begins behind it."""
    return head[8:9] == b"{"


def _native(head: bytes) -> bool:
    """The only metadata that we write, which come first."""
    return _safetensors(head) and head[8:].startswith(b'{"__metadata__":{"seqkit":')


def _first_member(head: bytes) -> str | None:
    """Name of the first file in a zip archive (its local header: PKWARE's APPNOTE 4.3.7)."""
    if len(head) < 30 or not head.startswith(b"PK\x03\x04"):
        return None
    (length,) = struct.unpack_from("<H", head, 26)
    return head[30 : 30 + length].decode("utf-8", "replace")


def _keras(head: bytes) -> bool:
    """HDF5, or an archive whose files lie in no folder of its own, as PyTorch's do."""
    member = _first_member(head)
    return head.startswith(b"\x89HDF\r\n\x1a\n") or (member is not None and "/" not in member)


def _torch(head: bytes) -> bool:
    """Arrays alone, an archive, or a pickle, which PyTorch wrote until version 1.6."""
    return _safetensors(head) or _first_member(head) is not None or head[:1] == b"\x80"


def _json(head: bytes) -> bool:
    return head.lstrip(b" \t\r\n")[:1] == b"{"


def _onnx(head: bytes) -> bool:
    """No mark, but the tag of a field of ModelProto that files begin with: ir_version, producer, graph, opset."""
    return head[:1] in (b"\x08", b"\x12", b"\x1a", b"\x3a", b"\x42")


TORCH = ("mapping", "prefix", "key", "nonlinearity", "dropout", "return_sequences", "dtype")
"""What a state dict does not tell by itself."""

FORMATS = (
    Format("native", "seqkit model", _native, "seqkit.interop.native:read"),
    Format("keras", "Keras model", _keras, "seqkit.interop.keras:read"),
    Format("torch", "PyTorch state dict", _torch, "seqkit.interop.torch:read", TORCH),
    Format("rtneural", "RTNeural model", _json, "seqkit.interop.rtneural:read", ("dtype", "prefix", "mapping")),
    Format("onnx", "ONNX model", _onnx, "seqkit.interop.onnx:read"),
)

WRITERS = {
    ".safetensors": ("seqkit.interop.native:save", ()),
    ".onnx": ("seqkit.interop.onnx.export:to_onnx", ("opset", "lengths", "states")),
    ".json": ("seqkit.interop.rtneural:to_rtneural", ()),
}
"""Who writes a file of this ending, and the keywords it takes."""


def find(path: str | os.PathLike[str], name: str | None = None) -> Format:
    """The format of a file, or the one called `name`.

    Raises
    ------
    LoadError
        If the file is of none.
    ConfigError
        If there is no format of this name.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "model")
    ...     _ = path.write_bytes(b'{"in_shape": [null, null, 1], "layers": []}')
    ...     find(path).title
    'RTNeural model'
    """
    if name is not None:
        for format in FORMATS:
            if format.name == name:
                return format
        raise ConfigError(f"there is no format {name!r}; choose one of {', '.join(known.name for known in FORMATS)}.")
    head = first_bytes(path, HEAD)
    for format in FORMATS:
        if format.marked(head):
            return format
    titles = ", ".join(f"{format.title} ({format.name})" for format in FORMATS)
    raise LoadError(f"{path}: not a model file that is known here; the formats are {titles}.")


def read(path: str | os.PathLike[str], format: str | None = None, **options: Any) -> Imported:
    """A model from a file of any format, with everything that proves that it is the same model.

    Parameters
    ----------
    path : str or path-like
    format : str, optional
        Name of the format, where it is not to be found from the content.
    **options
        What the reader of the format takes: `mapping`, `prefix` and others of a PyTorch state dict.

    Raises
    ------
    LoadError
        If the file is damaged or of no known format; UnsafeFileError if it is made to do harm.
    ConvertError
        If the model cannot be represented exactly; the message says what of it.
    """
    found = find(path, format)
    for option in options:
        if option not in found.options:
            raise ConfigError(f"{path} ({found.title}): there is no {option} to choose in this format.")
    imported: Imported = _function(found.reader)(path, **options)
    return imported


def load(path: str | os.PathLike[str], format: str | None = None, **options: Any) -> Any:
    """A model from a file of any format; see :func:`read` for the arguments and errors.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import seqkit
    >>> model = seqkit.Sequential([seqkit.GRU(4, input_shape=(None, 2)), seqkit.Dense(1)], seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(model, folder + "/model.safetensors")
    ...     again = load(folder + "/model.safetensors")
    >>> x = np.ones((1, 3, 2))
    >>> bool((again.predict(x) == model.predict(x)).all())
    True
    """
    return read(path, format, **options).model


def save(model: Any, path: str | os.PathLike[str], **options: Any) -> None:
    """Write a model to a file of the format that the name ends with.

    Parameters
    ----------
    model : Sequential, Layer or GraphModel
    path : str or path-like
        ``.safetensors`` (native), ``.onnx`` or ``.json`` (RTNeural).
    **options
        What the format takes: `opset`, `lengths` and `states` of ONNX.

    Raises
    ------
    ConfigError
        If nothing is written with this ending or an option is not known.
    ConvertError
        If the format cannot represent the model exactly; the message says what of it.
    """
    writer, known = writer_of(path)
    for option in options:
        if option not in known:
            raise ConfigError(f"{path}: there is no {option} to choose in this format.")
    _function(writer)(model, path, **options)


def writer_of(path: str | os.PathLike[str]) -> tuple[str, tuple[str, ...]]:
    """Who writes a file of this name, and the keywords it takes.

    Raises
    ------
    ConfigError
        If nobody does.
    """
    ending = Path(path).suffix.lower()
    if ending not in WRITERS:
        raise ConfigError(f"{path}: no format is written with the ending {ending!r}; choose {', '.join(WRITERS)}.")
    return WRITERS[ending]


def _function(home: str) -> Callable[..., Any]:
    module, _, name = home.partition(":")
    function: Callable[..., Any] = getattr(import_module(module), name)
    return function
