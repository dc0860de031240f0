"""How layers are written that work on every step by itself, or go around another layer.

Legend: B batch, T time, F features.
"""

from __future__ import annotations

from seqkit.errors import ConvertError
from seqkit.interop.onnx.export.graph import Flow, ModelGraph
from seqkit.interop.onnx.export.layers import sequences, write_layer
from seqkit.layers.layer_norm import LayerNorm
from seqkit.layers.residual import Residual
from seqkit.layers.time_distributed import TimeDistributed


def write_layer_norm(layer: LayerNorm, graph: ModelGraph, flow: Flow, number: str) -> Flow:
    """Write layer normalization by its formula: the operator came with opset 17."""
    params, scope = layer.params.reading(), f"{number}.{layer.name}" if number else layer.name

    def mean(x: str) -> str:
        return graph.op("Div", graph.op("ReduceSum", x, graph.ints(-1), keepdims=1), graph.number(flow.features))

    centred = graph.op("Sub", flow.name, mean(flow.name))
    variance = graph.op("Add", mean(graph.op("Mul", centred, centred)), graph.number(layer.epsilon))
    y = graph.op("Div", centred, graph.op("Sqrt", variance))
    if layer.scale:
        y = graph.op("Mul", y, graph.parameter(params["gamma"], f"{scope}.gamma"))
    if layer.center:
        y = graph.op("Add", y, graph.parameter(params["beta"], f"{scope}.beta"))
    return Flow((y,), flow.features, flow.times)


def write_residual(layer: Residual, graph: ModelGraph, flow: Flow, number: str) -> Flow:
    """Write the inner layer, and the sum."""
    inner = write_layer(layer.layer, graph, flow, f"{number}.{layer.name}" if number else layer.name)
    if inner.times is not flow.times:
        raise ConvertError(f"{layer.name}: {layer.layer.name} gives other steps than it is given.")
    return Flow((graph.op("Add", inner.name, flow.name),), inner.features, flow.times)


def write_time_distributed(layer: TimeDistributed, graph: ModelGraph, flow: Flow, number: str) -> Flow:
    """Write the inner layer on the steps (T B, F) of all sequences."""
    x, times = sequences(layer, flow)
    rows = Flow((graph.op("Reshape", x, graph.ints(-1, flow.features)),), flow.features, None)
    y = write_layer(layer.layer, graph, rows, f"{number}.{layer.name}" if number else layer.name)
    shape = graph.op("Concat", graph.slice(graph.op("Shape", x), 0, 0, 2), graph.ints(y.features), axis=0)
    return Flow((graph.op("Reshape", y.name, shape),), y.features, times)
