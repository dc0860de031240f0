"""Tensors in files: inert descriptions, checked against the bytes that are really there.

All sizes are Python's integers, which do not overflow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.errors import ConvertError, LoadError, UnsafeFileError
from seqkit.limits import array_bytes

NUMBERS: dict[str, np.dtype[Any]] = {
    "float32": np.dtype("<f4"),
    "float64": np.dtype("<f8"),
    "float16": np.dtype("<f2"),
    "bfloat16": np.dtype("<u2"),  # as bits
    "int64": np.dtype("<i8"),
    "int32": np.dtype("<i4"),
    "int16": np.dtype("<i2"),
    "int8": np.dtype("i1"),
    "uint8": np.dtype("u1"),
    "bool": np.dtype("?"),
}
"""PyTorch's types that are read, and what their bytes are."""


Buffer = bytes | memoryview


@dataclass(frozen=True)
class Storage:
    """Numbers in a file that tensors are views of."""

    key: str
    dtype: str
    count: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.count * NUMBERS[self.dtype].itemsize


@dataclass(frozen=True)
class Tensor:
    """A view of a storage: the element (i, j ...) is number ``offset + i * strides[0] + j * strides[1] + ...``."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes of its elements."""
        return math.prod(self.shape) * NUMBERS[self.storage.dtype].itemsize

    def check(self, owner: str) -> None:
        """Refuse a view of what is not there.

        Raises
        ------
        UnsafeFileError
            If shape, strides or offset are not whole numbers from 0 on, or lead outside of the storage.
        """
        numbers = (self.offset, *self.shape, *self.strides)
        if len(self.strides) != len(self.shape) or any(type(number) is not int or number < 0 for number in numbers):
            raise UnsafeFileError(f"{owner}: a tensor has a shape, strides or an offset that cannot be.")
        if array_bytes((max(size, 1) for size in self.shape), 8, owner) >= 1 << 62:
            raise UnsafeFileError(f"{owner}: a tensor has a shape that no memory holds.")
        last = sum((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))
        needed = self.offset if 0 in self.shape else self.offset + last + 1
        if needed > self.storage.count:
            raise UnsafeFileError(
                f"{owner}: a tensor reaches to number {needed} of a storage that has {self.storage.count}."
            )

    def array(self, data: Buffer) -> np.ndarray:
        """The elements, not copied; bfloat16 as float32, which holds each of its numbers."""
        kind = NUMBERS[self.storage.dtype]
        pairs = zip(self.shape, self.strides, strict=True)
        strides = [stride * kind.itemsize if size > 1 else 0 for size, stride in pairs]  # others are never taken
        array = np.ndarray(self.shape, kind, data, self.offset * kind.itemsize, strides)
        if self.storage.dtype == "bfloat16":
            return (array.astype(np.uint32) << 16).view(np.float32)
        return array


@dataclass(frozen=True)
class Weights:
    """Arrays by name, as somebody saved them.

    Attributes
    ----------
    arrays : mapping of str to ndarray
        float32, float64, float16 or whole numbers; bfloat16 as float32.
    dtypes : mapping of str to str
        PyTorch's names of what they were.
    owner : str
        Where they come from, for errors.
    """

    arrays: Mapping[str, np.ndarray]
    dtypes: Mapping[str, str]
    owner: str

    def part(self, prefix: str) -> dict[str, np.ndarray]:
        """Arrays whose names begin with "prefix." by what follows; all of them for an empty prefix."""
        start = len(prefix) + bool(prefix)
        return {name[start:]: self.arrays[name] for name in self.names(prefix)}

    def names(self, prefix: str) -> list[str]:
        """Names that begin with "prefix."."""
        start = f"{prefix}." if prefix else ""
        return [name for name in self.arrays if name.startswith(start)]

    def dtype(self, names: list[str], wanted: str | None) -> str:
        """The type that holds the numbers of these arrays exactly: theirs, or the one that is asked for.

        Raises
        ------
        ConvertError
            If there is none, or it would round.
        """
        found = sorted({self.dtypes[name] for name in names})
        if not found:
            raise ConvertError(f"{self.owner}: no part of the model has weights.")
        if wanted is None and found in (["float32"], ["float64"]):
            return found[0]
        holds = {
            "float32": ("float16", "bfloat16", "float32"),
            "float64": ("float16", "bfloat16", "float32", "float64"),
        }
        if wanted is not None and wanted not in holds:
            raise ConvertError(f"{self.owner}: dtype must be 'float32' or 'float64', got {wanted!r}.")
        if wanted is None or not set(found) <= set(holds[wanted]):
            more = f", more than {wanted} holds" if wanted else ""
            raise ConvertError(
                f"{self.owner}: the weights are {' and '.join(found)}{more}; "
                f"say dtype='float32' to widen half precision, dtype='float64' for all floats."
            )
        return wanted


def weights_of(tensors: Mapping[str, Tensor], read: Callable[[Storage], Buffer], size: int, owner: str) -> Weights:
    """The arrays of checked tensors.

    Parameters
    ----------
    tensors : mapping of str to Tensor
    read : callable
        The bytes of a storage.
    size : int
        Bytes of the file: tensors that share storages may have four times as many, not more.
    owner : str
        Name of the file, for errors.
    """
    views = sum(tensor.size for tensor in tensors.values())
    stored = sum(storage.size for storage in {tensor.storage for tensor in tensors.values()})
    if stored > size or views > max(4 * size, 1 << 20):
        raise UnsafeFileError(
            f"{owner}: the tensors would have {views} bytes in storages of {stored}, the file has {size}."
        )
    storages: dict[str, Buffer] = {}
    arrays = {}
    for name, tensor in tensors.items():
        key = tensor.storage.key
        if key not in storages:
            storages[key] = read(tensor.storage)
        if len(storages[key]) != tensor.storage.size:
            raise UnsafeFileError(
                f"{owner}: the storage {key!r} has {len(storages[key])} bytes, expected {tensor.storage.size}."
            )
        arrays[name] = tensor.array(storages[key])
    return Weights(arrays, {name: tensor.storage.dtype for name, tensor in tensors.items()}, owner)


def checked_number(value: Any, what: str, owner: str) -> int:
    """A whole number from 0 on.

    Raises
    ------
    LoadError
        If it is none.
    """
    if type(value) is not int or value < 0:
        raise LoadError(f"{owner}: {what} is not a whole number from 0 on; the file is damaged.")
    return value
