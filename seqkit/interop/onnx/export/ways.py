"""Recurrent layers: each is one way, or two of them, through its sequences.

Legend: B batch, T time, S numbers of a state.
"""

from __future__ import annotations

from dataclasses import dataclass

from seqkit.errors import ConvertError
from seqkit.interop.onnx.export.graph import ModelGraph
from seqkit.recurrent import Recurrent


@dataclass(frozen=True)
class Way:
    """One direction of a layer.

    Attributes
    ----------
    layer : Recurrent
    scope : str
        What the names of its constants begin with.
    states : str
        What the names of its states begin with, where they are inputs and outputs.
    reverse : bool
        Whether it starts at the end of each sequence; outputs stay at the time of their input.
    """

    layer: Recurrent
    scope: str
    states: str
    reverse: bool

    def parameter(self, name: str) -> str:
        """The name of a constant."""
        return f"{self.scope}.{name}"

    def initial(self, graph: ModelGraph) -> list[str]:
        """Initial states (B, S) in the cell's order; none where all are 0."""
        names, sizes = self.layer.cell.states, self.layer.state_sizes
        if graph.states:
            return [graph.initial_state(f"{self.states}{name}", size) for name, size in zip(names, sizes, strict=True)]
        if self.layer.stateful:
            raise ConvertError(
                f"{self.layer.name}: a stateful layer goes on from the call before, which an ONNX model cannot; "
                "export it with states=True and pass its final states on as the initial ones."
            )
        learned = [f"initial_{name}" for name in names] if self.layer.initial_state == "learned" else []
        return [graph.rows(self.layer.params[name], self.parameter(name)) for name in learned]

    def final(self, graph: ModelGraph, states: list[str]) -> None:
        """Final states (B, S) as outputs, where they are asked for."""
        if graph.states:
            for name, value, size in zip(self.layer.cell.states, states, self.layer.state_sizes, strict=True):
                graph.final_state(value, f"{self.states}{name}", size)


@dataclass(frozen=True)
class Outcome:
    """What a way gives.

    Attributes
    ----------
    steps : str
        Outputs (T, B, S) at the time of their input, 0 past the end; "" where nobody asked for them.
    states : list of str
        Final states (B, S): those at the end of each sequence, the initial ones for one without steps.
    """

    steps: str
    states: list[str]
