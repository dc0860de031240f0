"""How graphs of layers are written: node by node, and layers that merge as operators.

Legend: B batch, T time, F features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

from seqkit.errors import ConvertError
from seqkit.graph import Graph
from seqkit.interop.onnx.export.graph import Flow, ModelGraph
from seqkit.interop.onnx.export.layers import write_layer
from seqkit.layers.add import Add
from seqkit.layers.average import Average
from seqkit.layers.concatenate import Concatenate
from seqkit.layers.encoder_decoder import EncoderDecoder
from seqkit.layers.multiply import Multiply
from seqkit.merge import Merge


def write_graph(layer: Graph, graph: ModelGraph, flow: Flow, number: str) -> Flow:
    """Write the layers of a graph of one input, in an order in which they can run."""
    if len(layer.inputs) > 1:
        raise ConvertError(f"{layer.name}: has the inputs {', '.join(layer.inputs)}; only graphs of one are written.")
    flows = {layer.inputs[0]: flow}
    for name in layer.order:
        node = layer.nodes[name]
        read = [flows[source] for source in node.sources]
        if isinstance(node.layer, Merge):
            flows[name] = _merged(node.layer, graph, read * (len(node.layer.inputs) // len(read)))
        elif len(read) == 1:
            flows[name] = write_layer(node.layer, graph, read[0], f"{number}_{name}" if number else name)
        else:
            raise ConvertError(
                f"{layer.name}: node {name!r}: {node.layer.name} has no form in ONNX with several inputs."
            )
    return flows[layer.output]


def write_merge(layer: Merge, graph: ModelGraph, flow: Flow, number: str) -> Flow:
    """Write a layer that merges what it is given with itself."""
    return _merged(layer, graph, [flow] * len(layer.inputs))


def write_encoder_decoder(layer: EncoderDecoder, graph: ModelGraph, flow: Flow, number: str) -> Flow:
    """Not possible: a model that is written has one input."""
    raise ConvertError(f"{layer.name}: reads a source and a target; only models of one input are written as ONNX.")


def _sum(graph: ModelGraph, names: Sequence[str]) -> str:
    return reduce(lambda a, b: graph.op("Add", a, b), names)


MERGED: dict[type[Merge], Callable[[ModelGraph, Sequence[str]], str]] = {
    Add: _sum,
    Average: lambda graph, names: graph.op("Div", _sum(graph, names), graph.number(float(len(names)))),
    Multiply: lambda graph, names: reduce(lambda a, b: graph.op("Mul", a, b), names),
    Concatenate: lambda graph, names: graph.op("Concat", *names, axis=-1),
}


def _merged(layer: Merge, graph: ModelGraph, flows: Sequence[Flow]) -> Flow:
    if type(layer) not in MERGED:
        raise ConvertError(f"{layer.name}: {type(layer).__name__} has no form in ONNX.")
    if any(flow.times is not flows[0].times for flow in flows):
        raise ConvertError(f"{layer.name}: its inputs are sequences of different steps, or sequences and vectors.")
    return Flow((MERGED[type(layer)](graph, [flow.name for flow in flows]),), layer.output_size, flows[0].times)
