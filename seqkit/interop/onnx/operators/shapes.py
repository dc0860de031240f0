"""Operators that look at shapes or change them, and those that make arrays of a shape."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from seqkit import available
from seqkit.errors import ConvertError, LoadError, ShapeError
from seqkit.interop.onnx.messages import Node
from seqkit.interop.onnx.operators.binding import Arrays, Bind, Constants, Function, label, numbers, options
from seqkit.limits import array_bytes


def room(shape: Any, dtype: np.dtype) -> tuple[int, ...]:
    """A shape that numbers in the model or in its inputs give, if there is memory for it."""
    sizes = tuple(int(size) for size in np.atleast_1d(np.asarray(shape)).tolist())
    try:
        available.require(array_bytes(sizes, dtype.itemsize, "its result"), f"arrays of the shape {sizes}")
    except MemoryError as error:
        raise ShapeError(str(error)) from error
    return sizes


def identity(node: Node, constants: Constants, opset: int) -> Function:
    options(node, 1)
    return lambda inputs: inputs


def dropout(node: Node, constants: Constants, opset: int) -> Function:
    """Nothing, outside training; the mask is of ones."""
    if opset < 12:
        options(node, 1, (1, 2), ratio=("float", 0.5))
    else:
        options(node, (1, 3), (1, 2), seed=("int", 0))
    mask = np.bool_ if opset >= 10 else np.float32

    def run(inputs: Arrays) -> Arrays:
        if len(inputs) > 2 and inputs[2] is not None and inputs[2].any():
            raise ConvertError("training_mode is on; export the model for inference")
        return [inputs[0], np.broadcast_to(np.ones((), mask), inputs[0].shape)]

    return run


def constant(node: Node, constants: Constants, opset: int) -> Function:
    kinds = {"value": "tensor", "value_float": "float", "value_int": "int", "value_floats": "floats"}
    given = vars(options(node, 0, **{key: (kind, None) for key, kind in (kinds | {"value_ints": "ints"}).items()}))
    values = {key: value for key, value in given.items() if value is not None}
    if len(values) != 1:
        raise LoadError(f"{label(node)}: has the values {[*values]}, expected one.")
    ((key, value),) = values.items()
    dtype = None if key == "value" else np.float32 if "float" in key else np.int64
    array = np.asarray(value, dtype)
    return lambda inputs: [array]


def constant_of_shape(node: Node, constants: Constants, opset: int) -> Function:
    value = options(node, 1, value=("tensor", np.zeros(1, np.float32))).value
    if value.size != 1:
        raise LoadError(f"{label(node)}: the value has {value.size} numbers, expected one.")
    number = value.reshape(())
    return lambda inputs: [np.full(room(inputs[0], value.dtype), number)]


def range_(node: Node, constants: Constants, opset: int) -> Function:
    options(node, 3, stash_type=("int", 1))

    def run(inputs: Arrays) -> Arrays:
        start, limit, step = (array.item() for array in inputs)
        count = max(0, math.ceil((limit - start) / step))
        (size,) = room(count, inputs[0].dtype)
        return [(start + np.arange(size) * step).astype(inputs[0].dtype)]

    return run


def shape(node: Node, constants: Constants, opset: int) -> Function:
    given = options(node, 1, start=("int", 0), end=("int", None))
    part = slice(given.start, given.end)
    return lambda inputs: [np.array(inputs[0].shape[part], np.int64)]


def size(node: Node, constants: Constants, opset: int) -> Function:
    options(node, 1)
    return lambda inputs: [np.array(inputs[0].size, np.int64)]


def reshape(node: Node, constants: Constants, opset: int) -> Function:
    """A size of 0 is that of the input at the same place, one of -1 what is left."""
    allow_zero = options(node, 2, allowzero=("int", 0)).allowzero
    sizes = numbers(node, 1, constants)

    def run(inputs: Arrays) -> Arrays:
        x, new = inputs[0], sizes(inputs)
        if not allow_zero and 0 in new:
            new = [x.shape[k] if count == 0 else count for k, count in enumerate(new)]
        return [x.reshape(new)]

    return run


def flatten(node: Node, constants: Constants, opset: int) -> Function:
    axis = options(node, 1, axis=("int", 1)).axis

    def run(inputs: Arrays) -> Arrays:
        x = inputs[0]
        if not -x.ndim <= axis <= x.ndim:
            raise ShapeError(f"axis {axis} of an array of {x.ndim} dimensions")
        first = axis + x.ndim if axis < 0 else axis
        return [x.reshape(math.prod(x.shape[:first]), math.prod(x.shape[first:]))]

    return run


def _axes(node: Node, constants: Constants, opset: int) -> Any:
    """Axes of Squeeze and Unsqueeze: an attribute up to version 11 of the operator, an input from 13 on."""
    if opset < 13:
        axes = options(node, 1, axes=("ints", None)).axes
        return lambda inputs: axes
    options(node, (1, 2))
    return numbers(node, 1, constants)


def squeeze(node: Node, constants: Constants, opset: int) -> Function:
    axes = _axes(node, constants, opset)

    def run(inputs: Arrays) -> Arrays:
        found = axes(inputs)
        return [inputs[0].squeeze(None if found is None else tuple(found))]

    return run


def unsqueeze(node: Node, constants: Constants, opset: int) -> Function:
    axes = _axes(node, constants, opset)

    def run(inputs: Arrays) -> Arrays:
        x, found = inputs[0], np.atleast_1d(axes(inputs)).tolist()
        rank = x.ndim + len(found)
        ones = {axis + rank if axis < 0 else axis for axis in found}
        if len(ones) < len(found) or not ones <= {*range(rank)}:
            raise ShapeError(f"axes {found} of an array of {rank} dimensions")
        sizes = iter(x.shape)
        return [x.reshape([1 if axis in ones else next(sizes) for axis in range(rank)])]

    return run


def transpose(node: Node, constants: Constants, opset: int) -> Function:
    order = options(node, 1, perm=("ints", None)).perm
    return lambda inputs: [inputs[0].transpose(order)]


def expand(node: Node, constants: Constants, opset: int) -> Function:
    """To a shape that both are broadcast to."""
    options(node, 2)
    sizes = numbers(node, 1, constants)

    def run(inputs: Arrays) -> Arrays:
        x = inputs[0]
        return [np.broadcast_to(x, room(np.broadcast_shapes(x.shape, tuple(sizes(inputs))), x.dtype))]

    return run


def tile(node: Node, constants: Constants, opset: int) -> Function:
    options(node, 2)

    def run(inputs: Arrays) -> Arrays:
        x, counts = inputs[0], inputs[1].tolist()
        if len(counts) != x.ndim:
            raise ShapeError(f"{len(counts)} numbers of copies for an array of {x.ndim} dimensions")
        room([size * count for size, count in zip(x.shape, counts, strict=True)], x.dtype)
        return [np.tile(x, counts)]

    return run


OPERATORS: dict[str, Bind] = {
    "Constant": constant,
    "ConstantOfShape": constant_of_shape,
    "Dropout": dropout,
    "Expand": expand,
    "Flatten": flatten,
    "Identity": identity,
    "Range": range_,
    "Reshape": reshape,
    "Shape": shape,
    "Size": size,
    "Squeeze": squeeze,
    "Tile": tile,
    "Transpose": transpose,
    "Unsqueeze": unsqueeze,
}
