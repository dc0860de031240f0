"""Products of matrices, all by the kernel of :func:`seqkit._core.matmul`; weights that do not change stay packed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from seqkit._core import Product, matmul
from seqkit.errors import DTypeError, ShapeError
from seqkit.interop.onnx.messages import Node
from seqkit.interop.onnx.operators.binding import Arrays, Bind, Constants, Function, options

FLOATS = (np.float32, np.float64)


def with_weight(weight: np.ndarray, bias: np.ndarray | None = None) -> Callable[[np.ndarray], np.ndarray]:
    """``x @ weight + bias`` of any number of leading axes, for a weight (inputs, outputs) that does not change."""
    weight = np.ascontiguousarray(weight)
    bias = None if bias is None else np.ascontiguousarray(bias)
    packed = Product(weight.T, bias, 0)
    inputs, outputs = weight.shape

    def apply(x: np.ndarray) -> np.ndarray:
        rows = x if x.ndim == 2 else x.reshape(-1, inputs)
        if x.shape[-1] != inputs:
            raise ShapeError(f"rows of {x.shape[-1]} numbers, the weight has {inputs}")
        found = packed.step(rows, 0)
        y = matmul(rows, weight, bias) if found is None else found[0]
        return y if x.ndim == 2 else y.reshape(*x.shape[:-1], outputs)

    return apply


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The product of matrices in the last two axes, others broadcast; a vector is a row on the left, else a column."""
    if a.dtype not in FLOATS or b.dtype != a.dtype:
        raise DTypeError(f"products of {a.dtype} and {b.dtype}, expected both of float32 or both of float64")
    if a.ndim == 0 or b.ndim == 0 or a.shape[-1] != b.shape[max(b.ndim - 2, 0)]:
        raise ShapeError(f"arrays of the shapes {a.shape} and {b.shape} cannot be multiplied")
    left, right = np.atleast_2d(a), b[:, None] if b.ndim == 1 else b
    if right.ndim == 2:
        y = matmul(left.reshape(-1, left.shape[-1]), right).reshape(*left.shape[:-1], right.shape[-1])
    else:
        y = _batched(left, right)
    y = y[..., 0] if b.ndim == 1 else y
    return y.squeeze(-1 if b.ndim == 1 else -2) if a.ndim == 1 else y


def _batched(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """One product for each pair of matrices."""
    outer = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    y = np.empty((*outer, a.shape[-2], b.shape[-1]), a.dtype)
    a, b = np.broadcast_to(a, (*outer, *a.shape[-2:])), np.broadcast_to(b, (*outer, *b.shape[-2:]))
    for place in np.ndindex(outer):
        y[place] = matmul(a[place], b[place])
    return y


def _is_weight(array: np.ndarray | None) -> bool:
    return array is not None and array.ndim == 2 and array.dtype in FLOATS and array.size > 0


def mat_mul(node: Node, constants: Constants, opset: int) -> Function:
    options(node, 2)
    weight = constants.get(node.inputs[1])
    if weight is None or not _is_weight(weight):
        return lambda inputs: [product(*inputs)]
    apply, dtype = with_weight(weight), weight.dtype

    def run(inputs: Arrays) -> Arrays:
        x = inputs[0]
        return [apply(x) if x.ndim > 1 and x.dtype == dtype else product(x, inputs[1])]

    return run


def gemm(node: Node, constants: Constants, opset: int) -> Function:
    """``alpha A' B' + beta C``, where A' and B' may be transposed and C is broadcast."""
    given = options(node, (2, 3), alpha=("float", 1.0), beta=("float", 1.0), transA=("int", 0), transB=("int", 0))
    weight = constants.get(node.inputs[1])
    bias = constants.get(node.inputs[2]) if len(node.inputs) == 3 else None
    plain = given.alpha == given.beta == 1 and not given.transA
    known = len(node.inputs) == 2 or node.inputs[2] == "" or (bias is not None and bias.ndim == 1)
    if plain and known and weight is not None and _is_weight(weight):
        right = weight.T if given.transB else weight
        if bias is None or (bias.shape == right.shape[1:] and bias.dtype == weight.dtype):
            return _linear(right, bias)
    return lambda inputs: [_gemm(*inputs, alpha=given.alpha, beta=given.beta, turn=(given.transA, given.transB))]


def _linear(weight: np.ndarray, bias: np.ndarray | None) -> Function:
    apply = with_weight(weight, bias)

    def run(inputs: Arrays) -> Arrays:
        if inputs[0].ndim != 2:
            raise ShapeError(f"an array of the shape {inputs[0].shape}, expected a matrix")
        return [apply(inputs[0])]

    return run


def _gemm(
    a: np.ndarray, b: np.ndarray, c: np.ndarray | None = None, *, alpha: float, beta: float, turn: tuple[int, int]
) -> np.ndarray:
    if a.ndim != 2 or b.ndim != 2:
        raise ShapeError(f"arrays of the shapes {a.shape} and {b.shape}, expected matrices")
    y = product(a.T if turn[0] else a, b.T if turn[1] else b)
    y = y if alpha == 1 else alpha * y
    if c is None:
        return y
    if np.broadcast_shapes(y.shape, c.shape) != y.shape:
        raise ShapeError(f"C of the shape {c.shape} cannot be added to {y.shape}")
    return y + (c if beta == 1 else beta * c)


OPERATORS: dict[str, Bind] = {"Gemm": gemm, "MatMul": mat_mul}
