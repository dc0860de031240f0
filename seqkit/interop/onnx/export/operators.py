"""Writes a recurrent layer as the operator of ONNX that it is.

Legend: T time, B batch, F features, D directions, H units, G gates.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seqkit.interop import dialects
from seqkit.interop.onnx.export.graph import ModelGraph
from seqkit.interop.onnx.export.native import Operator, activations
from seqkit.interop.onnx.export.times import Times
from seqkit.interop.onnx.export.ways import Outcome, Way


def run_operator(
    graph: ModelGraph, x: str, times: Times, ways: list[Way], operators: list[Operator], steps: bool
) -> list[Outcome]:
    """One node for one way, or for both ways of a bidirectional layer.

    Parameters
    ----------
    graph : ModelGraph
        Where it is written.
    x, times : str, Times
        Sequences (T, B, F).
    ways, operators : list
        One or two directions of alike operators.
    steps : bool
        Whether outputs of every step are asked for.
    """
    layer, operator = ways[0].layer, operators[0]
    initial = [way.initial(graph) for way in ways]
    inputs = [x, *_weights(graph, ways, operators), times.sequence_lens]
    inputs += [_directions(graph, list(states)) for states in zip(*initial, strict=True)]
    if operator.kind == "peephole":
        inputs += [""] * (7 - len(inputs)) + [_stacked(graph, ways, operators, "peepholes", "P")]
    direction = "bidirectional" if len(ways) == 2 else "reverse" if ways[0].reverse else "forward"
    y, *finals = graph.ops(
        operator.op_type,
        *_without_last_empty(inputs),
        outputs=1 + len(layer.cell.states),
        hidden_size=layer.units,
        direction=direction,
        **operator.attributes,
        **activations(operators),
    )
    outcomes = []
    for number, own in enumerate(initial):
        states = [_direction(graph, final, number, len(ways), axis=0) for final in finals]
        whole = _direction(graph, y, number, len(ways), axis=1) if steps else ""
        outcomes.append(Outcome(whole, _of_empty_sequences(graph, times, states, own)))
    return outcomes


def _weights(graph: ModelGraph, ways: list[Way], operators: list[Operator]) -> list[str]:
    """W (D, G*H, F), R (D, G*H, H) and, with a bias, B (D, 2*G*H)."""
    weights = [_stacked(graph, ways, operators, *names) for names in (("kernel", "W"), ("recurrent", "R"))]
    biased = ways[0].layer.use_bias
    return [*weights, _stacked(graph, ways, operators, "bias", "B") if biased else ""]


def _stacked(graph: ModelGraph, ways: list[Way], operators: list[Operator], key: str, name: str) -> str:
    """An array of all directions, in the operator's order of gates."""
    arrays = []
    for way, operator in zip(ways, operators, strict=True):
        reset: dict[str, Any] = {}
        if operator.kind == "gru":
            reset["reset_after"] = bool(operator.attributes["linear_before_reset"])
        dialect, gates = dialects.find("onnx", operator.kind), way.layer.cell.gates
        written = dialect.write(way.layer.params.reading(), gates=gates, **reset)
        both = [written["bias"], written["recurrent_bias"]] if key == "bias" else [written[key]]
        arrays.append(np.concatenate(both))
    return graph.parameter(np.stack(arrays), ways[0].parameter(name))


def _directions(graph: ModelGraph, states: list[str]) -> str:
    """States (B, H) of all directions as one (D, B, H)."""
    parts = [graph.unsqueeze(state, 0) for state in states]
    return parts[0] if len(parts) == 1 else graph.op("Concat", *parts, axis=0)


def _direction(graph: ModelGraph, values: str, number: int, count: int, axis: int) -> str:
    """What belongs to one direction."""
    part = values if count == 1 else graph.slice(values, axis, number, number + 1)
    return graph.squeeze(part, axis)


def _of_empty_sequences(graph: ModelGraph, times: Times, states: list[str], initial: list[str]) -> list[str]:
    """Final states, those that it starts from for a sequence without steps, of which the specification says nothing."""
    if not (times.ragged and initial):
        return states
    return [graph.op("Where", times.any_step, *pair) for pair in zip(states, initial, strict=True)]


def _without_last_empty(inputs: list[str]) -> list[str]:
    """Inputs up to the last one that is given."""
    given = max(number for number, name in enumerate(inputs) if name)
    return inputs[: given + 1]
