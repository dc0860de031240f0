"""An assembler of pickles and of files of torch.save, to write state dicts and what pretends to be one by hand."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

STORAGES = {"<f4": "Float", "<f8": "Double", "<f2": "Half", "<i8": "Long", "|u1": "Byte", "|b1": "Bool"}


class Raw(bytes):
    """Opcodes that stand for a value."""


def name(module: str, what: str) -> Raw:
    """A global."""
    return Raw(b"c" + f"{module}\n{what}\n".encode())


def call(function: bytes, *arguments: Any) -> Raw:
    """A function applied to arguments."""
    return Raw(function + value(arguments) + b"R")


def value(item: Any) -> Raw:
    """The opcodes of a value as torch.save writes it; Raw stands for itself."""
    if isinstance(item, Raw):
        return item
    if item is None or isinstance(item, bool):
        return Raw({None: b"N", True: b"\x88", False: b"\x89"}[item])
    if isinstance(item, int):
        short = struct.pack("<i", item) if -(2**31) <= item < 2**31 else None
        return Raw(b"J" + short if short else b"\x8a" + bytes([16]) + item.to_bytes(16, "little", signed=True))
    if isinstance(item, float):
        return Raw(b"G" + struct.pack(">d", item))
    if isinstance(item, str):
        return Raw(b"X" + struct.pack("<I", len(item.encode())) + item.encode())
    if isinstance(item, tuple):
        return Raw(b"(" + b"".join(map(value, item)) + b"t")
    if isinstance(item, list):
        return Raw(b"](" + b"".join(map(value, item)) + b"e")
    return Raw(b"}(" + b"".join(value(part) for pair in item.items() for part in pair) + b"u")


def pickled(item: Any) -> bytes:
    """A whole pickle of protocol 2."""
    return b"\x80\x02" + value(item) + b"."


def storage(key: str, kind: str, count: Any) -> Raw:
    """A storage, by its identity."""
    return Raw(value(("storage", name("torch", f"{kind}Storage"), key, "cpu", count)) + b"Q")


def tensor(where: Any, offset: Any, shape: Any, strides: Any, *more: Any) -> Raw:
    """A tensor of a storage."""
    hooks = call(name("collections", "OrderedDict"))
    return call(name("torch._utils", "_rebuild_tensor_v2"), where, offset, shape, strides, False, hooks, *more)


def saved(
    tensors: Mapping[str, np.ndarray] | None = None,
    *,
    pickle: bytes | None = None,
    members: Mapping[str, bytes] | None = None,
    bits: str = "Float",
) -> bytes:
    """A file of torch.save with these tensors, with another pickle, or with more or other members."""
    records, contents = {}, {}
    for number, (key, given) in enumerate((tensors or {}).items()):
        array = np.array(given, order="C")
        kind = bits if array.dtype == np.uint16 else STORAGES[array.dtype.str]
        strides = tuple(stride // array.itemsize for stride in array.strides)
        records[key] = tensor(storage(str(number), kind, array.size), 0, array.shape, strides)
        contents[f"data/{number}"] = array.tobytes()
    contents |= {"data.pkl": pickled(records) if pickle is None else pickle, "version": b"3\n", "byteorder": b"little"}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as writer:
        for member, data in (contents | dict(members or {})).items():
            writer.writestr(f"archive/{member}", data)
    return file.getvalue()
