"""The fields of ONNX' messages that are read and written, and the numbers of its types.

Source: onnx.proto of ONNX 1.23 (github.com/onnx/onnx), of which a field once given keeps its number.  What is not here
(documentation, positions in a program, devices) changes nothing of what a model computes.
"""

from __future__ import annotations

import numpy as np

from seqkit.errors import ConvertError
from seqkit.interop.onnx.wire import Field

TABLES = {
    "Model": {
        1: Field("ir_version", "int"),
        2: Field("producer_name", "text"),
        3: Field("producer_version", "text"),
        7: Field("graph", "Graph"),
        8: Field("opset_import", "Opset", repeated=True),
        14: Field("metadata_props", "Entry", repeated=True),
        20: Field("training_info", "bytes", repeated=True),
        25: Field("functions", "bytes", repeated=True),
    },
    "Opset": {1: Field("domain", "text"), 2: Field("version", "int")},
    "Entry": {1: Field("key", "text"), 2: Field("value", "text")},
    "Graph": {
        1: Field("node", "Node", repeated=True),
        2: Field("name", "text"),
        5: Field("initializer", "Tensor", repeated=True),
        11: Field("input", "Value", repeated=True),
        12: Field("output", "Value", repeated=True),
        15: Field("sparse_initializer", "bytes", repeated=True),
    },
    "Node": {
        1: Field("input", "text", repeated=True),
        2: Field("output", "text", repeated=True),
        3: Field("name", "text"),
        4: Field("op_type", "text"),
        5: Field("attribute", "Attribute", repeated=True),
        7: Field("domain", "text"),
        8: Field("overload", "text"),
    },
    "Attribute": {
        1: Field("name", "text"),
        2: Field("f", "float"),
        3: Field("i", "int"),
        4: Field("s", "text"),
        5: Field("t", "Tensor"),
        6: Field("g", "Graph"),
        7: Field("floats", "float", repeated=True),
        8: Field("ints", "int", repeated=True),
        9: Field("strings", "text", repeated=True),
        10: Field("tensors", "bytes", repeated=True),
        11: Field("graphs", "bytes", repeated=True),
        14: Field("tp", "bytes"),
        15: Field("type_protos", "bytes", repeated=True),
        20: Field("type", "int"),
        21: Field("ref_attr_name", "text"),
        22: Field("sparse_tensor", "bytes"),
        23: Field("sparse_tensors", "bytes", repeated=True),
    },
    "Tensor": {
        1: Field("dims", "int", repeated=True),
        2: Field("data_type", "int"),
        3: Field("segment", "bytes"),
        4: Field("float_data", "float", repeated=True),
        5: Field("int32_data", "int", repeated=True),
        6: Field("string_data", "bytes", repeated=True),
        7: Field("int64_data", "int", repeated=True),
        8: Field("name", "text"),
        9: Field("raw_data", "bytes"),
        10: Field("double_data", "double", repeated=True),
        11: Field("uint64_data", "int", repeated=True),
        13: Field("external_data", "Entry", repeated=True),
        14: Field("data_location", "int"),
    },
    "Value": {1: Field("name", "text"), 2: Field("type", "Type")},
    "Type": {
        1: Field("tensor_type", "TensorType"),
        4: Field("sequence_type", "bytes"),
        5: Field("map_type", "bytes"),
        7: Field("opaque_type", "bytes"),
        8: Field("sparse_tensor_type", "bytes"),
        9: Field("optional_type", "bytes"),
    },
    "TensorType": {1: Field("elem_type", "int"), 2: Field("shape", "Shape")},
    "Shape": {1: Field("dim", "Dimension", repeated=True)},
    "Dimension": {1: Field("dim_value", "int"), 2: Field("dim_param", "text")},
}

ATTRIBUTES = {1: "f", 2: "i", 3: "s", 4: "t", 5: "g", 6: "floats", 7: "ints", 8: "strings"}
"""The field that holds an attribute of a type."""

REFUSED_ATTRIBUTES = ("tensors", "graphs", "tp", "type_protos", "sparse_tensor", "sparse_tensors")

DTYPES: dict[int, np.dtype] = {
    1: np.dtype(np.float32),
    2: np.dtype(np.uint8),
    3: np.dtype(np.int8),
    5: np.dtype(np.int16),
    6: np.dtype(np.int32),
    7: np.dtype(np.int64),
    9: np.dtype(np.bool_),
    10: np.dtype(np.float16),
    11: np.dtype(np.float64),
}
_NUMBER_OF = {dtype: number for number, dtype in DTYPES.items()}
_REFUSED = {4: "uint16", 8: "strings", 12: "uint32", 13: "uint64", 14: "complex64", 15: "complex128", 16: "bfloat16"}


def dtype_of(number: int, owner: str) -> np.dtype:
    """NumPy's type for a number of TensorProto.DataType, or ConvertError.

    Examples
    --------
    >>> dtype_of(11, "x")
    dtype('float64')
    """
    if number not in DTYPES:
        name = _REFUSED.get(number, f"type {number}")
        known = ", ".join(dtype.name for dtype in DTYPES.values())
        raise ConvertError(f"{owner}: tensors of {name} cannot be represented here; those of {known} can.")
    return DTYPES[number]


def number_of(dtype: np.dtype, owner: str) -> int:
    """The number of TensorProto.DataType for a type of NumPy, or ConvertError.

    Examples
    --------
    >>> number_of(np.dtype("float32"), "x")
    1
    """
    native = np.dtype(dtype).newbyteorder("=")
    if native not in _NUMBER_OF:
        raise ConvertError(f"{owner}: arrays of {dtype} are not written to ONNX files; use float32, float64 or int64.")
    return _NUMBER_OF[native]
