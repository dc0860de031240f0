"""The ONNX operators LSTM, GRU and RNN, run by seqkit's layers.

A node becomes one layer for each direction; both run in one call of the engine.  X is read as it lies, Y is written
where it belongs.

Legend: T time, B batch, I input features, H units, G gates, D directions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seqkit.errors import DTypeError, ShapeError
from seqkit.interop.onnx.messages import Node
from seqkit.interop.onnx.operators.binding import Arrays, Bind, Constants, Function
from seqkit.interop.onnx.recurrent_form import INPUTS, Form, read_form
from seqkit.interop.onnx.recurrent_layers import Given, constant_weights, make_layers
from seqkit.layer import State
from seqkit.recurrent import Recurrent
from seqkit.rows import Rows
from seqkit.segments import run_forward


def bind(node: Node, constants: Constants, opset: int) -> Function:
    """The function of a node; its layers are made once where all weights are constants, else at every call.

    Raises
    ------
    ConvertError, LoadError
        If an attribute is not what the specification has.
    ShapeError, DTypeError
        If the weights do not belong together.
    """
    form = read_form(node, opset)
    weights = constant_weights(node, constants)
    layers = None if weights is None else make_layers(form, weights)
    wanted = [bool(name) for name in node.outputs]

    def run(inputs: Arrays) -> Arrays:
        given = dict(zip(INPUTS, inputs, strict=False))
        return _run(form, layers or make_layers(form, given), given, wanted)

    return run


OPERATORS: dict[str, Bind] = {"GRU": bind, "LSTM": bind, "RNN": bind}


def _run(form: Form, layers: list[Recurrent], given: Given, wanted: list[bool]) -> Arrays:
    """Y, Y_h and Y_c, None for those that are not wanted."""
    x, first = given["X"], layers[0]
    assert x is not None
    if x.dtype != first.dtype:
        raise DTypeError(f"X is of {x.dtype}, the weights of {first.dtype}; convert one of them.")
    if x.ndim != 3 or x.shape[2] != first.input_size:
        raise ShapeError(f"X has shape {x.shape}, expected three dimensions and {first.input_size} features.")
    x = x if form.batch_first else x.transpose(1, 0, 2)  # (B, T, I)
    batch, time, _ = x.shape
    lengths = _lengths(given.get("sequence_lens"), batch, time)
    states = _states(form, layers, given, batch)
    if time == 1 and lengths is None:
        return _one_step(form, layers, x[:, 0], states, wanted)
    rows = Rows.of_array(x, lengths, first.dtype, form.label, first.input_size)
    y, places = _room(form, rows, first.units) if wanted[0] else (None, [rows.last(first.units) for _ in layers])
    passes = [
        layer.bind_forward(rows, place, state, training=False, aligned=True)
        for layer, place, state in zip(layers, places, states, strict=True)
    ]
    run_forward(passes)
    return [y, *_finals(form, [one.final for one in passes], wanted)]


def _one_step(
    form: Form, layers: list[Recurrent], x: np.ndarray, states: list[State | None], wanted: list[bool]
) -> Arrays:
    """Sequences of a single step, x (B, I): that of a stream, whose call stays bound."""
    finals = [layer.step(x, state)[1] for layer, state in zip(layers, states, strict=True)]
    y = _stacked(form, [state[0].copy() for state in finals])  # Y and Y_h are two arrays
    return [y[:, None] if form.batch_first else y[None], *_finals(form, finals, wanted)]


def _finals(form: Form, states: list[State], wanted: list[bool]) -> Arrays:
    """Y_h and Y_c."""
    return [
        _stacked(form, [state[place - 1] for state in states]) if wanted[place] else None
        for place in range(1, len(wanted))
    ]


def _stacked(form: Form, arrays: list[np.ndarray]) -> np.ndarray:
    """One (B, H) array of each direction as (D, B, H) or, in layout 1, (B, D, H)."""
    if len(arrays) == 1:
        return arrays[0][:, None] if form.batch_first else arrays[0][None]
    return np.stack(arrays, axis=1 if form.batch_first else 0)


def _room(form: Form, rows: Rows, units: int) -> tuple[np.ndarray, list[Any]]:
    """Y, and where each direction writes into it."""
    batch, count = len(rows.lengths), len(form.reversed)
    shape = (batch, rows.time, count, units) if form.batch_first else (rows.time, count, batch, units)
    y = np.empty(shape, rows.array.dtype) if rows.full else np.zeros(shape, rows.array.dtype)
    batch_first = y if form.batch_first else y.transpose(2, 0, 1, 3)  # (B, T, D, H)
    return y, [rows.of_view(batch_first[:, :, d]) for d in range(count)]


def _lengths(given: np.ndarray | None, batch: int, time: int) -> np.ndarray | None:
    if given is None:
        return None
    if given.dtype != np.int32:
        raise DTypeError(f"sequence_lens is of {given.dtype}, expected int32.")
    if given.shape != (batch,) or ((given < 0) | (given > time)).any():
        raise ShapeError(
            f"sequence_lens are {given.tolist()!r:.100}, expected {batch} lengths from 0 to {time}, the time of X."
        )
    return given


def _states(form: Form, layers: list[Recurrent], given: Given, batch: int) -> list[State | None]:
    """Initial states of each direction, None for zeros."""
    arrays = [given.get(name) for name in form.operator.states]
    if all(array is None for array in arrays):
        return [None] * len(layers)
    shape = (batch, len(layers), layers[0].units) if form.batch_first else (len(layers), batch, layers[0].units)
    for name, array in zip(form.operator.states, arrays, strict=True):
        if array is not None and (array.shape != shape or array.dtype != layers[0].dtype):
            raise ShapeError(f"{name} has shape {array.shape} of {array.dtype}, expected {shape} of {layers[0].dtype}.")
    zeros = np.zeros(shape, layers[0].dtype)
    filled = [zeros if array is None else array for array in arrays]
    by_direction = [array.swapaxes(0, 1) if form.batch_first else array for array in filled]
    return [tuple(array[d] for array in by_direction) for d in range(len(layers))]
