"""How convolution and pooling over time are written.

Legend: B batch, T time, F features, U filters, K taps of the kernel.
"""

from __future__ import annotations

from seqkit.errors import ConvertError
from seqkit.interop.onnx.export.functions import activation
from seqkit.interop.onnx.export.graph import Flow, ModelGraph
from seqkit.interop.onnx.export.layers import sequences
from seqkit.interop.onnx.export.times import Times
from seqkit.interop.onnx.schema import number_of
from seqkit.layers.conv1d import Conv1D
from seqkit.layers.max_pool import MaxPool
from seqkit.layers.mean_pool import MeanPool


def write_conv1d(layer: Conv1D, graph: ModelGraph, flow: Flow, number: str) -> Flow:
    """Write a convolution as Conv, on (B, F, T)."""
    x, times = sequences(layer, flow)
    if graph.states and layer.history:
        raise ConvertError(f"{layer.name}: the steps before a call are not written as states; export without states.")
    if layer.padding == "same" and layer.strides > 1 and times.ragged:
        raise ConvertError(
            f"{layer.name}: with padding='same' and strides of {layer.strides} the zeros in front depend on the "
            f"length of each sequence, which ONNX cannot be told; export with lengths=False."
        )
    params, scope = layer.params.reading(), f"{number}.{layer.name}" if number else layer.name
    inputs = [graph.op("Transpose", times.zeroed(x), perm=[1, 2, 0])]
    inputs.append(graph.parameter(params["weight"].transpose(0, 2, 1), f"{scope}.weight"))
    if layer.use_bias:
        inputs.append(graph.parameter(params["bias"], f"{scope}.bias"))
    shape = {"kernel_shape": [layer.kernel_size], "strides": [layer.strides], "dilations": [layer.dilation_rate]}
    z = graph.op("Conv", *inputs, **shape, **_padding(layer))
    y = activation(graph, layer.activation, graph.op("Transpose", z, perm=[2, 0, 1]), layer.name)
    kept = layer.strides == 1 and layer.padding != "valid"
    return Flow((y,), layer.filters, times if kept else _times_after(layer, graph, times, z))


def _padding(layer: Conv1D) -> dict[str, object]:
    if layer.padding == "same" and layer.strides > 1:
        return {"auto_pad": "SAME_UPPER"}
    before = {"valid": 0, "causal": layer.span, "same": layer.span // 2}[layer.padding]
    return {"pads": [before, 0 if layer.padding == "valid" else layer.span - before]}


def _times_after(layer: Conv1D, graph: ModelGraph, times: Times, z: str) -> Times:
    """The times of the windows, of which z (B, U, T) has as many as there may be."""
    shape = graph.op("Gather", graph.op("Shape", z), graph.ints(0, 2))
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
