"""Sums and the like over axes, and functions of whole rows: softmax and normalizations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from seqkit.errors import ConvertError, DTypeError, LoadError
from seqkit.interop.onnx.messages import Node
from seqkit.interop.onnx.operators.binding import Arrays, Bind, Constants, Function, label, numbers, options

Reduction = Callable[..., Any]


def _mean(x: np.ndarray, axis: Any, keepdims: bool) -> Any:
    if x.dtype.kind != "f":
        raise DTypeError(f"the mean of {x.dtype}, expected floating point numbers")
    return x.mean(axis, keepdims=keepdims)


def _l1(x: np.ndarray, axis: Any, keepdims: bool) -> Any:
    return np.abs(x).sum(axis, keepdims=keepdims)


def _l2(x: np.ndarray, axis: Any, keepdims: bool) -> Any:
    return np.sqrt((x * x).sum(axis, keepdims=keepdims))


def _sum_square(x: np.ndarray, axis: Any, keepdims: bool) -> Any:
    return (x * x).sum(axis, keepdims=keepdims)


def reduction(function: Reduction, since: int = 18) -> Bind:
    """A reduction whose axes are an input from version `since` on, an attribute before."""

    def bind(node: Node, constants: Constants, opset: int) -> Function:
        known: dict[str, tuple[str, Any]] = {"keepdims": ("int", 1)}
        known |= {"noop_with_empty_axes": ("int", 0)} if opset >= since else {"axes": ("ints", None)}
        given = options(node, (1, 2) if opset >= since else 1, **known)
        axes, keep = numbers(node, 1, constants, getattr(given, "axes", None)), bool(given.keepdims)
        nothing = getattr(given, "noop_with_empty_axes", 0)

        def run(inputs: Arrays) -> Arrays:
            x, over = inputs[0], axes(inputs)
            if not over and nothing:
                return [x]
            result = function(x, axis=tuple(over) if over else None, keepdims=keep)
            return [np.asarray(result).astype(x.dtype, copy=False)]

        return run

    return bind


def arg(function: Callable[..., Any]) -> Bind:
    """The place of the largest or smallest number, of equal ones the first or the last."""

    def bind(node: Node, constants: Constants, opset: int) -> Function:
        known = {"select_last_index": ("int", 0)} if opset >= 12 else {}
        given = options(node, 1, axis=("int", 0), keepdims=("int", 1), **known)
        keep, last = bool(given.keepdims), getattr(given, "select_last_index", 0)

        def run(inputs: Arrays) -> Arrays:
            x = inputs[0]
            if not last:
                return [np.asarray(function(x, given.axis, keepdims=keep), np.int64)]
            turned = function(np.flip(x, given.axis), given.axis, keepdims=keep)
            return [np.asarray(x.shape[given.axis] - 1 - turned, np.int64)]

        return run

    return bind


def softmax(x: np.ndarray, axis: int) -> np.ndarray:
    powers = np.exp(x - x.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


def log_softmax(x: np.ndarray, axis: int) -> np.ndarray:
    below = x - x.max(axis, keepdims=True)
    return below - np.log(np.exp(below).sum(axis, keepdims=True))


def over_rows(function: Callable[[np.ndarray, int], np.ndarray]) -> Bind:
    """Over one axis from version 13 on; before, over all axes from one on, as if they were one."""

    def bind(node: Node, constants: Constants, opset: int) -> Function:
        axis = options(node, 1, axis=("int", -1 if opset >= 13 else 1)).axis
        if opset >= 13:
            return lambda inputs: [function(inputs[0], axis)]

        def run(inputs: Arrays) -> Arrays:
            x = inputs[0]
            first = axis % x.ndim if axis < x.ndim else x.ndim
            return [function(x.reshape(*x.shape[:first], -1), -1).reshape(x.shape)]

        return run

    return bind


def layer_normalization(node: Node, constants: Constants, opset: int) -> Function:
    """``(x - mean) / sqrt(variance + epsilon) * scale + bias`` over all axes from `axis` on."""
    given = options(node, (2, 3), (1, 3), axis=("int", -1), epsilon=("float", 1e-5), stash_type=("int", 1))

    def run(inputs: Arrays) -> Arrays:
        x, scale = inputs[:2]
        axes = tuple(range(given.axis % x.ndim, x.ndim))
        mean = x.mean(axes, keepdims=True)
        centred = x - mean
        deviation = np.sqrt((centred * centred).mean(axes, keepdims=True) + x.dtype.type(given.epsilon))
        y = centred / deviation * scale
        return [y if len(inputs) < 3 or inputs[2] is None else y + inputs[2], mean, 1 / deviation]

    return run


def rms_normalization(node: Node, constants: Constants, opset: int) -> Function:
    """``x / sqrt(mean of squares + epsilon) * scale`` over all axes from `axis` on."""
    given = options(node, 2, axis=("int", -1), epsilon=("float", 1e-5), stash_type=("int", 1))

    def run(inputs: Arrays) -> Arrays:
        x, scale = inputs
        axes = tuple(range(given.axis % x.ndim, x.ndim))
        return [x / np.sqrt((x * x).mean(axes, keepdims=True) + x.dtype.type(given.epsilon)) * scale]

    return run


def batch_normalization(node: Node, constants: Constants, opset: int) -> Function:
    """``(x - mean) / sqrt(variance + epsilon) * scale + bias`` for every channel, the second axis."""
    known = {"training_mode": ("int", 0)} if opset >= 14 else {"spatial": ("int", 1)} if opset < 9 else {}
    given = options(node, 5, (1, 5), epsilon=("float", 1e-5), momentum=("float", 0.9), **known)
    if getattr(given, "training_mode", 0) or not getattr(given, "spatial", 1) or any(node.outputs[1:]):
        raise ConvertError(f"{label(node)}: training_mode must be 0 and spatial 1; export the model for inference.")

    def run(inputs: Arrays) -> Arrays:
        x = inputs[0]
        if any(each.shape != (x.shape[1],) for each in inputs[1:]):
            raise LoadError(f"{x.shape[1]} channels, parameters of the shapes {[each.shape for each in inputs[1:]]}")
        scale, bias, mean, variance = (each.reshape(-1, *[1] * (x.ndim - 2)) for each in inputs[1:])
        return [(x - mean) / np.sqrt(variance + x.dtype.type(given.epsilon)) * scale + bias]

    return run


OPERATORS: dict[str, Bind] = {
    "ArgMax": arg(np.argmax),
    "ArgMin": arg(np.argmin),
    "BatchNormalization": batch_normalization,
    "LayerNormalization": layer_normalization,
    "LogSoftmax": over_rows(log_softmax),
    "RMSNormalization": rms_normalization,
    "ReduceL1": reduction(_l1),
    "ReduceL2": reduction(_l2),
    "ReduceMax": reduction(np.max),
    "ReduceMean": reduction(_mean),
    "ReduceMin": reduction(np.min),
    "ReduceProd": reduction(np.prod),
    "ReduceSum": reduction(np.sum, since=13),
    "ReduceSumSquare": reduction(_sum_square),
    "Softmax": over_rows(softmax),
}
