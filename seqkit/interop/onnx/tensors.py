"""Tensors in files: numbers in one of several fields, or in a file beside the model."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from seqkit.errors import ConvertError, LoadError, UnsafeFileError
from seqkit.interop.onnx.external import ExternalFiles
from seqkit.interop.onnx.schema import dtype_of, number_of
from seqkit.interop.onnx.wire import Record
from seqkit.limits import array_bytes

TYPED = {
    "float32": "float_data",
    "float64": "double_data",
    "int64": "int64_data",
    "float16": "int32_data",  # its bits
    **dict.fromkeys(("int32", "int16", "int8", "uint8", "bool"), "int32_data"),
}
"""The field that holds the numbers of a type where they are not raw."""

DATA = ("raw_data", "float_data", "double_data", "int32_data", "int64_data", "uint64_data", "string_data")
EXTERNAL = 1


def read_tensor(record: Record, files: ExternalFiles, owner: str) -> np.ndarray:
    """The array of a TensorProto, of its own memory; the size is checked against the bytes that are there.

    Raises
    ------
    ConvertError
        If the type is not one of NumPy's plain ones.
    LoadError, UnsafeFileError
        If shape and data do not fit each other, or the data are in a file that may not be read.
    """
    if "segment" in record:
        raise ConvertError(f"{owner}: tensors in segments are not read; write the tensor in one piece.")
    dtype = dtype_of(record.get("data_type", 0), owner)
    shape = tuple(record.get("dims", np.zeros(0, np.int64)).tolist())
    nbytes = array_bytes(shape, dtype.itemsize, owner)
    given = [name for name in DATA if len(record.get(name, ()))]
    if record.get("data_location", 0) == EXTERNAL:
        if given:
            raise UnsafeFileError(f"{owner}: the data are in the model and in another file; only one can be true.")
        flat = _from_raw(files.read(record.get("external_data", []), nbytes, owner), dtype, owner)
    else:
        flat = _in_the_model(record, given, dtype, nbytes, owner)
    try:
        return flat.reshape(shape)
    except ValueError as error:  # nothing, but of a size that NumPy does not count to
        raise UnsafeFileError(f"{owner}: an array cannot have the shape {shape}.") from error


def _in_the_model(record: Record, given: list[str], dtype: np.dtype, nbytes: int, owner: str) -> np.ndarray:
    field = given[0] if given else TYPED[dtype.name]
    if len(given) > 1 or field not in ("raw_data", TYPED[dtype.name]):
        raise LoadError(f"{owner}: a tensor of {dtype} with {' and '.join(given)}; the file is damaged.")
    data = record.get(field, ())
    count = nbytes // dtype.itemsize
    there, expected = (len(data), nbytes) if field == "raw_data" else (len(data), count)
    if there != expected:
        what = "bytes" if field == "raw_data" else "numbers"
        raise UnsafeFileError(f"{owner}: the shape needs {expected} {what}, there are {there} in the file.")
    return _from_raw(data, dtype, owner) if field == "raw_data" else _from_typed(data, dtype, owner)


def _from_raw(data: Any, dtype: np.dtype, owner: str) -> np.ndarray:
    """Numbers from bytes, little end first."""
    if dtype == np.bool_:
        return _exact(np.frombuffer(data, np.uint8), dtype, owner)
    return np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype)


def _from_typed(data: Any, dtype: np.dtype, owner: str) -> np.ndarray:
    """Numbers of a wider type, or the bits of float16."""
    if dtype == np.float16:
        return _exact(np.asarray(data), np.dtype(np.uint16), owner).view(np.float16)
    return _exact(np.asarray(data), dtype, owner) if dtype.kind in "iub" else np.array(data, dtype)


def _exact(numbers: np.ndarray, dtype: np.dtype, owner: str) -> np.ndarray:
    """The same numbers in another type."""
    found = numbers.astype(dtype)
    if not np.array_equal(found, numbers):
        raise LoadError(f"{owner}: there are numbers that are none of {dtype}; the file is damaged.")
    return found


def write_tensor(array: np.ndarray, name: str, owner: str) -> Record:
    """The TensorProto of an array, its numbers raw."""
    array = np.asarray(array)
    number = number_of(array.dtype, owner)
    order = array.dtype.newbyteorder("<") if sys.byteorder == "big" else array.dtype.newbyteorder("=")
    raw = np.ascontiguousarray(array, order).reshape(-1).view(np.uint8).data
    return {"dims": list(array.shape), "data_type": number, "name": name or None, "raw_data": raw}
