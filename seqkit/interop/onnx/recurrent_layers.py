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
    if len(form.reversed) == 1:
        return make_layers(form, weights, sequences)[0]
    _check_weights(form, weights)
    first, second = (_new_layer(form, d, weights, sequences) for d in (0, 1))
    both = create("bidirectional", first, backward_layer=second)
    both.build(weights["W"].shape[2], dtype=weights["W"].dtype.name)
    _fill(first, form, 0, weights)
    _fill(second, form, 1, weights)
    return both


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
    layers = [_new_layer(form, d, weights, sequences) for d in range(len(form.reversed))]
    for d, layer in enumerate(layers):
        layer.build(weights["W"].shape[2], dtype=weights["W"].dtype.name)
        _fill(layer, form, d, weights)
    return layers


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


def _kind(form: Form, weights: Mapping[str, np.ndarray]) -> str:
    return "peephole" if "P" in weights else form.operator.cell


def _new_layer(form: Form, d: int, weights: Mapping[str, np.ndarray], sequences: bool) -> Recurrent:
    """The layer of a direction, not built."""
    layer = create(
        _kind(form, weights),
        weights["R"].shape[2],
        use_bias="B" in weights,
        return_sequences=sequences,
        go_backwards=form.reversed[d],
        recurrent_initializer="zeros",  # orthogonal matrices take long, and these are replaced
        **form.cells[d],
    )
    assert isinstance(layer, Recurrent)
    return layer


def _fill(layer: Recurrent, form: Form, d: int, weights: Mapping[str, np.ndarray]) -> None:
    """Give a layer the weights of a direction."""
    own = {name: array[d] for name, array in weights.items()}
    bias, recurrent_bias = np.split(own["B"], 2) if "B" in own else (None, None)
    read, gates = find("onnx", _kind(form, weights)).read, layer.cell.gates
    params = read(own["W"], own["R"], bias, recurrent_bias, own.get("P"), reset_after=form.reset_after, gates=gates)
    for name, array in params.items():
        layer.params[name] = array
