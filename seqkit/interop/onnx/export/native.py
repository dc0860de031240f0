"""Layers that are an operator of ONNX: LSTM, also with peepholes, GRU and RNN.

What a layer is, is decided by its equations and not by its name: a subclass that starts from other numbers is the
operator, one that changes the step is not.

Source: the operators' specification, github.com/onnx/onnx, docs/Operators.md.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from seqkit.cells.gru import GRUCell
from seqkit.cells.lstm import LSTMCell
from seqkit.cells.peephole import PeepholeCell
from seqkit.cells.simple_rnn import SimpleRNNCell
from seqkit.equations import ACTIVATIONS, Cell, Program, trace
from seqkit.interop.onnx import recurrent_form
from seqkit.recurrent import Recurrent

# Our functions by the operators' names, with the numbers that they take.
FUNCTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    **{ours: (theirs, tuple(numbers)) for theirs, (ours, numbers) in recurrent_form.FUNCTIONS.items()},
    "linear": ("Affine", ("alpha", "beta")),
}
CELLS: dict[type[Cell], str] = {LSTMCell: "LSTM", PeepholeCell: "LSTM", GRUCell: "GRU", SimpleRNNCell: "RNN"}


@dataclass(frozen=True)
class Operator:
    """An operator of ONNX that a layer is.

    Attributes
    ----------
    op_type : str
    kind : str
        Name of the built-in cell that has the same equations.
    functions : tuple of Function
        Its activations, in the operator's order.
    attributes : dict
        All others beside direction and size.
    """

    op_type: str
    kind: str
    functions: tuple[Function, ...]
    attributes: dict[str, Any]


class Function(NamedTuple):
    """An activation: its name in ONNX, the numbers that it takes, and the limit to what enters it."""

    name: str
    numbers: dict[str, float]
    clip: float | None


def operator_of(layer: Recurrent) -> Operator | None:
    """The operator that a layer is, None where it is none; one of float64 is none, as nobody runs them in float64.

    Examples
    --------
    >>> import seqkit
    >>> operator_of(seqkit.GRU(4, reset_after=False).build(3)).attributes
    {'linear_before_reset': 0}
    >>> operator_of(seqkit.GRU(4, zoneout=0.1).build(3)) is None
    True
    """
    cell = layer.cell
    known = next((kind for kind in CELLS if isinstance(cell, kind)), None)
    if known is None or layer.dtype != np.float32:
        return None
    takes = inspect.signature(known.__init__).parameters.keys() | inspect.signature(Cell.__init__).parameters.keys()
    options = {key: value for key, value in cell.arguments.items() if key in takes}
    same = known(**options | {"use_bias": cell.use_bias})
    if _structure(cell, layer.execution.program) != _structure(same, trace(same)):
        return None
    form = recurrent_form.RECURRENT[CELLS[known]]
    functions = _functions(form, options)
    clip = _clip(form, functions) if functions else None
    if functions is None or clip is None:
        return None
    return Operator(CELLS[known], known.name, functions, _switches(cell) | clip)


def _functions(form: recurrent_form.Operator, options: Mapping[str, Any]) -> tuple[Function, ...] | None:
    """The activations that options of a cell mean, in the operator's order; None where ONNX has not all of them."""
    usual: dict[str, Any] = {"recurrent_activation": "sigmoid", "activation": "tanh", **options}
    chosen = [usual.get(place) or usual["activation"] for place in form.places]
    settings = [dict(one) if isinstance(one, Mapping) else {"name": one} for one in chosen]
    if any(one["name"] not in FUNCTIONS for one in settings):
        return None
    return tuple(_function(**one) for one in settings)


def _function(name: str, clip: float | None = None, **given: float) -> Function:
    theirs, takes = FUNCTIONS[name]
    ours = inspect.signature(ACTIVATIONS["affine" if name == "linear" else name]).parameters
    return Function(theirs, {key: float(given.get(key, ours[key].default)) for key in takes}, clip)


def _clip(form: recurrent_form.Operator, functions: tuple[Function, ...]) -> dict[str, float] | None:
    """The attribute of the limit that all gates have and the cell state has not; None where there are others."""
    pairs = list(zip(form.places, functions, strict=True))
    of_gates = {one.clip for place, one in pairs if place != "output_activation"}
    of_state = {one.clip for place, one in pairs if place == "output_activation"}
    if len(of_gates) > 1 or not of_state <= {None}:
        return None
    (clip,) = of_gates
    return {} if clip is None else {"clip": float(clip)}


def _switches(cell: Cell) -> dict[str, int]:
    if isinstance(cell, GRUCell):
        return {"linear_before_reset": int(cell.reset_after)}
    return {"input_forget": 1} if isinstance(cell, (LSTMCell, PeepholeCell)) and cell.coupled else {}


def _structure(cell: Cell, program: Program) -> Any:
    """Everything that says what a program computes, for comparison."""
    place = {node: number for number, node in enumerate(program.nodes)}
    nodes = [(n.operation, [place[o] for o in n.operands], n.detail, n.size) for n in program.nodes]
    results = {state: place[node] for state, node in program.results.items()}
    declared = {name: (one.rows, one.dimensions) for name, one in cell.parameters().items()}
    return nodes, results, declared, program.gates, program.biases, program.heads, dict(program.sizes)


def activations(operators: list[Operator]) -> dict[str, Any]:
    """The attributes that say which functions the directions have; none where they are the usual ones."""
    functions = [function for one in operators for function in one.functions]
    usual = [name for one in operators for name in recurrent_form.RECURRENT[one.op_type].defaults]
    if [function.name for function in functions] == usual:
        return {}
    attributes: dict[str, Any] = {"activations": [function.name for function in functions]}
    for key in ("alpha", "beta"):
        if values := [function.numbers[key] for function in functions if key in function.numbers]:
            attributes[f"activation_{key}"] = values
    return attributes
