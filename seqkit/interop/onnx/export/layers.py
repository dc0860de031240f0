"""How each kind of layer is written.

Legend: B batch, T time, F features.
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np

from seqkit.errors import ConvertError
from seqkit.interop.onnx.export.functions import activation
from seqkit.interop.onnx.export.graph import Flow, ModelGraph
from seqkit.interop.onnx.export.native import operator_of
from seqkit.interop.onnx.export.operators import run_operator
from seqkit.interop.onnx.export.scan import run_scan
from seqkit.interop.onnx.export.times import MaskedTimes, Times
from seqkit.interop.onnx.export.ways import Outcome, Way
from seqkit.layer import Layer
from seqkit.layers.activation import Activation
from seqkit.layers.bidirectional import Bidirectional
from seqkit.layers.dense import Dense
from seqkit.layers.dropout import Dropout
from seqkit.layers.embedding import Embedding
from seqkit.layers.last_step import LastStep
from seqkit.layers.prelu import PReLU
from seqkit.layers.repeat_vector import RepeatVector
from seqkit.recurrent import Recurrent

HARMLESS = ("name", "config", "from_config", "_abc_impl")
"""What a subclass may have of its own beside its constructor and still compute what its base does."""


@singledispatch
def write(layer: Any, graph: ModelGraph, flow: Flow, number: str) -> Flow:
    """Write a layer of one kind behind `flow`; ``write.register`` adds a kind."""
    raise ConvertError(
        f"{layer.name}: {type(layer).__name__} is computed by a program of its own, which has no form in ONNX; "
        "write it as a seqkit.Cell."
    )


def write_layer(layer: Layer, graph: ModelGraph, flow: Flow, number: str = "") -> Flow:
    """Write a layer behind `flow`.

    Parameters
    ----------
    layer : Layer
        Any that is built.
    graph : ModelGraph
        Where it is written.
    flow : Flow
        Its input.
    number : str
        Its place in a model; "" for a layer by itself.

    Raises
    ------
    ConvertError
        If it cannot be represented exactly; the message says why.
    """
    kind = next(cls for cls in type(layer).__mro__ if cls in write.registry)
    changed = [] if kind is object else _own(type(layer), kind)
    if changed:
        raise ConvertError(
            f"{layer.name}: {type(layer).__name__} has a {', '.join(changed)} of its own, so it may compute something "
            f"else than {kind.__name__} does; ONNX cannot be told what."
        )
    if layer.precision != layer.dtype.name:
        raise ConvertError(
            f"{layer.name}: products in {layer.precision} have no exact form in ONNX; export quantize('float32') of it."
        )
    return write(layer, graph, flow, number)


def _own(cls: type, base: type) -> list[str]:
    """Names that a class and its bases up to `base` define, of those that may change what it computes."""
    names = {name for one in cls.__mro__ if issubclass(one, base) and one is not base for name in vars(one)}
    special = {name for name in names if name.startswith("__") and name not in ("__call__", "__getattribute__")}
    return sorted(names - special - set(HARMLESS))


def sequences(layer: Layer, flow: Flow) -> tuple[str, Times]:
    """The sequences (T, B, F) that a layer reads."""
    if flow.times is None:
        raise ConvertError(f"{layer.name}: reads sequences, but the layer before it gives one vector for each of them.")
    return flow.name, flow.times


@write.register
def _dropout(layer: Dropout, graph: ModelGraph, flow: Flow, number: str) -> Flow:
    return flow


@write.register
def _dense(layer: Dense, graph: ModelGraph, flow: Flow, number: str) -> Flow:
    params, scope = layer.params.reading(), _scope(layer, number)
    y = graph.op("MatMul", flow.name, graph.parameter(params["weight"].T, f"{scope}.weight"))
    if layer.use_bias:
        y = graph.op("Add", y, graph.parameter(params["bias"], f"{scope}.bias"))
    y = activation(graph, layer.activation, y, layer.name)
    return Flow((y,), layer.units, flow.times)


@write.register
def _prelu(layer: PReLU, graph: ModelGraph, flow: Flow, number: str) -> Flow:
    alpha = graph.parameter(layer.params["alpha"], f"{_scope(layer, number)}.alpha")
    below = graph.op("Mul", flow.name, alpha)
    y = graph.op("Where", graph.op("Less", flow.name, graph.number(0.0)), below, flow.name)
    return Flow((y,), flow.features, flow.times)


@write.register
def _activation(layer: Activation, graph: ModelGraph, flow: Flow, number: str) -> Flow:
    return Flow((activation(graph, layer.activation, flow.name, layer.name),), flow.features, flow.times)


@write.register
def _embedding(layer: Embedding, graph: ModelGraph, flow: Flow, number: str) -> Flow:
    if layer.mask_zero:
        raise ConvertError(
            f"{layer.name}: mask_zero finds the ends of sequences by their ids, which is not written; export the model "
            f"with an Embedding without it, and give lengths."
        )
    ids, times = sequences(layer, flow)
    if times.ragged:  # what is past the end may be anything
        ids = graph.op("Where", times.inside_steps, ids, graph.array(np.array(0)))
    table = graph.parameter(layer.params["weight"], f"{_scope(layer, number)}.weight")
    return Flow((graph.op("Gather", table, ids, axis=0),), layer.output_dim, times)


@write.register
def _last_step(layer: LastStep, graph: ModelGraph, flow: Flow, number: str) -> Flow:
    x, times = sequences(layer, flow)
    return Flow((times.last(x, flow.features),), flow.features, None)


@write.register
def _repeat_vector(layer: RepeatVector, graph: ModelGraph, flow: Flow, number: str) -> Flow:
    if flow.times is not None:
        raise ConvertError(f"{layer.name}: reads vectors, but the layer before it gives sequences.")
    y = graph.op("Expand", graph.unsqueeze(flow.name, 0), graph.ints(layer.n, 1, 1))
    return Flow((y,), flow.features, Times(graph))


@write.register
def _recurrent(layer: Recurrent, graph: ModelGraph, flow: Flow, number: str) -> Flow:
    way = Way(layer, _scope(layer, number), f"{number}_" if number else "", layer.go_backwards)
    x, times = sequences(layer, flow)
    outcome = _run(graph, x, times, way)
    way.final(graph, outcome.states)
    y = _output(graph, times, outcome, layer)
    if layer.return_sequences and layer.go_backwards:
        y = times.reversed(y)  # outputs come in the order of reading
    return Flow((y,), layer.output_size, times if layer.return_sequences else None, zero=True)


@write.register
def _bidirectional(layer: Bidirectional, graph: ModelGraph, flow: Flow, number: str) -> Flow:
    x, times = sequences(layer, flow)
    scope, before = _scope(layer, number), f"{number}_" if number else ""
    layers = {"forward": layer.forward_layer, "backward": layer.backward_layer}
    ways = [Way(one, f"{scope}.{name}", f"{before}{name}_", name == "backward") for name, one in layers.items()]
    for way, outcome in zip(ways, outcomes := _run_both(graph, x, times, ways), strict=True):
        way.final(graph, outcome.states)
    both = tuple(_output(graph, times, outcome, way.layer) for way, outcome in zip(ways, outcomes, strict=True))
    if isinstance(times, MaskedTimes) and layer.returns_sequences:
        both = tuple(graph.op("Where", times.mask, y, graph.number(0.0)) for y in both)
    names = both if layer.merge_mode is None else (_merged(graph, layer.merge_mode, both),)
    return Flow(names, layer.output_size, times if layer.returns_sequences else None, zero=True)


def _run(graph: ModelGraph, x: str, times: Times, way: Way) -> Outcome:
    operator, steps = operator_of(way.layer), way.layer.return_sequences
    if operator is None or isinstance(times, MaskedTimes):
        return run_scan(graph, x, times, way, steps)
    return run_operator(graph, x, times, [way], [operator], steps)[0]


def _run_both(graph: ModelGraph, x: str, times: Times, ways: list[Way]) -> list[Outcome]:
    """Both directions: one node where they are of one kind, else one each."""
    operators = [operator for way in ways if (operator := operator_of(way.layer))]
    kinds = {(one.kind, *one.attributes.items()) for one in operators}
    options = {(way.layer.units, way.layer.use_bias, way.layer.initial_state) for way in ways}
    if len(operators) == 2 and len(kinds) == len(options) == 1 and not isinstance(times, MaskedTimes):
        return run_operator(graph, x, times, ways, operators, ways[0].layer.return_sequences)
    return [_run(graph, x, times, way) for way in ways]


def _output(graph: ModelGraph, times: Times, outcome: Outcome, layer: Recurrent) -> str:
    """Outputs of all steps (T, B, F), or the last one of each sequence (B, F): 0 where it has none."""
    if layer.return_sequences:
        return outcome.steps
    starts_elsewhere = graph.states or layer.initial_state != "zeros"
    if times.any_read and starts_elsewhere:
        return graph.op("Where", times.any_read, outcome.states[0], graph.number(0.0))
    return outcome.states[0]


def _merged(graph: ModelGraph, mode: str, both: tuple[str, ...]) -> str:
    if mode == "concat":
        return graph.op("Concat", *both, axis=-1)
    if mode == "mul":
        return graph.op("Mul", *both)
    total = graph.op("Add", *both)
    return total if mode == "sum" else graph.op("Div", total, graph.number(2.0))


def _scope(layer: Layer, number: str) -> str:
    """What the names of a layer's constants begin with."""
    return f"{number}.{layer.name}" if number else layer.name
