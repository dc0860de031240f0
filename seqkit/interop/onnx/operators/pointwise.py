"""Functions of single numbers, of one array or of several that are broadcast."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from seqkit.errors import DTypeError
from seqkit.interop.onnx.messages import Node
from seqkit.interop.onnx.operators.binding import Arrays, Bind, Constants, Function, label, many, options
from seqkit.interop.onnx.schema import dtype_of

_erf = np.frompyfunc(math.erf, 1, 1)


def erf(x: np.ndarray) -> np.ndarray:
    """The error function, by the C library."""
    return np.asarray(_erf(x.astype(np.float64))).astype(x.dtype)


def reciprocal(x: np.ndarray) -> np.ndarray:
    return np.divide(x.dtype.type(1), x)


def divide(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The quotient, of integers without its fraction."""
    if a.dtype.kind == "f":
        return np.divide(a, b)
    if not np.all(b):
        raise ZeroDivisionError("an integer is divided by 0")
    quotient = np.abs(a) // np.abs(b)
    return np.where((a < 0) != (b < 0), -quotient, quotient).astype(a.dtype)


def power(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """``a ** b`` in the type of a."""
    return np.power(a, b.astype(a.dtype) if a.dtype.kind == "f" else b).astype(a.dtype)


UNARY: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "Abs": np.abs,
    "Ceil": np.ceil,
    "Cos": np.cos,
    "Erf": erf,
    "Exp": np.exp,
    "Floor": np.floor,
    "IsNaN": np.isnan,
    "Log": np.log,
    "Neg": np.negative,
    "Not": np.logical_not,
    "Reciprocal": reciprocal,
    "Round": np.rint,  # half to even, as ONNX
    "Sign": np.sign,
    "Sin": np.sin,
    "Sqrt": np.sqrt,
}

BINARY: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "Add": np.add,
    "And": np.logical_and,
    "Div": divide,
    "Equal": np.equal,
    "Greater": np.greater,
    "GreaterOrEqual": np.greater_equal,
    "Less": np.less,
    "LessOrEqual": np.less_equal,
    "Mul": np.multiply,
    "Or": np.logical_or,
    "Sub": np.subtract,
    "Xor": np.logical_xor,
}


def unary(function: Callable[[np.ndarray], np.ndarray]) -> Bind:
    def bind(node: Node, constants: Constants, opset: int) -> Function:
        options(node, 1)
        return lambda inputs: [function(inputs[0])]

    return bind


def binary(function: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Bind:
    def bind(node: Node, constants: Constants, opset: int) -> Function:
        options(node, 2)

        def run(inputs: Arrays) -> Arrays:
            a, b = inputs
            if a.dtype is not b.dtype and a.dtype != b.dtype:
                raise DTypeError(f"arrays of {a.dtype} and {b.dtype}, expected both of one type")
            return [function(a, b)]

        return run

    return bind


def pow_(node: Node, constants: Constants, opset: int) -> Function:
    options(node, 2)
    return lambda inputs: [power(*inputs)]


def mod(node: Node, constants: Constants, opset: int) -> Function:
    """The remainder with the sign of the divisor, with fmod=1 that of the dividend."""
    function = np.fmod if options(node, 2, fmod=("int", 0)).fmod else np.mod
    return lambda inputs: [function(*inputs)]


def variadic(function: Callable[[np.ndarray, np.ndarray], np.ndarray], mean: bool = False) -> Bind:
    def bind(node: Node, constants: Constants, opset: int) -> Function:
        options(node, many(node.inputs))
        count = len(node.inputs)

        def run(inputs: Arrays) -> Arrays:
            total = reduce(function, inputs)
            return [total / total.dtype.type(count) if mean else total]

        return run

    return bind


def where(node: Node, constants: Constants, opset: int) -> Function:
    options(node, 3)
    return lambda inputs: [np.where(*inputs)]


def clip(node: Node, constants: Constants, opset: int) -> Function:
    """Bounds are attributes up to version 6 of the operator and inputs afterwards, either of which may be missing."""
    if opset < 11:
        given = options(node, 1, min=("float", None), max=("float", None))
        return lambda inputs: [_clipped(inputs[0], given.min, given.max)]
    options(node, (1, 3))
    return lambda inputs: [_clipped(*inputs, *[None] * (3 - len(inputs)))]


def _clipped(x: np.ndarray, low: Any, high: Any) -> np.ndarray:
    x = x if low is None else np.maximum(x, np.asarray(low, x.dtype))
    return x if high is None else np.minimum(x, np.asarray(high, x.dtype))


def cast(node: Node, constants: Constants, opset: int) -> Function:
    """`saturate` and `round_mode` are about types that are not read."""
    given = options(node, 1, to=("int", 0), saturate=("int", 1), round_mode=("text", "up"))
    return _to(dtype_of(given.to, label(node)))


def cast_like(node: Node, constants: Constants, opset: int) -> Function:
    options(node, 2, saturate=("int", 1), round_mode=("text", "up"))
    return lambda inputs: [inputs[0].astype(inputs[1].dtype)]


def _to(dtype: np.dtype) -> Function:
    return lambda inputs: [inputs[0].astype(dtype, copy=False)]


def is_inf(node: Node, constants: Constants, opset: int) -> Function:
    given = options(node, 1, detect_negative=("int", 1), detect_positive=("int", 1))
    wanted = ([-np.inf] if given.detect_negative else []) + ([np.inf] if given.detect_positive else [])
    return lambda inputs: [np.isin(inputs[0], wanted)]


OPERATORS: dict[str, Bind] = {
    **{name: unary(function) for name, function in UNARY.items()},
    **{name: binary(function) for name, function in BINARY.items()},
    "Cast": cast,
    "CastLike": cast_like,
    "Clip": clip,
    "IsInf": is_inf,
    "Max": variadic(np.maximum),
    "Mean": variadic(np.add, mean=True),
    "Min": variadic(np.minimum),
    "Mod": mod,
    "Pow": pow_,
    "Sum": variadic(np.add),
    "Where": where,
}
