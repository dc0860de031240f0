"""Layers that are an operator of ONNX: LSTM, also with peepholes, GRU and RNN.

What a layer is, is decided by its equations and not by its name: a subclass that starts from other numbers is the
operator, one that changes the step is not.

Source: the operators' specification, github.com/onnx/onnx, docs/Operators.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seqkit.cells.gru import GRUCell
from seqkit.cells.lstm import LSTMCell
from seqkit.cells.peephole import PeepholeCell
from seqkit.cells.simple_rnn import SimpleRNNCell
from seqkit.equations import ACTIVATIONS, Cell, Program, trace
from seqkit.recurrent import Recurrent

# Our functions by the operators' names, with the alpha and beta of those that have any.
FUNCTIONS: dict[str, tuple[str, list[float], list[float]]] = {
    "tanh": ("Tanh", [], []),
    "sigmoid": ("Sigmoid", [], []),
    "relu": ("Relu", [], []),
    "linear": ("Affine", [1.0], [0.0]),
    "hard_sigmoid": ("HardSigmoid", [1 / 6], [0.5]),
    "softplus": ("Softplus", [], []),
    "softsign": ("Softsign", [], []),
    "elu": ("Elu", [1.0], []),
}
USUAL = {"LSTM": ("sigmoid", "tanh", "tanh"), "GRU": ("sigmoid", "tanh"), "RNN": ("tanh",)}


@dataclass(frozen=True)
class Operator:
    """An operator of ONNX that a layer is.

    Attributes
    ----------
    op_type : str
    kind : str
        Name of the built-in cell that has the same equations.
    functions : tuple of str
        Our names of its activations, in the operator's order.
    attributes : dict
        All others beside direction and size.
    """

    op_type: str
    kind: str
    functions: tuple[str, ...]
    attributes: dict[str, Any] = field(default_factory=dict)


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
    known = next((known for known in (LSTMCell, PeepholeCell, GRUCell, SimpleRNNCell) if isinstance(cell, known)), None)
    if known is None or layer.dtype != np.float32:
        return None
    inner, gate = _name_of(cell.activation), _name_of(cell.recurrent_activation)
    options: dict[str, Any] = {"reset_after": cell.reset_after} if isinstance(cell, GRUCell) else {}
    op_type = {"gru": "GRU", "simple_rnn": "RNN"}.get(known.name, "LSTM")
    functions = {"LSTM": (gate, inner, inner), "GRU": (gate, inner), "RNN": (inner,)}[op_type]
    if not FUNCTIONS.keys() >= set(functions):
        return None
    same = known(activation=inner, recurrent_activation=gate, use_bias=cell.use_bias, **options)
    if _structure(cell, layer.execution.program) != _structure(same, trace(same)):
        return None
    reset = {"linear_before_reset": int(cell.reset_after)} if isinstance(cell, GRUCell) else {}
    return Operator(op_type, known.name, functions, reset)


def _name_of(function: Callable[[Any], Any]) -> str:
    return next((name for name, known in ACTIVATIONS.items() if known is function), "")


def _structure(cell: Cell, program: Program) -> Any:
    """Everything that says what a program computes, for comparison."""
    place = {node: number for number, node in enumerate(program.nodes)}
    nodes = [(n.operation, [place[o] for o in n.operands], n.detail, n.size) for n in program.nodes]
    results = {state: place[node] for state, node in program.results.items()}
    declared = {name: (one.rows, one.dimensions) for name, one in cell.parameters().items()}
    return nodes, results, declared, program.gates, program.biases, program.heads, dict(program.sizes)


def activations(operators: list[Operator]) -> dict[str, Any]:
    """The attributes that say which functions the directions have; none where they are the usual ones."""
    if all(one.functions == USUAL[one.op_type] for one in operators):
        return {}
    found = [FUNCTIONS[name] for one in operators for name in one.functions]
    alpha, beta = ([number for one in found for number in one[place]] for place in (1, 2))
    attributes: dict[str, Any] = {"activations": [name for name, _, _ in found]}
    return attributes | ({"activation_alpha": alpha} if alpha else {}) | ({"activation_beta": beta} if beta else {})
