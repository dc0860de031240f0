"""The graph of an ONNX model in float64, by other products and other recurrent layers than seqkit's own.

Constants and inputs become float64; products are NumPy's, and LSTM, GRU and RNN those of
:mod:`seqkit.interop.reference.onnx`, written from the specification.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from seqkit.interop.onnx.messages import Graph, Model, Node, Value
from seqkit.interop.onnx.operators.binding import Arrays, Bind, Constants, Function
from seqkit.interop.onnx.operators.control import control
from seqkit.interop.onnx.operators.table import OPERATORS
from seqkit.interop.onnx.schema import DTYPES
from seqkit.interop.reference import onnx as reference

FLOAT64 = np.dtype(np.float64)


def widened(model: Model) -> Model:
    """The model with float64 in place of all other floating point numbers, to be run with `REFERENCE`.

    Examples
    --------
    >>> x, y = (Value(name, np.dtype("float32"), (2,)) for name in "xy")
    >>> model = widened(Model(Graph("g", [Node("Cast", ["x"], ["y"], {"to": 1})], [x], [y]), {"": 22}, 10))
    >>> model.graph.inputs[0].dtype, model.graph.nodes[0].attributes
    (dtype('float64'), {'to': 11})
    """
    return replace(model, graph=_graph(model.graph))


def _graph(graph: Graph) -> Graph:
    return Graph(
        graph.name,
        [_node(node) for node in graph.nodes],
        [_value(value) for value in graph.inputs],
        [_value(value) for value in graph.outputs],
        {name: _wide(array) for name, array in graph.initializers.items()},
    )


def _wide(array: np.ndarray) -> np.ndarray:
    return array.astype(FLOAT64) if array.dtype.kind == "f" else array


def _value(value: Value) -> Value:
    return replace(value, dtype=FLOAT64) if value.dtype is not None and value.dtype.kind == "f" else value


def _node(node: Node) -> Node:
    attributes = {name: _attribute(value) for name, value in node.attributes.items()}
    match node.op_type:
        case "Cast" if DTYPES.get(attributes.get("to", 0), np.dtype(bool)).kind == "f":
            attributes["to"] = next(number for number, dtype in DTYPES.items() if dtype == FLOAT64)
        case "ConstantOfShape":
            attributes.setdefault("value", np.zeros(1))
        case "Constant" if attributes.keys() & {"value_float", "value_floats"}:
            attributes = {"value": np.array(*attributes.values())}
    return replace(node, attributes=attributes)


def _attribute(value: Any) -> Any:
    return _graph(value) if isinstance(value, Graph) else _wide(value) if isinstance(value, np.ndarray) else value


def _mat_mul(node: Node, constants: Constants, opset: int) -> Function:
    return lambda inputs: [np.matmul(*inputs)]


def _gemm(node: Node, constants: Constants, opset: int) -> Function:
    given = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 0} | node.attributes

    def run(inputs: Arrays) -> Arrays:
        a, b = (array.T if given[turn] else array for array, turn in zip(inputs, ("transA", "transB"), strict=False))
        added = given["beta"] * inputs[2] if len(inputs) > 2 and inputs[2] is not None else 0.0
        return [given["alpha"] * np.matmul(a, b) + added]

    return run


def _recurrent(function: Callable[..., Any]) -> Bind:
    def bind(node: Node, constants: Constants, opset: int) -> Function:
        return lambda inputs: list(function(*inputs, **node.attributes))

    return bind


# products and recurrent layers of others; the rest is NumPy's in any precision
REFERENCE: dict[str, Bind] = {
    **OPERATORS,
    "GRU": _recurrent(reference.gru),
    "Gemm": _gemm,
    "LSTM": _recurrent(reference.lstm),
    "MatMul": _mat_mul,
    "RNN": _recurrent(reference.rnn),
}
REFERENCE |= control(REFERENCE)
