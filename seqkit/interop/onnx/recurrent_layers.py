"""The ONNX operators LSTM, GRU and RNN as seqkit's layers: one for each direction, with the node's weights.

Legend: I input features, H units, G gates, D directions.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from seqkit.errors import ConvertError, DTypeError, ShapeError
from seqkit.interop.dialects import find
from seqkit.interop.onnx.messages import Node
from seqkit.interop.onnx.operators.binding import Constants
from seqkit.interop.onnx.recurrent_form import INPUTS, Form, read_form
from seqkit.layer import Layer
from seqkit.recurrent import Recurrent
from seqkit.registry import create

WEIGHTS = ("W", "R", "B", "P")
Given = Mapping[str, np.ndarray | None]
"""Arguments of a node by name."""


def recurrent_layer(node: Node, constants: Constants, opset: int) -> Layer:
    """The node as a layer like any other: trained, streamed, saved.

    It gives Y as (B, T, D*H), or Y_h as (B, D*H) where the node gives no Y.

    Raises
    ------
    ConvertError
        If weights are no constants, sequences have lengths or initial states that the graph computes, or Y is that of
        the reverse direction alone, which a layer gives in the order of reading.
    """
    form, weights = read_form(node, opset), constant_weights(node, constants)
    if weights is None:
        raise ConvertError(f"{form.label}: its weights are computed by the graph; only constants make a layer.")
    for name, place in zip(INPUTS[4:7], node.inputs[4:7], strict=False):
        if place and (place not in constants or name == "sequence_lens" or constants[place].any()):
            raise ConvertError(f"{form.label}: a layer takes {name} with every call, not from {place!r:.100}.")
    sequences = bool(node.outputs[0])
    if form.reversed == (True,) and sequences:
        raise ConvertError(f"{form.label}: a layer that goes backwards gives its sequence backwards; ONNX does not.")
    layers = make_layers(form, weights, sequences)
    if len(layers) == 1:
        return layers[0]
    both = create("bidirectional", layers[0], backward_layer=layers[1])
    return both.build(layers[0].input_size, dtype=layers[0].dtype.name)


def constant_weights(node: Node, constants: Constants) -> dict[str, np.ndarray] | None:
    """W, R, B and P by name, those that are given; None if one is no constant."""
    names = {key: name for key, name in zip(INPUTS, node.inputs, strict=False) if key in WEIGHTS and name}
    if not all(name in constants for name in names.values()):
        return None
    return {key: constants[name] for key, name in names.items()}


def make_layers(form: Form, given: Given, sequences: bool = True) -> list[Recurrent]:
    """One layer for each direction, with its weights.

    Raises
    ------
    ShapeError, DTypeError
        If the weights do not belong together.
    """
    weights = {name: array for name in WEIGHTS if (array := given.get(name)) is not None}
    _check_weights(form, weights)
    return [_layer(form, d, weights, sequences) for d in range(len(form.reversed))]


def _check_weights(form: Form, weights: Mapping[str, np.ndarray]) -> None:
    w, r, gates, directions = weights["W"], weights["R"], form.operator.gates, len(form.reversed)
    if w.ndim != 3 or r.ndim != 3 or not min(w.shape[2], r.shape[2]):
        raise ShapeError(f"{form.label}: W and R must have three dimensions, got {w.shape} and {r.shape}.")
    features, units = w.shape[2], r.shape[2] if form.units is None else form.units
    expected = {
        "W": (directions, gates * units, features),
        "R": (directions, gates * units, units),
        "B": (directions, 2 * gates * units),
        "P": (directions, 3 * units),
    }
    for name, array in weights.items():
        if array.shape != expected[name]:
            raise ShapeError(
                f"{form.label}: {name} has shape {array.shape}, expected {expected[name]} for hidden_size {units}, "
                f"{features} features and {directions} direction(s)."
            )
        if array.dtype not in (np.float32, np.float64) or array.dtype != w.dtype:
            raise DTypeError(f"{form.label}: {name} is of {array.dtype}; all weights must be float32, or all float64.")


def _layer(form: Form, d: int, weights: Mapping[str, np.ndarray], sequences: bool) -> Recurrent:
    """The layer of a direction."""
    own = {name: array[d] for name, array in weights.items()}
    kind, units = "peephole" if "P" in own else form.operator.cell, own["R"].shape[1]
    layer = create(
        kind,
        units,
        use_bias="B" in own,
        return_sequences=sequences,
        go_backwards=form.reversed[d],
        recurrent_initializer="zeros",  # orthogonal matrices take long, and these are replaced
        **form.cells[d],
    )
    assert isinstance(layer, Recurrent)
    layer.build(own["W"].shape[1], dtype=own["W"].dtype.name)
    bias, recurrent_bias = np.split(own["B"], 2) if "B" in own else (None, None)
    read = find("onnx", kind).read
    params = read(own["W"], own["R"], bias, recurrent_bias, own.get("P"), reset_after=form.reset_after)
    for name, array in params.items():
        layer.params[name] = _own_rows(layer, name, array) if form.coupled else array
    return layer


def _own_rows(layer: Recurrent, name: str, array: np.ndarray) -> np.ndarray:
    """Rows of a parameter that are of gates which the cell of the layer has; a coupled forget gate has none."""
    cells = type(layer.cell)(), layer.cell
    whole, own = (c.parameters()[name].rows if name == "weight_ch" else c.gates for c in cells)
    blocks = dict(zip(whole, np.split(array, len(whole)), strict=True))
    return np.concatenate([blocks[gate] for gate in own])
