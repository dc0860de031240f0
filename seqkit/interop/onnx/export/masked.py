"""How layers that skip masked steps are written: as loops that keep their states there.

Legend: B batch, T time, F features.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from seqkit.errors import ConvertError
from seqkit.interop.onnx.export.graph import Flow, ModelGraph
from seqkit.interop.onnx.export.layers import sequences, write_layer
from seqkit.interop.onnx.export.times import MaskedTimes
from seqkit.interop.onnx.schema import number_of
from seqkit.layer import Layer
from seqkit.layers.bidirectional import Bidirectional
from seqkit.layers.masked import Masked
from seqkit.sequence_layer import SequenceLayer


def write_masked(layer: Masked, graph: ModelGraph, flow: Flow, number: str) -> Flow:
    """Write the layers; recurrent ones read the steps of the mask, others all."""
    x, times = sequences(layer, flow)
    kept = _unlike(graph, x, layer)
    if times.ragged:
        kept = graph.op("And", kept, times.inside_steps)
    mask = graph.unsqueeze(kept, 2)
    if not layer.accepts_ids:
        x = graph.op("Where", mask, x, graph.number(0.0))
    inner = Flow((x,), flow.features, times)
    for place, one in enumerate(layer.layers):
        _check_start(one, graph)
        seen = MaskedTimes(times, mask) if isinstance(one, SequenceLayer) else times
        found = write_layer(one, graph, replace(inner, times=seen), f"{number}_{place}" if number else str(place))
        inner = found if found.times is None else replace(found, times=times)
    return inner


def _unlike(graph: ModelGraph, x: str, layer: Masked) -> str:
    """The steps (T, B) that are not what is masked: by their id, or where any feature differs."""
    if layer.accepts_ids:
        ids = graph.op("Cast", x, to=number_of(np.dtype(np.float64), "ids"))
        return graph.op("Not", graph.op("Equal", ids, graph.array(np.array(layer.mask_value))))
    differs = graph.op("Not", graph.op("Equal", x, graph.number(layer.mask_value)))
    numbers = graph.op("Cast", differs, to=number_of(graph.dtype, "mask"))
    return graph.op("Greater", graph.op("ReduceSum", numbers, graph.ints(2), keepdims=0), graph.number(0.0))


def _check_start(layer: Layer, graph: ModelGraph) -> None:
    """Before the first step that is read a masked layer gives zeros, even where it starts from a learned state."""
    directions: list[Any] = [layer]
    if isinstance(layer, Bidirectional):
        directions = [layer.forward_layer, layer.backward_layer]
    if not graph.states and any(getattr(one, "initial_state", "zeros") != "zeros" for one in directions):
        raise ConvertError(f"masked: {layer.name} starts from a learned state; export it with states=True.")
