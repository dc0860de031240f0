"""The graph of a model while it is written: its inputs, its outputs, and what is known of the sequences in it.

Legend: B batch, T time, F features.  Inside the graph sequences are (T, B, F), as the operators LSTM, GRU, RNN and Scan
have them; inputs and outputs of a model are (B, T, F).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from seqkit.errors import ConvertError
from seqkit.interop.onnx.export.builder import Builder
from seqkit.interop.onnx.export.times import ENDLESS, Times
from seqkit.interop.onnx.messages import Graph, Node, Value


@dataclass(frozen=True)
class Flow:
    """What comes out of a layer.

    Attributes
    ----------
    names : tuple of str
        Of one value; of two for both directions side by side.
    features : int
        F.
    times : Times or None
        Of sequences (T, B, F), or ids (T, B); None for vectors (B, F).
    zero : bool
        Whether steps past the end are 0 already.
    """

    names: tuple[str, ...]
    features: int
    times: Times | None
    zero: bool = False

    @property
    def name(self) -> str:
        """The one value."""
        if len(self.names) != 1:
            raise ConvertError("bidirectional: both directions side by side (merge_mode=None) can only be the output.")
        return self.names[0]


class ModelGraph(Builder):
    """A builder of a graph with inputs and outputs.

    Parameters
    ----------
    dtype : dtype
        Of parameters and results.
    opset : int
        Version of ONNX' operators.
    states : bool
        Whether initial and final states are inputs and outputs.
    """

    def __init__(self, dtype: np.dtype, opset: int, states: bool) -> None:
        super().__init__(dtype, opset)
        self.states = states
        self.inputs: list[Value] = []
        self.outputs: list[Value] = []

    # ---- inputs and outputs ------------------------------------------------------------------

    def read(self, features: int, sequences: bool, ids: bool, lengths: bool) -> Flow:
        """The input "x" and, for sequences, "lengths" of which nobody has to say anything."""
        if ids:
            self.inputs.append(Value("x", np.dtype(np.int64), ("batch", "time")))
        else:
            middle = ("time",) if sequences else ()
            self.inputs.append(Value("x", self.dtype, ("batch", *middle, features)))
        if not sequences:
            return Flow(("x",), features, None)
        if lengths:
            self.inputs.append(Value("lengths", np.dtype(np.int64), ("batch",)))
            self.initializers["lengths"] = np.array([ENDLESS])
        x = self.op("Transpose", "x", perm=[1, 0] if ids else [1, 0, 2])
        return Flow((x,), features, Times(self, self.shape, "lengths" if lengths else ""))

    def write(self, flow: Flow) -> None:
        """The output "y", or "y_forward" and "y_backward"."""
        middle = () if flow.times is None else ("time",)
        ends = ("",) if len(flow.names) == 1 else ("_forward", "_backward")
        for name, end in zip(flow.names, ends, strict=True):
            if flow.times is not None:
                name = self.op("Transpose", name if flow.zero else flow.times.zeroed(name), perm=[1, 0, 2])
            self.result(name, f"y{end}", ("batch", *middle, flow.features))

    def result(self, value: str, name: str, shape: tuple[int | str | None, ...]) -> None:
        """An output under this name."""
        self.nodes.append(Node("Identity", [value], [name]))
        self.outputs.append(Value(name, self.dtype, shape))

    def initial_state(self, name: str, size: int) -> str:
        """An input (B, size)."""
        self.inputs.append(Value(f"initial_{name}", self.dtype, ("batch", size)))
        return f"initial_{name}"

    def final_state(self, value: str, name: str, size: int) -> None:
        """An output (B, size)."""
        self.result(value, f"final_{name}", ("batch", size))

    def graph_of_model(self) -> Graph:
        """The graph that has been written."""
        return self.graph("seqkit", self.inputs, self.outputs)

    # ---- sizes -------------------------------------------------------------------------------

    @cached_property
    def shape(self) -> str:
        """Of the input."""
        return self.op("Shape", "x")

    @cached_property
    def batch(self) -> str:
        """B, as a shape of one axis."""
        return self.slice(self.shape, 0, 0, 1)

    def rows(self, values: np.ndarray, name: str) -> str:
        """The same numbers (F,) for every sequence, (B, F)."""
        return self.op("Expand", self.parameter(values, name), self._rows_of(len(values)))

    def zero_rows(self, size: int) -> str:
        """Zeros (B, size)."""
        return self.op("Expand", self.number(0.0), self._rows_of(size))

    def _rows_of(self, size: int) -> str:
        """The shape (B, size)."""
        return self.op("Concat", self.batch, self.ints(size), axis=0)
