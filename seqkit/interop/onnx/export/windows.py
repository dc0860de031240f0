"""How convolution and pooling over time are written.

Legend: B batch, T time, F features, U filters, K taps of the kernel.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from seqkit.errors import ConvertError
from seqkit.interop.onnx.export.functions import activation
from seqkit.interop.onnx.export.graph import Flow, ModelGraph
from seqkit.interop.onnx.export.layers import sequences
from seqkit.interop.onnx.export.times import ENDLESS, Times
from seqkit.interop.onnx.schema import number_of
from seqkit.layers.conv1d import Conv1D
from seqkit.layers.max_pool import MaxPool
from seqkit.layers.mean_pool import MeanPool


def write_conv1d(layer: Conv1D, graph: ModelGraph, flow: Flow, number: str) -> Flow:
    """Write a convolution: as Conv or, in float64, which ONNX Runtime's Conv has not, as a product for each tap."""
    x, times = sequences(layer, flow)
    if graph.states and layer.history:
        raise ConvertError(f"{layer.name}: the steps before a call are not written as states; export without states.")
    apart = layer.padding == "same" and layer.strides > 1  # how many zeros are in front depends on the length
    single = graph.dtype == np.float32
    if apart and (times.ragged or not single):
        raise ConvertError(
            f"{layer.name}: with padding='same' and strides of {layer.strides} the zeros in front depend on the "
            f"length of each sequence, which ONNX cannot be told; export a model of float32 with lengths=False."
        )
    scope = f"{number}.{layer.name}" if number else layer.name
    y = (_conv if single else _products)(layer, graph, times.zeroed(x), scope)
    if layer.use_bias:
        y = graph.op("Add", y, graph.parameter(layer.params["bias"], f"{scope}.bias"))
    kept = layer.strides == 1 and layer.padding != "valid"
    times = times if kept else _times_after(layer, graph, times, y)
    return Flow((activation(graph, layer.activation, y, layer.name),), layer.filters, times)


def _zeros(layer: Conv1D) -> list[int]:
    """Zeros in front and behind."""
    before = {"valid": 0, "causal": layer.span, "same": layer.span // 2}[layer.padding]
    return [before, 0 if layer.padding == "valid" else layer.span - before]


def _conv(layer: Conv1D, graph: ModelGraph, x: str, scope: str) -> str:
    """The sums (T, B, U) by the operator, which has (B, F, T)."""
    weight = graph.parameter(layer.params["weight"].transpose(0, 2, 1), f"{scope}.weight")
    form: dict[str, Any] = {"kernel_shape": [layer.kernel_size], "dilations": [layer.dilation_rate]}
    if layer.padding == "same" and layer.strides > 1:
        form["auto_pad"] = "SAME_UPPER"
    else:
        form["pads"] = _zeros(layer)
    z = graph.op("Conv", graph.op("Transpose", x, perm=[1, 2, 0]), weight, strides=[layer.strides], **form)
    return graph.op("Transpose", z, perm=[2, 0, 1])


def _products(layer: Conv1D, graph: ModelGraph, x: str, scope: str) -> str:
    """The sums (T, B, U), tap by tap."""
    before, behind = _zeros(layer)
    if layer.padding != "valid":
        x = graph.op("Pad", x, graph.ints(before, 0, 0, behind, 0, 0), graph.number(0.0))
    parts = []
    for tap in range(layer.kernel_size):
        first = tap * layer.dilation_rate
        stop = first - layer.span or ENDLESS  # as many as there are windows
        steps = graph.slice(x, 0, first, stop, layer.strides)
        weight = graph.parameter(layer.params["weight"][:, tap].T, f"{scope}.weight_{tap}")
        parts.append(graph.op("MatMul", steps, weight))
    return reduce(lambda a, b: graph.op("Add", a, b), parts)


def _times_after(layer: Conv1D, graph: ModelGraph, times: Times, y: str) -> Times:
    """The times of the windows, of which y (T, B, U) has as many as there may be."""
    shape = graph.op("Gather", graph.op("Shape", y), graph.ints(1, 0))
    if not times.ragged:
        return Times(graph, shape)
    covered = times.lengths
    if layer.padding == "valid":
        covered = graph.op("Max", graph.op("Sub", covered, graph.ints(layer.span)), graph.ints(0))
    counts = graph.op("Div", graph.op("Add", covered, graph.ints(layer.strides - 1)), graph.ints(layer.strides))
    return Times(graph, shape, counts)


def write_mean_pool(layer: MeanPool, graph: ModelGraph, flow: Flow, number: str) -> Flow:
    """Write the mean of the valid steps."""
    x, times = sequences(layer, flow)
    total = graph.op("ReduceSum", times.zeroed(x), graph.ints(0), keepdims=0)
    count = graph.unsqueeze(times.lengths, 1) if times.ragged else graph.slice(graph.op("Shape", x), 0, 0, 1)
    least = graph.op("Max", count, graph.ints(1))
    return Flow((graph.op("Div", total, _number(graph, least)),), flow.features, None)


def write_max_pool(layer: MaxPool, graph: ModelGraph, flow: Flow, number: str) -> Flow:
    """Write the largest of the valid steps."""
    x, times = sequences(layer, flow)
    if times.ragged:
        x = graph.op("Where", times.inside, x, graph.number(-float("inf")))
    y = graph.largest(x, axis=0, keep=False)
    if times.ragged:
        y = graph.op("Where", times.any_step, y, graph.number(0.0))
    return Flow((y,), flow.features, None)


def _number(graph: ModelGraph, counts: str) -> str:
    return graph.op("Cast", counts, to=number_of(graph.dtype, "counts"))
