"""The ONNX operators LSTM, GRU and RNN, run by seqkit's layers.

A node becomes one layer for each direction; both run in one call of the engine.  X is read as it lies, Y is written
where it belongs.  Nodes that read each other's Y are run as a stack (``recurrent_stack``).

Legend: T time, B batch, I input features, H units, G gates, D directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from seqkit import _core
from seqkit.errors import DTypeError, ShapeError
from seqkit.execution import run_calls
from seqkit.interop.onnx.messages import Node
from seqkit.interop.onnx.operators.binding import Arrays, Bind, Constants
from seqkit.interop.onnx.recurrent_form import INPUTS, Form, read_form
from seqkit.interop.onnx.recurrent_layers import Given, constant_weights, make_layers
from seqkit.layer import State
from seqkit.recurrent import Recurrent
from seqkit.rows import Rows
from seqkit.segments import Direction, run_forward


class RecurrentNode:
    """A bound node: its layers are made once where all weights are constants, else at every call.

    Raises
    ------
    ConvertError, LoadError
        If an attribute is not what the specification has.
    ShapeError, DTypeError
        If the weights do not belong together.
    """

    def __init__(self, node: Node, constants: Constants, opset: int) -> None:
        self.form: Form = read_form(node, opset)
        weights = constant_weights(node, constants)
        self.layers = None if weights is None else make_layers(self.form, weights)
        self.wanted = [bool(name) for name in node.outputs]
        self._gives_states, self._no_finals = any(self.wanted[1:]), [None] * len(self.wanted[1:])
        given = {key for key, name in zip(INPUTS, node.inputs, strict=False) if name}
        self._stateless = given.isdisjoint(self.form.operator.states)

    def __call__(self, inputs: Arrays) -> Arrays:
        """Y, Y_h and Y_c, None for those that are not wanted."""
        return run_stack([self], [dict(zip(INPUTS, inputs, strict=False))])

    def layers_of(self, given: Given) -> list[Recurrent]:
        """One layer for each direction."""
        return self.layers or make_layers(self.form, given)

    def states(self, layers: Sequence[Recurrent], given: Given, batch: int) -> list[State | None]:
        """Initial states of each direction, None for zeros."""
        if self._stateless:
            return [None] * len(layers)
        arrays = [given.get(name) for name in self.form.operator.states]
        shape, dtype = (len(layers), batch, layers[0].units), layers[0].dtype
        shape = (shape[1], shape[0], shape[2]) if self.form.batch_first else shape
        for name, array in zip(self.form.operator.states, arrays, strict=True):
            if array is not None and (array.shape != shape or array.dtype != dtype):
                raise ShapeError(f"{name} has shape {array.shape} of {array.dtype}, expected {shape} of {dtype}.")
        filled = [np.zeros(shape, dtype) if array is None else array for array in arrays]
        by_direction = [array.swapaxes(0, 1) if self.form.batch_first else array for array in filled]
        return [tuple(array[d] for array in by_direction) for d in range(len(layers))]

    def finals(self, states: Sequence[State]) -> Arrays:
        """Y_h and Y_c of the final states of each direction."""
        if not self._gives_states:
            return self._no_finals
        places = range(1, len(self.wanted))
        return [self.stacked([state[n - 1] for state in states]) if self.wanted[n] else None for n in places]

    def stacked(self, arrays: Sequence[np.ndarray]) -> np.ndarray:
        """One (B, H) array of each direction as (D, B, H) or, in layout 1, (B, D, H)."""
        if len(arrays) == 1:
            return arrays[0][:, None] if self.form.batch_first else arrays[0][None]
        return np.stack(arrays, axis=1 if self.form.batch_first else 0)


def bind(node: Node, constants: Constants, opset: int) -> RecurrentNode:
    """The function of a node, see :class:`RecurrentNode`."""
    return RecurrentNode(node, constants, opset)


OPERATORS: dict[str, Bind] = {"GRU": bind, "LSTM": bind, "RNN": bind}


def run_stack(nodes: Sequence[RecurrentNode], givens: Sequence[Given]) -> Arrays:
    """Results of nodes of which each reads the Y of the one before: Y_h and Y_c of all but the last, then Y, Y_h and
    Y_c of that.

    Raises
    ------
    ShapeError, DTypeError
        If X, lengths or initial states do not fit the nodes.
    """
    layers = [node.layers_of(given) for node, given in zip(nodes, givens, strict=True)]
    x = _batch_first(nodes[0].form, layers[0][0], givens[0]["X"])
    batch, time, features = x.shape
    lengths = _lengths(givens[0].get("sequence_lens"), batch, time)
    states = [node.states(own, given, batch) for node, own, given in zip(nodes, layers, givens, strict=True)]
    if time == 1 and lengths is None:
        return _one_step(nodes, layers, x[:, 0], states)
    rows = Rows.of_array(x, lengths, x.dtype, nodes[0].form.label, features)
    passes: list[list[Direction]] = []
    places: Sequence[Any]
    for own, initial in zip(layers[:-1], states[:-1], strict=True):
        after, places = _between(rows, own)
        passes.append(_bound(own, rows, places, initial))
        rows = after
    y, places = _outputs(nodes[-1], rows, layers[-1])
    passes.append(_bound(layers[-1], rows, places, states[-1]))
    _run(passes)
    finals = [node.finals([one.final for one in each]) for node, each in zip(nodes, passes, strict=True)]
    return [*chain(*finals[:-1]), y, *finals[-1]]


def _one_step(
    nodes: Sequence[RecurrentNode], layers: list[list[Recurrent]], x: np.ndarray, states: list[list[State | None]]
) -> Arrays:
    """Sequences of a single step, x (B, I): those of streams, whose calls stay bound."""
    results: Arrays = []
    for node, own, initial in zip(nodes, layers, states, strict=True):
        finals = [layer.step(x, state)[1] for layer, state in zip(own, initial, strict=True)]
        x = finals[0][0] if len(finals) == 1 else np.concatenate([state[0] for state in finals], axis=1)
        results += node.finals(finals)
    last = nodes[-1]
    y = last.stacked([state[0].copy() for state in finals])  # Y and Y_h are two arrays
    results.insert(len(results) - len(last.wanted) + 1, y[:, None] if last.form.batch_first else y[None])
    return results


def _batch_first(form: Form, layer: Recurrent, x: np.ndarray | None) -> np.ndarray:
    """X as (B, T, I)."""
    assert x is not None
    if x.dtype != layer.dtype:
        raise DTypeError(f"X is of {x.dtype}, the weights of {layer.dtype}; convert one of them.")
    if x.ndim != 3 or x.shape[2] != layer.input_size:
        raise ShapeError(f"X has shape {x.shape}, expected three dimensions and {layer.input_size} features.")
    return x if form.batch_first else x.transpose(1, 0, 2)


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


# ---- calls of the engine --------------------------------------------------------------------------


def _between(rows: Rows, layers: Sequence[Recurrent]) -> tuple[Rows, list[Rows]]:
    """What the next node reads, (T, B, D*H), and where in it each direction writes."""
    batch, units = len(rows.lengths), layers[0].units
    y = _empty(rows, (rows.time, batch, len(layers) * units)).transpose(1, 0, 2)
    return rows.of_view(y), [rows.of_view(y[:, :, d * units : (d + 1) * units]) for d in range(len(layers))]


def _outputs(node: RecurrentNode, rows: Rows, layers: Sequence[Recurrent]) -> tuple[np.ndarray | None, Sequence[Any]]:
    """Y, and where in it each direction writes; where it is not wanted, room for the last outputs."""
    batch, count, units = len(rows.lengths), len(layers), layers[0].units
    if not node.wanted[0]:
        return None, [rows.last(units) for _ in layers]
    y = _empty(rows, (batch, rows.time, count, units) if node.form.batch_first else (rows.time, count, batch, units))
    batch_first = y if node.form.batch_first else y.transpose(2, 0, 1, 3)  # (B, T, D, H)
    return y, [rows.of_view(batch_first[:, :, d]) for d in range(count)]


def _empty(rows: Rows, shape: tuple[int, ...]) -> np.ndarray:
    """Room for outputs, 0 where no step is."""
    return np.empty(shape, rows.array.dtype) if rows.full else np.zeros(shape, rows.array.dtype)


def _bound(
    layers: Sequence[Recurrent], rows: Rows, places: Sequence[Any], states: Sequence[State | None]
) -> list[Direction]:
    """The calls of a node, one for each direction."""
    return [
        layer.bind_forward(rows, place, state, training=False, aligned=True)
        for layer, place, state in zip(layers, places, states, strict=True)
    ]


def _run(passes: list[list[Direction]]) -> None:
    """Run nodes one after the other or, where all go forward and it pays, as a pipeline."""
    calls = [one.forward.call for each in passes for one in each]
    straight = len(passes) == len(calls) and not any(one.reverse for each in passes for one in each)
    if not (straight and _core.pipeline_pays(calls, _core.num_threads())):
        for each in passes:
            run_forward(each)
        return
    run_calls(calls, passes[0][0].execution, pipeline=True)
    for (one,) in passes:
        one.ended()
