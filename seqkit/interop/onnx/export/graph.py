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
from seqkit.interop.onnx.messages import Graph, Node, Value
from seqkit.interop.onnx.schema import number_of

ENDLESS = np.iinfo(np.int64).max
"""The length of a sequence that is as long as its array."""


@dataclass(frozen=True)
class Flow:
    """What comes out of a layer.

    Attributes
    ----------
    names : tuple of str
        Of one value; of two for both directions side by side.
    features : int
        F.
    sequences : bool
        (T, B, F), or ids (T, B), instead of (B, F).
    zero : bool
        Whether steps past the end are 0 already.
    """

    names: tuple[str, ...]
    features: int
    sequences: bool
    zero: bool = False

    @property
    def name(self) -> str:
        """The one value."""
        if len(self.names) != 1:
            raise ConvertError("bidirectional: both directions side by side (merge_mode=None) can only be the output.")
        return self.names[0]


class ModelGraph(Builder):
    """A builder that knows the lengths of the sequences.

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
        self.ragged = False

    # ---- inputs and outputs ------------------------------------------------------------------

    def read(self, features: int, sequences: bool, ids: bool, lengths: bool) -> Flow:
        """The input "x" and, for sequences, "lengths" of which nobody has to say anything."""
        if ids:
            self.inputs.append(Value("x", np.dtype(np.int64), ("batch", "time")))
        else:
            middle = ("time",) if sequences else ()
            self.inputs.append(Value("x", self.dtype, ("batch", *middle, features)))
        if not sequences:
            return Flow(("x",), features, False)
        if lengths:
            self.ragged = True
            self.inputs.append(Value("lengths", np.dtype(np.int64), ("batch",)))
            self.initializers["lengths"] = np.array([ENDLESS])
        return Flow((self.op("Transpose", "x", perm=[1, 0] if ids else [1, 0, 2]),), features, True)

    def write(self, flow: Flow) -> None:
        """The output "y", or "y_forward" and "y_backward"."""
        middle = ("time",) if flow.sequences else ()
        ends = ("",) if len(flow.names) == 1 else ("_forward", "_backward")
        for name, end in zip(flow.names, ends, strict=True):
            if flow.sequences:
                name = self.op("Transpose", name if flow.zero else self.zeroed(name), perm=[1, 0, 2])
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

    # ---- sizes and lengths ---------------------------------------------------------------------

    @cached_property
    def shape(self) -> str:
        """Of the input."""
        return self.op("Shape", "x")

    @cached_property
    def batch(self) -> str:
        """B, as a shape of one axis."""
        return self.slice(self.shape, 0, 0, 1)

    @cached_property
    def time(self) -> str:
        """T, as a shape of one axis."""
        return self.slice(self.shape, 0, 1, 2)

    @cached_property
    def lengths(self) -> str:
        """Lengths (B,), of which none is above T."""
        return self.op("Min", self.op("Expand", "lengths", self.batch), self.time)

    @cached_property
    def sequence_lens(self) -> str:
        """Lengths (B,) as the recurrent operators take them; nothing where all sequences are as long as the array."""
        return self.op("Cast", self.lengths, to=number_of(np.dtype(np.int32), "sequence_lens")) if self.ragged else ""

    @cached_property
    def inside_steps(self) -> str:
        """Which steps are inside their sequence, (T, B)."""
        zero, one = self.array(np.array(0)), self.array(np.array(1))
        steps = self.op("Range", zero, self.squeeze(self.time, 0), one)
        return self.op("Less", self.unsqueeze(steps, 1), self.unsqueeze(self.lengths, 0))

    @cached_property
    def inside(self) -> str:
        """Which steps are inside their sequence, (T, B, 1)."""
        return self.unsqueeze(self.inside_steps, 2)

    @cached_property
    def any_step(self) -> str:
        """Which sequences have a step, (B, 1)."""
        return self.unsqueeze(self.op("Greater", self.lengths, self.ints(0)), 1)

    def zeroed(self, sequences: str) -> str:
        """Sequences (T, B, F) that are 0 past their end."""
        return self.op("Where", self.inside, sequences, self.number(0.0)) if self.ragged else sequences

    def at_ends(self, sequences: str, features: int) -> str:
        """The last step (B, F) of every sequence (T, B, F), 0 where there is none."""
        last = self.op("Max", self.op("Sub", self.lengths, self.ints(1)), self.ints(0))
        places = self.op("Expand", self.op("Unsqueeze", last, self.ints(0, 2)), self.ints(1, 1, features))
        found = self.squeeze(self.op("GatherElements", sequences, places, axis=0), 0)
        return self.op("Where", self.any_step, found, self.number(0.0))

    def reversed(self, sequences: str) -> str:
        """Sequences (T, B, F) from their end to their start; what is past the end stays."""
        if self.ragged:
            return self.op("ReverseSequence", sequences, self.lengths, time_axis=0, batch_axis=1)
        return self.slice(sequences, 0, -1, -ENDLESS, -1)

    def rows(self, values: np.ndarray, name: str) -> str:
        """The same numbers (F,) for every sequence, (B, F)."""
        return self.op("Expand", self.parameter(values, name), self._rows_of(len(values)))

    def zero_rows(self, size: int) -> str:
        """Zeros (B, size)."""
        return self.op("Expand", self.number(0.0), self._rows_of(size))

    def _rows_of(self, size: int) -> str:
        """The shape (B, size)."""
        return self.op("Concat", self.batch, self.ints(size), axis=0)
