"""Random inputs that fit a graph: sizes that are free, ids of something to be looked up, lengths of sequences."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from seqkit.errors import ConvertError, SeqkitError
from seqkit.interop.imported import Arrays
from seqkit.interop.onnx.messages import Graph, Value

SIZES = ((1, 8, False), (1, 8, False), (1, 8, True), (24, 40, False), (24, 40, True), (1, 1, True))
"""From, to, and whether all free sizes are the same, in the order in which they are tried."""

SAME_NUMBERS = {"Cast", "Concat", "Expand", "Flatten", "Gather", "Identity", "Reshape", "Slice", "Squeeze", "TopK"}
SAME_NUMBERS |= {"Max", "Min", "Transpose", "Unsqueeze"}
"""Operators that give integers of their first input again."""

MOST_NUMBERS = 1 << 24
"""Of an input that is drawn."""

LENGTHS = -1
"""Instead of a bound: integers that are lengths of sequences."""
TAKE_LENGTHS = {"GRU": 4, "LSTM": 4, "RNN": 4, "ReverseSequence": 1}
"""Inputs that are."""

Shapes = dict[str, tuple[int, ...]]


def draw(
    graph: Graph, inputs: Sequence[Value], run: Callable[[Arrays], object], rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Arrays for these inputs of a graph, on which it runs; those that may be left out are, unless they are lengths.

    Raises
    ------
    ConvertError
        If none were found.
    """
    bounds = _bounds(graph)
    bounds |= {value.name: LENGTHS for value in inputs if _named_lengths(value)}
    given = [each for each in inputs if each.name not in graph.initializers or bounds.get(each.name) == LENGTHS]
    for least, most, equal in SIZES:
        shapes = _shapes(given, rng, least, most, equal)
        large = [name for name, shape in shapes.items() if math.prod(shape) > MOST_NUMBERS]
        if large:
            raise ConvertError(
                f"the ONNX model has inputs too large to be drawn, of over {MOST_NUMBERS} numbers: {large!r:.200}."
            )
        feeds = {value.name: _array(value, given, shapes, bounds.get(value.name, 2), rng) for value in given}
        try:
            run(feeds)
        except SeqkitError as error:
            last = error
        else:
            return feeds
    raise ConvertError(f"no inputs were found on which the ONNX model runs; the last error was: {last}")


def _bounds(graph: Graph) -> dict[str, int]:
    """What integers of the inputs must be below, or LENGTHS, by the operators that read them."""
    bounds: dict[str, int] = {}
    for node in reversed(graph.nodes):  # what reads a value comes after it
        inputs = [*node.inputs, *[""] * 5]
        if node.op_type in TAKE_LENGTHS:
            bounds[inputs[TAKE_LENGTHS[node.op_type]]] = LENGTHS
        if node.op_type == "Gather" and inputs[0] in graph.initializers:
            sizes, axis = graph.initializers[inputs[0]].shape, node.attributes.get("axis", 0)
            size = sizes[axis] if -len(sizes) <= axis < len(sizes) else 1  # the node itself says what is wrong
            bounds[inputs[1]] = min(bounds.get(inputs[1], size), size)
        found = [bounds[name] for name in node.outputs if name in bounds]
        if found and node.op_type in SAME_NUMBERS:
            bounds[inputs[0]] = min([*found, bounds.get(inputs[0], found[0])])
    return bounds


def _named_lengths(value: Value) -> bool:
    """Whether whole numbers, one for each sequence, are called lengths: operators that compare them do not tell."""
    return (
        "len" in value.name.lower()
        and value.dtype is not None
        and value.dtype.kind == "i"
        and len(value.shape or ()) == 1
    )


def _shapes(values: Sequence[Value], rng: np.random.Generator, least: int, most: int, equal: bool) -> Shapes:
    """A shape for each input; sizes of one name are the same, and all free ones where they are `equal`."""
    one = int(rng.integers(least, most + 1))
    sizes: defaultdict[object, int] = defaultdict(lambda: one if equal else int(rng.integers(least, most + 1)))
    return {
        value.name: tuple(
            size if isinstance(size, int) else sizes[size or (value.name, axis)]
            for axis, size in enumerate(value.shape or (None, None, None))
        )
        for value in values
    }


def _array(value: Value, values: Sequence[Value], shapes: Shapes, bound: int, rng: np.random.Generator) -> np.ndarray:
    shape, dtype = shapes[value.name], value.dtype or np.dtype(np.float32)
    if dtype.kind == "f":
        return np.asarray(rng.normal(size=shape)).astype(dtype)
    if dtype.kind == "b":
        return np.asarray(rng.random(shape) < 0.5)
    if bound != LENGTHS:
        return np.asarray(rng.integers(0, bound, shape)).astype(dtype)
    longest = _longest(value, values, shapes)
    lengths = np.sort(rng.integers(1, longest + 1, shape))[..., ::-1].astype(dtype)  # as packed sequences want them
    lengths[:1] = longest
    return lengths


def _longest(lengths: Value, values: Sequence[Value], shapes: Shapes) -> int:
    """Steps that sequences of these lengths can have: a free size of another input that is not their own number."""
    number = lengths.shape[:1] if lengths.shape else ()
    sizes: dict[bool, list[int]] = {True: [], False: []}
    for value in values:
        if value is not lengths and value.shape is not None and len(value.shape) > 1:
            for wanted, size in zip(value.shape, shapes[value.name], strict=True):
                if wanted is None or wanted not in number:
                    sizes[isinstance(wanted, int)].append(size)
    return min(sizes[False] or sizes[True] or [1])
