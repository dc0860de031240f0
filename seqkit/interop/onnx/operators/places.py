"""Operators that take numbers from places of an array, or put them there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from seqkit.errors import ConvertError, LoadError, ShapeError
from seqkit.interop.onnx.messages import Node
from seqkit.interop.onnx.operators.binding import Arrays, Bind, Constants, Function, label, many, numbers, options
from seqkit.interop.onnx.operators.shapes import room
from seqkit.limits import LIMITS


def slice_(node: Node, constants: Constants, opset: int) -> Function:
    """Starts, ends and axes are attributes up to version 1 of the operator, inputs (and steps) from 10 on."""
    read: list[Callable[[Arrays], Any]]
    if opset < 10:
        given = options(node, 1, starts=("ints", []), ends=("ints", []), axes=("ints", None))
        first, last, on = given.starts, given.ends, given.axes
        read = [lambda inputs: first, lambda inputs: last, lambda inputs: on, lambda inputs: None]
    else:
        options(node, (3, 5))
        read = [numbers(node, place, constants) for place in (1, 2, 3, 4)]

    if any(name not in constants for name in node.inputs[1:] if name):
        return lambda inputs: [inputs[0][_slices(inputs[0].ndim, *(each(inputs) for each in read))]]
    fixed = [each([]) for each in read]
    places: dict[int, tuple[slice, ...]] = {}

    def run(inputs: Arrays) -> Arrays:
        rank = inputs[0].ndim
        place = places.get(rank)
        if place is None:
            place = places[rank] = _slices(rank, *fixed)
        return [inputs[0][place]]

    return run


def _slices(rank: int, starts: list[int], ends: list[int], axes: Any, steps: Any) -> tuple[slice, ...]:
    """For every axis, what is taken; counted from the end, and cut, as Python does."""
    place = [slice(None)] * rank
    axes = range(len(starts)) if axes is None else axes
    for start, end, axis, step in zip(starts, ends, axes, steps or [1] * len(starts), strict=True):
        place[axis] = slice(start, end, step)
    return tuple(place)


def concat(node: Node, constants: Constants, opset: int) -> Function:
    axis = options(node, many(node.inputs), axis=("int", 0 if "axis" in node.attributes else None)).axis
    if axis is None:
        raise LoadError(f"{label(node)}: has no axis.")
    return lambda inputs: [np.concatenate(inputs, axis)]


def split(node: Node, constants: Constants, opset: int) -> Function:
    """Into given sizes, or into equal ones of which the last may be smaller."""
    count = len(node.outputs)
    known = {"num_outputs": ("int", count)} if opset >= 18 else {"split": ("ints", None)} if opset < 13 else {}
    given = vars(options(node, 1 if opset < 13 else (1, 2), many(node.outputs), axis=("int", 0), **known))
    sizes = numbers(node, 1, constants, otherwise=given.get("split"))
    if given.get("num_outputs", count) != count:
        raise LoadError(f"{label(node)}: has {count} outputs, num_outputs is {given['num_outputs']}.")

    def run(inputs: Arrays) -> Arrays:
        x, axis = inputs[0], given["axis"]
        length, parts = x.shape[axis], sizes(inputs)
        if parts is None and (opset >= 18 or length % count == 0):
            each = -(-length // count)
            parts = [each] * (count - 1) + [length - each * (count - 1)]
        if parts is None or sum(parts) != length or len(parts) != count or min(parts) < 0:
            raise ShapeError(f"{length} numbers are not {count} parts of the sizes {parts or 'equal'}")
        return np.split(x, np.cumsum(parts)[:-1], axis)

    return run


def gather(node: Node, constants: Constants, opset: int) -> Function:
    axis = options(node, 2, axis=("int", 0)).axis
    index = constants.get(node.inputs[1])
    if index is None or index.ndim or index.dtype.kind != "i" or abs(axis) > LIMITS.rank:
        return lambda inputs: [np.take(inputs[0], inputs[1], axis)]
    after = [slice(None)] * (-axis - 1)
    place = (*[slice(None)] * axis, int(index)) if axis >= 0 else (..., int(index), *after)
    return lambda inputs: [inputs[0][place]]


def gather_elements(node: Node, constants: Constants, opset: int) -> Function:
    axis = options(node, 2, axis=("int", 0)).axis
    return lambda inputs: [np.take_along_axis(_cut(inputs[0], inputs[1], axis), inputs[1], axis)]


def scatter_elements(node: Node, constants: Constants, opset: int) -> Function:
    known = {"reduction": ("text", "none")} if opset >= 16 else {}
    given = options(node, 3, axis=("int", 0), **known)
    if known and given.reduction != "none":
        raise ConvertError(f"{label(node)}: reduction {given.reduction!r:.50} is not known here; only none is.")

    def run(inputs: Arrays) -> Arrays:
        x, indices, updates = inputs
        y = x.copy()
        np.put_along_axis(_cut(y, indices, given.axis), indices, updates, given.axis)
        return [y]

    return run


def _cut(x: np.ndarray, indices: np.ndarray, axis: int) -> np.ndarray:
    """A view of those elements of other axes that there are indices for."""
    keep = axis % x.ndim
    return x[tuple(slice(None) if k == keep else slice(size) for k, size in enumerate(indices.shape))]


def top_k(node: Node, constants: Constants, opset: int) -> Function:
    """The largest, or smallest, in order; of equal ones the first."""
    known = {"largest": ("int", 1), "sorted": ("int", 1)} if opset >= 11 else {}
    if opset < 10:
        known["k"] = ("int", 0)
    given = options(node, 1 if opset < 10 else 2, (1, 2), axis=("int", -1), **known)

    def run(inputs: Arrays) -> Arrays:
        x = inputs[0]
        k = given.k if opset < 10 else int(inputs[1].item())
        if not 0 <= k <= x.shape[given.axis]:
            raise ShapeError(f"{k} of {x.shape[given.axis]} numbers")
        down = getattr(given, "largest", 1)
        order = np.argsort(_descending(x) if down else x, given.axis, kind="stable")
        first = np.take(order, np.arange(k), given.axis)
        return [np.take_along_axis(x, first, given.axis), first.astype(np.int64)]

    return run


def _descending(x: np.ndarray) -> np.ndarray:
    """Numbers in the opposite order, the lowest integer included."""
    return -x if x.dtype.kind == "f" else ~x


def reverse_sequence(node: Node, constants: Constants, opset: int) -> Function:
    """Every sequence turned inside its length, padding left where it is."""
    given = options(node, 2, time_axis=("int", 0), batch_axis=("int", 1))
    if {given.time_axis, given.batch_axis} != {0, 1}:
        raise LoadError(f"{label(node)}: time_axis and batch_axis must be 0 and 1, got {vars(given)}.")

    def run(inputs: Arrays) -> Arrays:
        x, lengths = inputs[0].swapaxes(0, given.batch_axis), inputs[1]  # (B, T, ...)
        if len(lengths) != len(x) or (lengths < 0).any() or (lengths > x.shape[1]).any():
            raise ShapeError(f"lengths {lengths.tolist()!r:.100} of {len(x)} sequences of {x.shape[1]} steps")
        y = x.copy()
        for row, turned, length in zip(x, y, lengths.tolist(), strict=True):
            turned[:length] = row[:length][::-1]
        return [y.swapaxes(0, given.batch_axis)]

    return run


MODES = {"constant": "constant", "edge": "edge", "reflect": "reflect", "wrap": "wrap"}


def pad(node: Node, constants: Constants, opset: int) -> Function:
    """Before and after each axis; negative numbers cut off.  They were attributes up to version 2."""
    known = {"pads": ("ints", []), "value": ("float", 0.0)} if opset < 11 else {}
    given = options(node, 1 if opset < 11 else (2, 4), mode=("text", "constant"), **known)
    if given.mode not in MODES:
        raise ConvertError(f"{label(node)}: mode {given.mode!r:.50} is not known here; known are {[*MODES]}.")
    pads, chosen = numbers(node, 1, constants, getattr(given, "pads", None)), numbers(node, 3, constants)

    def run(inputs: Arrays) -> Arrays:
        x, counts = inputs[0], pads(inputs)
        value = given.value if opset < 11 else inputs[2] if len(inputs) > 2 and inputs[2] is not None else 0
        axes = chosen(inputs)
        return [_padded(x, counts, range(x.ndim) if axes is None else axes, given.mode, value)]

    return run


def _padded(x: np.ndarray, counts: list[int], axes: Any, mode: str, value: Any) -> np.ndarray:
    before, after = np.zeros(x.ndim, int), np.zeros(x.ndim, int)
    half = len(counts) // 2
    for axis, first, last in zip(axes, counts[:half], counts[half:], strict=True):
        before[axis], after[axis] = first, last
    kept = [slice(max(0, -b), size - max(0, -a)) for b, a, size in zip(before, after, x.shape, strict=True)]
    widths = np.stack([np.maximum(before, 0), np.maximum(after, 0)], axis=1)
    room(np.array(x.shape) + widths.sum(axis=1), x.dtype)
    extra = {"constant_values": np.asarray(value).item()} if mode == "constant" else {}
    return np.pad(x[tuple(kept)], widths.tolist(), mode=mode, **extra)  # type: ignore[call-overload]


OPERATORS: dict[str, Bind] = {
    "Concat": concat,
    "Gather": gather,
    "GatherElements": gather_elements,
    "Pad": pad,
    "ReverseSequence": reverse_sequence,
    "ScatterElements": scatter_elements,
    "Slice": slice_,
    "Split": split,
    "TopK": top_k,
}
