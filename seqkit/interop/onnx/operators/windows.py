"""Operators that go over an array with a window: convolutions and pools of one axis or more.

Legend: N batch, C channels, M output channels, G groups, S axes of space, O places of the window, K its size.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from seqkit.errors import ConvertError, LoadError, ShapeError
from seqkit.interop.onnx.messages import Node
from seqkit.interop.onnx.operators.binding import Arrays, Bind, Constants, Function, label, options
from seqkit.interop.onnx.operators.products import product

WINDOW: dict[str, tuple[str, Any]] = {
    "auto_pad": ("text", "NOTSET"),
    "dilations": ("ints", None),
    "kernel_shape": ("ints", None),
    "pads": ("ints", None),
    "strides": ("ints", None),
}


def _settled(given: SimpleNamespace, sizes: tuple[int, ...], space: tuple[int, ...]) -> tuple[Any, Any, Any]:
    """Strides, dilations and padding (first, last) of every axis of an array of this size in space."""
    rank = len(space)
    strides, dilations = given.strides or [1] * rank, given.dilations or [1] * rank
    pads = given.pads or [0] * (2 * rank)
    if not len(sizes) == len(strides) == len(dilations) == len(pads) / 2 == rank:
        raise ShapeError(f"an array of {rank} axes in space, the window has {len(sizes)}")
    if min((*sizes, *strides, *dilations)) < 1 or min(pads) < 0:
        raise ShapeError("sizes, strides and dilations of windows are from 1 on, padding from 0 on")
    around = list(zip(pads[:rank], pads[rank:], strict=True))
    if given.auto_pad.startswith("SAME"):  # as many places as the stride leaves, the odd number at one side
        reach = [(size - 1) * dilation + 1 for size, dilation in zip(sizes, dilations, strict=True)]
        each = zip(space, reach, strides, strict=True)
        total = [max(0, (-(-length // step) - 1) * step + wide - length) for length, wide, step in each]
        around = [(n - n // 2, n // 2) if given.auto_pad == "SAME_LOWER" else (n // 2, n - n // 2) for n in total]
    return strides, dilations, around


def windows(x: np.ndarray, sizes: tuple[int, ...], given: SimpleNamespace, fill: float) -> np.ndarray:
    """A view (N, C, *O, *K) of the padded array (N, C, *S)."""
    strides, dilations, around = _settled(given, sizes, x.shape[2:])
    if any(any(pair) for pair in around):
        x = np.pad(x, [(0, 0), (0, 0), *around], constant_values=fill)
    reach = [(size - 1) * dilation + 1 for size, dilation in zip(sizes, dilations, strict=True)]
    if any(wide > length for wide, length in zip(reach, x.shape[2:], strict=True)):
        raise ShapeError(f"a window of {reach} over an array of the shape {x.shape}")
    rank = len(sizes)
    view = np.lib.stride_tricks.sliding_window_view(x, tuple(reach), tuple(range(2, 2 + rank)))
    steps = tuple(slice(None, None, step) for step in (1, 1, *strides, *dilations))
    return view[steps]


def conv(node: Node, constants: Constants, opset: int) -> Function:
    """``y[n, m, o] = b[m] + sum over c, k of w[m, c, k] x[n, c, o strides + k dilations]``, channels in groups."""
    given = _window(node, (2, 3), 1, group=("int", 1))
    if given.group < 1:
        raise LoadError(f"{label(node)}: group must be from 1 on, got {given.group}.")

    def run(inputs: Arrays) -> Arrays:
        x, w = inputs[:2]
        bias = inputs[2] if len(inputs) > 2 else None
        return [_conv(x, w, bias, given)]

    return run


def _conv(x: np.ndarray, w: np.ndarray, bias: np.ndarray | None, given: SimpleNamespace) -> np.ndarray:
    groups, kernel, rank = given.group, w.shape[2:], w.ndim - 2
    if x.ndim != w.ndim or x.shape[1] != groups * w.shape[1] or w.shape[0] % groups:
        raise ShapeError(f"a kernel {w.shape} in {groups} groups over an array of the shape {x.shape}")
    view = windows(x, kernel, given, 0.0)  # (N, C, *O, *K)
    places = view.shape[2 : 2 + rank]
    rows = view.reshape(x.shape[0], groups, w.shape[1], *view.shape[2:])
    rows = np.moveaxis(rows, 2, 2 + rank).swapaxes(0, 1)  # (G, N, *O, C/G, *K)
    rows = rows.reshape(groups, x.shape[0] * math.prod(places), w.shape[1] * math.prod(kernel))
    filters = w.reshape(groups, w.shape[0] // groups, -1)
    parts = [product(part, own.T) for part, own in zip(rows, filters, strict=True)]  # (N O, M/G)
    y = np.concatenate(parts, axis=1).reshape(x.shape[0], *places, w.shape[0])
    return np.moveaxis(y if bias is None else y + bias, -1, 1)


def _window(node: Node, inputs: Any, outputs: Any, **more: tuple[str, Any]) -> SimpleNamespace:
    given = options(node, inputs, outputs, **WINDOW, **more)
    if given.auto_pad not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
        raise ConvertError(f"{label(node)}: auto_pad {given.auto_pad!r:.50} is not known here.")
    if given.auto_pad != "NOTSET":
        given.pads = None
    return given


def pool(reduced: Callable[..., np.ndarray], fill: float, **more: tuple[str, Any]) -> Bind:
    """A pool that reduces every window, filled up with `fill`, over its axes."""

    def bind(node: Node, constants: Constants, opset: int) -> Function:
        given = _window(node, 1, (1, 2), ceil_mode=("int", 0), **more)
        if node.outputs[1:] not in ([], [""]):
            raise ConvertError(f"{label(node)}: the places of the largest numbers are not given here.")
        if given.ceil_mode or getattr(given, "storage_order", 0):
            raise ConvertError(f"{label(node)}: ceil_mode and storage_order must be 0 here.")
        if not given.kernel_shape:
            raise LoadError(f"{label(node)}: has no kernel_shape.")
        kernel, axes = tuple(given.kernel_shape), tuple(range(-len(given.kernel_shape), 0))
        count_all = getattr(given, "count_include_pad", 1)

        def run(inputs: Arrays) -> Arrays:
            view = windows(inputs[0], kernel, given, fill)
            if count_all:
                return [reduced(view, axes)]
            inside = windows(np.ones((1, 1, *inputs[0].shape[2:]), inputs[0].dtype), kernel, given, 0.0)
            return [view.sum(axes) / inside.sum(axes)]

        return run

    return bind


def global_average_pool(node: Node, constants: Constants, opset: int) -> Function:
    options(node, 1)
    return lambda inputs: [inputs[0].mean(tuple(range(2, inputs[0].ndim)), keepdims=True)]


OPERATORS: dict[str, Bind] = {
    "AveragePool": pool(np.mean, 0.0, count_include_pad=("int", 0)),
    "Conv": conv,
    "GlobalAveragePool": global_average_pool,
    "MaxPool": pool(np.max, -np.inf, storage_order=("int", 0)),
}
