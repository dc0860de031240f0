"""How attention of sequences to themselves is written.

Legend: B batch, T time, H heads, K features of a key, F features.  Inside, sequences are (B, T, F).
"""

from __future__ import annotations

import numpy as np

from seqkit.interop.onnx.export.graph import Flow, ModelGraph
from seqkit.interop.onnx.export.layers import sequences
from seqkit.interop.onnx.export.times import Times
from seqkit.layers.additive_attention import AdditiveAttention
from seqkit.layers.attention import Attention
from seqkit.layers.multi_head_attention import MultiHeadAttention


def write_attention(layer: Attention, graph: ModelGraph, flow: Flow, number: str) -> Flow:
    """Write attention by products."""
    x, times = _turned(layer, graph, flow)
    query = x if layer.scale == "none" else _scaled(layer, graph, x, flow.features)
    scores = graph.op("MatMul", query, graph.op("Transpose", x, perm=[0, 2, 1]))
    y = graph.op("MatMul", _weights(layer, graph, times, scores), x)
    return Flow((graph.op("Transpose", y, perm=[1, 0, 2]),), flow.features, times)


def write_additive(layer: AdditiveAttention, graph: ModelGraph, flow: Flow, number: str) -> Flow:
    """Write attention by a network."""
    x, times = _turned(layer, graph, flow)
    params, scope = layer.params.reading(), f"{number}.{layer.name}" if number else layer.name
    parts = {name: graph.parameter(params[name].T, f"{scope}.{name}") for name in params}
    query = graph.op("Add", graph.op("MatMul", x, parts["weight_query"]), parts["bias"])
    memory = graph.op("MatMul", x, parts["weight_memory"])
    pairs = graph.op("Add", graph.unsqueeze(query, 2), graph.unsqueeze(memory, 1))  # (B, T, T, units)
    scores = graph.squeeze(graph.op("MatMul", graph.op("Tanh", pairs), parts["v"]), 3)
    y = graph.op("MatMul", _weights(layer, graph, times, scores), x)
    return Flow((graph.op("Transpose", y, perm=[1, 0, 2]),), flow.features, times)


def write_heads(layer: MultiHeadAttention, graph: ModelGraph, flow: Flow, number: str) -> Flow:
    """Write attention of several heads."""
    x, times = _turned(layer, graph, flow)
    params, scope = layer.params.reading(), f"{number}.{layer.name}" if number else layer.name

    def linear(name: str, rows: str) -> str:
        y = graph.op("MatMul", rows, graph.parameter(params[f"weight_{name}"].T, f"{scope}.weight_{name}"))
        bias = params.get(f"bias_{name}")
        return y if bias is None else graph.op("Add", y, graph.parameter(bias, f"{scope}.bias_{name}"))

    def heads(name: str, perm: list[int]) -> str:
        parts = graph.op("Reshape", linear(name, x), graph.ints(0, 0, layer.num_heads, layer.key_dim))
        return graph.op("Transpose", parts, perm=perm)

    query, key, value = heads("query", [0, 2, 1, 3]), heads("key", [0, 2, 3, 1]), heads("value", [0, 2, 1, 3])
    scores = graph.op("MatMul", _scaled(layer, graph, query, layer.key_dim), key)  # (B, H, T, T)
    read = graph.op("MatMul", _weights(layer, graph, times, scores, heads=True), value)
    flat = graph.op(
        "Reshape",
        graph.op("Transpose", read, perm=[2, 0, 1, 3]),
        graph.ints(0, 0, layer.num_heads * layer.key_dim),
    )
    return Flow((linear("output", flat),), layer.output_size, times)


Attending = Attention | AdditiveAttention | MultiHeadAttention


def _turned(layer: Attending, graph: ModelGraph, flow: Flow) -> tuple[str, Times]:
    """Sequences (B, T, F), 0 past their end."""
    x, times = sequences(layer, flow)
    return graph.op("Transpose", times.zeroed(x), perm=[1, 0, 2]), times


def _scaled(layer: Attention | MultiHeadAttention, graph: ModelGraph, query: str, size: int) -> str:
    """Queries times their factor, once for every feature: ONNX Runtime fuses a single number with the product behind
    it, and rounds it to float32 then."""
    return graph.op("Mul", query, graph.parameter(np.full(size, layer._factor), f"{layer.name}.factor"))


def _weights(layer: Attending, graph: ModelGraph, times: Times, scores: str, heads: bool = False) -> str:
    """Weights from scores (B, T, T), or (B, H, T, T): of steps inside their sequence and, where it is causal, of those
    until the query's own.  Of a sequence of no steps they are NaN, past its end like everything of it."""
    if times.ragged:
        inside = graph.unsqueeze(graph.op("Transpose", times.inside_steps, perm=[1, 0]), 1)  # (B, 1, T)
        scores = _kept(graph, graph.unsqueeze(inside, 1) if heads else inside, scores)
    if layer.causal:
        time = graph.squeeze(graph.slice(graph.op("Shape", scores), 0, -1, 2**62), 0)
        steps = graph.op("Range", graph.array(np.array(0)), time, graph.array(np.array(1)))
        scores = _kept(graph, graph.op("LessOrEqual", graph.unsqueeze(steps, 0), graph.unsqueeze(steps, 1)), scores)
    return graph.op("Softmax", scores, axis=-1)


def _kept(graph: ModelGraph, mask: str, scores: str) -> str:
    return graph.op("Where", mask, scores, graph.number(-float("inf")))
