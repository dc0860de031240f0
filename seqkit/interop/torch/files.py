"""Files that hold state dicts: what torch.save and safetensors write, told apart by their content."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from functools import partial
from typing import Any

from seqkit.errors import ConvertError, LoadError, UnsafeFileError
from seqkit.interop.archive import Archive
from seqkit.interop.torch.machine import Machine
from seqkit.interop.torch.records import Records
from seqkit.interop.torch.tensors import Storage, Tensor, Weights, weights_of
from seqkit.limits import LIMITS, read_file
from seqkit.safetensors_header import Entry, read_header

KEYS = ("state_dict", "model_state_dict", "model", "module", "net", "weights")
"""What training programs call the state dict in a checkpoint, in the order of looking."""
SAFETENSORS = {
    **{"F32": "float32", "F64": "float64", "F16": "float16", "BF16": "bfloat16", "BOOL": "bool"},
    **{"I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8", "U8": "uint8"},
}
"""PyTorch's names of the types of safetensors."""
AGAIN = "load it with PyTorch and save model.state_dict() with torch.save"


def read_weights(path: str | os.PathLike[str], key: str | None = None) -> Weights:
    """The arrays of a state dict in a file.

    Parameters
    ----------
    path : str or path-like
        A file of safetensors, or of torch.save in PyTorch 1.6 or newer.
    key : str, optional
        Name of the state dict in a checkpoint, with dots for dicts in dicts; by default it is looked for under the
        usual names.

    Raises
    ------
    LoadError
        If the file is damaged or of another kind; the message says what to do.
    UnsafeFileError
        If it would run code, or promises more than it holds.
    ConvertError
        If there is no state dict, or it holds what is not a dense tensor.
    """
    data, owner = read_file(path), os.fspath(path)
    if data[8:9] == b"{":
        _, entries = read_header(data, owner)
        tensors = {name: _tensor(name, entry, owner) for name, entry in entries.items()}
        return weights_of(tensors, lambda storage: _piece(data, entries[storage.key]), len(data), owner)
    if data[:2] != b"PK":
        raise LoadError(f"{owner}: {_other_kind(data)}")
    archive = Archive(data, owner)
    root = _root(archive, owner)
    pickled = archive.read(f"{root}/data.pkl", LIMITS.text)
    tensors = _state_dict(Machine(pickled, Records(owner), owner).run(), key, owner)
    return weights_of(tensors, partial(_storage, archive, root, len(data), owner), len(data), owner)


def _tensor(name: str, entry: Entry, owner: str) -> Tensor:
    """The tensor at a place of a safetensors file, which is a storage of its own."""
    if entry.dtype not in SAFETENSORS:
        raise ConvertError(
            f"{owner}: array {name!r:.80} has the type {entry.dtype}, which PyTorch's layers do not have."
        )
    strides = [math.prod(entry.shape[axis + 1 :]) for axis in range(len(entry.shape))]
    tensor = Tensor(Storage(name, SAFETENSORS[entry.dtype], math.prod(entry.shape)), 0, entry.shape, tuple(strides))
    tensor.check(owner)
    return tensor


def _piece(data: bytes, entry: Entry) -> memoryview:
    return memoryview(data)[entry.start : entry.stop]


def _other_kind(data: bytes) -> str:
    """What a file that is no zip file is, as far as its first bytes say, and what to do."""
    if data[257:262] == b"ustar" or b"pickle\0" in data[:600]:
        return f"a tar file of PyTorch before 0.4, which is not read; {AGAIN}."
    if data[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        return f"a pickle outside of a zip file, as PyTorch before 1.6 wrote it, which is not read; {AGAIN}."
    return "neither safetensors nor a file of torch.save; give a state dict."


def _root(archive: Archive, owner: str) -> str:
    """The folder that all members are in; the file must hold a state dict in the order of bytes that we read."""
    roots = {name.partition("/")[0] for name in archive.names}
    if len(roots) != 1 or f"{min(roots)}/data.pkl" not in archive:
        raise LoadError(f"{owner}: the zip file is not one of torch.save; {AGAIN}.")
    root = roots.pop()
    if f"{root}/constants.pkl" in archive or any(name.startswith(f"{root}/code/") for name in archive.names):
        raise ConvertError(f"{owner}: a TorchScript program, whose code is not run here; {AGAIN}.")
    if f"{root}/byteorder" in archive and archive.read(f"{root}/byteorder", 16) != b"little":
        raise ConvertError(f"{owner}: its numbers are big-endian, only little-endian files are read; {AGAIN}.")
    return root


def _storage(archive: Archive, root: str, limit: int, owner: str, storage: Storage) -> bytes:
    name = f"{root}/data/{storage.key}"
    if name not in archive:
        raise UnsafeFileError(f"{owner}: the storage {storage.key[:40]!r} is missing.")
    return archive.read(name, limit)


def _state_dict(value: Any, key: str | None, owner: str) -> dict[str, Tensor]:
    """The tensors of a state dict that may lie in a checkpoint."""
    if key is not None:
        found = _tensors(_inside(value, key, owner))
    else:  # dicts first: a checkpoint may hold tensors of its own, such as a loss
        inside = [value[name] for name in KEYS if name in value] if type(value) is dict else []
        found = next(filter(None, map(_tensors, (*inside, value))), {})
    if not found:
        there = ", ".join(str(name)[:60] for name in list(value)[:12]) if type(value) is dict else "no dict"
        raise ConvertError(f"{owner}: no state dict is found; the file holds {there}. Say key='...'.")
    return found


def _inside(value: Any, key: str, owner: str) -> Any:
    for name in key.split("."):
        if type(value) is not dict or name not in value:
            there = ", ".join(str(known)[:60] for known in list(value)[:12]) if type(value) is dict else "no dict"
            raise ConvertError(f"{owner}: key {key!r} leads nowhere; there is {there}.")
        value = value[name]
    return value


def _tensors(value: Any) -> dict[str, Tensor]:
    """The tensors of a dict by name; what is no tensor, such as a number of an epoch, is left out."""
    items = value.items() if isinstance(value, Mapping) else ()
    return {name: item for name, item in items if type(name) is str and isinstance(item, Tensor)}
