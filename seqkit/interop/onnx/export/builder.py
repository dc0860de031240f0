"""Nodes of a graph while it is written.

Names and numbers of a graph depend on nothing but the order in which it is written, so that equal models give equal
files.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seqkit.interop.onnx.messages import Graph, Node, Value


class Builder:
    """Writes nodes; what a node gives is known by its name.

    Parameters
    ----------
    dtype : dtype
        Of the numbers that are computed with.
    opset : int
        Version of ONNX' operators.
    outer : Builder, optional
        Where this one writes the body of a node: constants and names are shared.

    Examples
    --------
    >>> builder = Builder(np.dtype("float32"), 17)
    >>> builder.op("Add", "x", builder.number(1.0))
    'add_1'
    >>> builder.nodes[0].inputs, builder.initializers["constant_0"].tolist()
    (['x', 'constant_0'], 1.0)
    """

    def __init__(self, dtype: np.dtype, opset: int, outer: Builder | None = None) -> None:
        self.dtype, self.opset, self.outer = dtype, opset, outer
        self.nodes: list[Node] = []
        self.initializers: dict[str, np.ndarray] = outer.initializers if outer else {}
        self._known: dict[Any, str] = outer._known if outer else {}
        self._count: list[int] = outer._count if outer else [0]

    def body(self) -> Builder:
        """A builder for a graph inside this one."""
        return Builder(self.dtype, self.opset, self)

    def name(self, what: str) -> str:
        """A name that nothing else has."""
        number, self._count[0] = self._count[0], self._count[0] + 1
        return f"{what}_{number}"

    def op(self, op_type: str, *inputs: str, **attributes: Any) -> str:
        """A node with one output."""
        return self.ops(op_type, *inputs, outputs=1, **attributes)[0]

    def ops(self, op_type: str, *inputs: str, outputs: int, **attributes: Any) -> list[str]:
        """A node with several outputs."""
        names = [self.name(op_type.lower()) for _ in range(outputs)]
        self.nodes.append(Node(op_type, list(inputs), names, attributes))
        return names

    def array(self, array: np.ndarray, name: str = "") -> str:
        """A constant; one that is there already is not written twice."""
        array = np.ascontiguousarray(array).reshape(np.shape(array))
        key = array.dtype.str, array.shape, array.tobytes()
        if key not in self._known:
            taken = not name or name in self.initializers
            self._known[key] = self.name(name or "constant") if taken else name
            self.initializers[self._known[key]] = array
        return self._known[key]

    def number(self, value: float) -> str:
        """A number that is computed with."""
        return self.array(np.array(value, self.dtype))

    def parameter(self, array: np.ndarray, name: str) -> str:
        """Numbers that are computed with, under a name for people."""
        return self.array(np.asarray(array, self.dtype), name)

    def ints(self, *values: int) -> str:
        """Sizes, axes, indices."""
        return self.array(np.array(values, np.int64))

    # ---- operators that take their options as arrays -------------------------------------------

    def slice(self, x: str, axis: int, start: int, stop: int, step: int = 1) -> str:
        """A part of an axis."""
        return self.op("Slice", x, self.ints(start), self.ints(stop), self.ints(axis), self.ints(step))

    def split(self, x: str, sizes: list[int]) -> list[str]:
        """Parts of the last axis."""
        return self.ops("Split", x, self.ints(*sizes), outputs=len(sizes), axis=-1) if len(sizes) > 1 else [x]

    def squeeze(self, x: str, axis: int) -> str:
        """Without an axis of one."""
        return self.op("Squeeze", x, self.ints(axis))

    def unsqueeze(self, x: str, axis: int) -> str:
        """With one more axis of one."""
        return self.op("Unsqueeze", x, self.ints(axis))

    def largest(self, x: str, axis: int = -1, keep: bool = True) -> str:
        """The largest of an axis, which stays as an axis of one if it is to be kept."""
        if self.opset < 18:
            return self.op("ReduceMax", x, axes=[axis], keepdims=int(keep))
        return self.op("ReduceMax", x, self.ints(axis), keepdims=int(keep))

    def graph(self, name: str, inputs: list[Value], outputs: list[Value]) -> Graph:
        """The graph that has been written; constants belong to the outermost one."""
        return Graph(name, self.nodes, inputs, outputs, {} if self.outer else self.initializers)
