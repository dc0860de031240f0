"""From a model to an ONNX file.

Legend: B batch, T time, F features.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from itertools import takewhile
from pathlib import Path

import numpy as np

from seqkit import checkpoint
from seqkit.attention import AttentionLayer
from seqkit.errors import ConvertError
from seqkit.interop.onnx.export.attention import write_additive, write_attention, write_heads
from seqkit.interop.onnx.export.graph import ModelGraph
from seqkit.interop.onnx.export.graphs import MERGED, write_encoder_decoder, write_graph, write_merge
from seqkit.interop.onnx.export.layers import write, write_layer
from seqkit.interop.onnx.export.masked import write_masked
from seqkit.interop.onnx.export.steps import write_layer_norm, write_residual, write_time_distributed
from seqkit.interop.onnx.export.windows import write_conv1d, write_max_pool, write_mean_pool
from seqkit.interop.onnx.graph_model import GraphModel
from seqkit.interop.onnx.messages import Model, encode
from seqkit.layer import Layer
from seqkit.layers.bidirectional import Bidirectional
from seqkit.layers.conv1d import Conv1D
from seqkit.layers.embedding import Embedding
from seqkit.layers.last_step import LastStep
from seqkit.layers.masked import Masked
from seqkit.layers.max_pool import MaxPool
from seqkit.layers.mean_pool import MeanPool
from seqkit.layers.repeat_vector import RepeatVector
from seqkit.layers.time_distributed import TimeDistributed
from seqkit.recurrent import Recurrent
from seqkit.stack import Stack

OPSET = 17
IR_VERSIONS = {14: 7, 15: 8, 16: 8, 17: 8, 18: 8, 19: 9, 20: 9, 21: 10, 22: 10, 23: 11}
"""The format of the file that came with a version of the operators, oldest readers first."""

for writer in (
    *(write_masked, write_graph, write_encoder_decoder),
    *(write_conv1d, write_mean_pool, write_max_pool),
    *(write_attention, write_additive, write_heads),
    *(write_layer_norm, write_residual, write_time_distributed),
):
    write.register(writer)
for merge in MERGED:
    write.register(merge, write_merge)
READ_TIME = (
    *(Recurrent, Bidirectional, Embedding, LastStep, Masked),
    *(AttentionLayer, Conv1D, MaxPool, MeanPool, TimeDistributed),
)


def to_onnx(
    model: Layer | Stack | GraphModel,
    path: str | os.PathLike[str],
    *,
    opset: int | None = None,
    lengths: bool = True,
    states: bool = False,
) -> Model:
    """Write a model as an ONNX file, for inference.

    The input is "x", (batch, time, features) or (batch, features) of the model's dtype, or ids (batch, time) of int64;
    the output is "y", or "y_forward" and "y_backward" of a `Bidirectional` with ``merge_mode=None``.  Recurrent layers
    are the operators LSTM, GRU and RNN where their equations are the operator's, else a Scan over their equations; of
    float64 they are always the latter, as ONNX Runtime has these operators in float32 only.

    Parameters
    ----------
    model : Layer, Sequential or GraphModel
        A built one.  A GraphModel is written with the operators that it is made of; options do not apply to it.
    path : str or path-like
        Name of the file; one that exists is replaced.
    opset : int, optional
        Version of ONNX' operators, 14 to 23; 17 where nothing is said.
    lengths : bool
        Whether a model of sequences has an input "lengths" (batch,), int64, which may be left out; outputs past the end
        are 0, as they are here.
    states : bool
        Whether initial and final states are inputs ``initial_h`` and outputs ``final_h`` (batch, units), for streams:
        with the number of the layer, ``initial_0_h``, in a model, and the direction, ``initial_forward_h``, of a
        Bidirectional.  Without it sequences start from zeros, or from learned states.

    Returns
    -------
    Model
        What has been written: ``opsets``, ``ir_version``, ``graph``.

    Raises
    ------
    ConvertError
        If something of the model cannot be represented exactly: layers in NumPy, low precision, layers that carry
        state from call to call (unless with `states`); or if the file would have more than 2 GiB.
    NotBuiltError
        If the model has no parameters yet.

    Examples
    --------
    >>> import tempfile
    >>> import seqkit
    >>> model = seqkit.Sequential([seqkit.LSTM(8, input_shape=(None, 3)), seqkit.Dense(1)], seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = to_onnx(model, folder + "/model.onnx")
    >>> [node.op_type for node in written.graph.nodes if node.op_type in ("LSTM", "Scan")]
    ['LSTM']
    >>> [value.name for value in written.graph.inputs], written.opsets, written.ir_version
    (['x', 'lengths'], {'': 17}, 8)
    """
    exported = export(model, opset=opset, lengths=lengths, states=states)
    checkpoint.replace(Path(path), encode(exported))
    return exported


def export(
    model: Layer | Stack | GraphModel, *, opset: int | None = None, lengths: bool = True, states: bool = False
) -> Model:
    """The ONNX model that :func:`to_onnx` writes."""
    if isinstance(model, GraphModel):
        return _graph(model, opset, states)
    opset = OPSET if opset is None else opset
    if opset not in IR_VERSIONS:
        raise ConvertError(f"opset is {opset!r}, expected one of {', '.join(map(str, IR_VERSIONS))}.")
    layers = _layers(model)
    first = layers[0]
    graph = ModelGraph(np.dtype(first.dtype), opset, states)
    flow = graph.read(first.input_size, _reads_sequences(layers), first.accepts_ids, lengths)
    for number, layer in enumerate(layers):
        flow = write_layer(layer, graph, flow, str(number) if isinstance(model, Stack) else "")
    graph.write(flow)
    version = import_module("seqkit").__version__
    metadata = {"dtype": str(first.dtype), "source": f"written by seqkit {version}"}
    return Model(graph.graph_of_model(), {"": opset}, IR_VERSIONS[opset], f"seqkit {version}", metadata)


def _graph(model: GraphModel, opset: int | None, states: bool) -> Model:
    own = model.model
    if states or opset not in (None, own.opsets[""]):
        raise ConvertError(
            f"{model.name}: the graph is of opset {own.opsets['']} and has the inputs and outputs that it has; "
            "it is written as it is."
        )
    return own


def _layers(model: Layer | Stack) -> Sequence[Layer]:
    if isinstance(model, Stack):
        model.require_built()
        return model.layers
    if not isinstance(model, Layer):
        raise ConvertError(f"a layer or a model was expected, got {model!r:.200}.")
    model._require_built()
    return [model]


def _reads_sequences(layers: Sequence[Layer]) -> bool:
    """Whether the input has an axis of time: where a layer reads it or the first one was told so."""
    shape = layers[0].input_shape
    before = takewhile(lambda layer: not isinstance(layer, RepeatVector), layers)
    return any(map(_reads_time, before)) or (shape is not None and len(shape) == 2)


def _reads_time(layer: Layer) -> bool:
    """Whether a layer, or one that it runs, reads steps."""
    return isinstance(layer, READ_TIME) or any(map(_reads_time, layer.inner()))
