"""Prints the equations of a cell, one step of them, as nodes of ONNX.

Legend: B batch, N numbers of a vector, K numbers of an operand, A heads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from seqkit.equations.symbols import REDUCTIONS, Node
from seqkit.interop.onnx.export.builder import Builder
from seqkit.interop.onnx.export.functions import softplus
from seqkit.interop.onnx.export.ways import Way
from seqkit.interop.onnx.schema import number_of

OPERATORS = {
    "abs": "Abs",
    "add": "Add",
    "div": "Div",
    "exp": "Exp",
    "floor": "Floor",
    "greater": "Greater",
    "greater_equal": "GreaterOrEqual",
    "log": "Log",
    "maximum": "Max",
    "minimum": "Min",
    "mul": "Mul",
    "neg": "Neg",
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "sqrt": "Sqrt",
    "sub": "Sub",
    "tanh": "Tanh",
}
COMPARISONS = ("greater", "greater_equal")
Term = tuple[str, str, int]
"""("x", gate, -1), or ("U", gate) or ("matrix", name) and the place of the vector among a column's operands."""


@dataclass(frozen=True)
class Vector:
    """A value of the step.

    Attributes
    ----------
    name : str
        Of the value in the graph.
    width : int
        Its last axis: N, or 1 where a single number stands for all.
    rows : bool
        Whether there is one for every sequence, (B, width); else it is (width,), (1, width) or a number.
    truth : bool
        Whether these are truth values.
    """

    name: str
    width: int
    rows: bool
    truth: bool = False


class Step:
    """The equations of a layer as they are written into the body of a loop.

    Parameters
    ----------
    builder : Builder
        Of the body.
    way : Way
        Whose layer.
    states : mapping of str to str
        Names of the old states (B, S).
    read : mapping of str to str
        Names of what is read of the input at this step: "gates", and raw inputs as "raw_<name>".
    """

    def __init__(self, builder: Builder, way: Way, states: Mapping[str, str], read: Mapping[str, str]) -> None:
        self.builder, self.way, self.states, self.read = builder, way, states, read
        self.program, self.shapes = way.layer.execution.program, way.layer.execution.shapes
        self.params, self.declared = way.layer.params.reading(), way.layer.cell.parameters()
        self.vectors: dict[Node, Vector] = {}
        self.products: dict[tuple[Node, str, str], str] = {}

    def new_states(self) -> dict[str, str]:
        """The new states (B, S) by name."""
        for node in self.program.nodes:
            self.vectors[node] = self._vector(node)
        return {state: self._of_every_row(state, node) for state, node in self.program.results.items()}

    def _of_every_row(self, state: str, node: Node) -> str:
        value = self._number(self.vectors[node])
        if value.rows and value.width == self._size(node):
            return value.name
        return self.builder.op("Expand", value.name, self.builder.op("Shape", self.states[state]))

    def _size(self, node: Node) -> int:
        return self.shapes.size(node.size)

    def _vector(self, node: Node) -> Vector:
        kind, size = node.operation, self._size(node)
        if kind == "state":
            return Vector(self.states[node.detail], size, True)
        if kind == "input":
            return Vector(self.read[f"raw_{node.detail}"], size, True)
        if kind == "constant":
            return Vector(self.builder.number(node.detail), 1, False)
        if kind == "parameter":
            return Vector(self._parameter(*node.detail), size, False)
        if kind == "column":
            return self._column(node)
        return self._reduction(node) if kind in REDUCTIONS else self._pointwise(node)

    def _parameter(self, name: str, row: int, row_name: str) -> str:
        rows = self.declared[name].rows
        array = np.atleast_1d(self.params[name][row]) if rows else self.params[name]
        return self.builder.parameter(array, self.way.parameter(f"{name}.{row_name}" if rows else name))

    # ---- pointwise -----------------------------------------------------------------------------

    def _pointwise(self, node: Node) -> Vector:
        given = [self.vectors[operand] for operand in node.operands]
        rows, width = any(one.rows for one in given), max(one.width for one in given)
        if node.operation == "where":
            condition, *values = given
            names = [self._truth(condition), *(self._number(one).name for one in values)]
            return Vector(self.builder.op("Where", *names), width, rows)
        names = [self._number(one).name for one in given]
        if node.operation in ("mul", "div") and self.builder.dtype == np.float64:
            names = [self._not_a_factor(node, *pair) for pair in zip(node.operands, names, strict=True)]
        if node.operation == "softplus":
            return Vector(softplus(self.builder, *names), width, rows)
        name = self.builder.op(OPERATORS[node.operation], *names)
        return Vector(name, width, rows, truth=node.operation in COMPARISONS)

    def _not_a_factor(self, node: Node, operand: Node, name: str) -> str:
        """The operand; a number for each unit in place of a single one.

        ONNX Runtime (1.31) makes a single number beside a MatMul a factor of it, in float32 whatever the types are.
        """
        if operand.operation != "constant":
            return name
        return self.builder.array(np.full(self._size(node), operand.detail))

    def _number(self, value: Vector) -> Vector:
        """Truth values as 0 and 1."""
        if not value.truth:
            return value
        number = self.builder.op("Cast", value.name, to=number_of(self.builder.dtype, value.name))
        return Vector(number, value.width, value.rows)

    def _truth(self, value: Vector) -> str:
        """Numbers as truth values: all but 0 hold."""
        return value.name if value.truth else self.builder.op("Cast", value.name, to=number_of(np.dtype(bool), ""))

    def _whole(self, node: Node) -> Vector:
        """A vector with all its numbers, where a single one may have stood for them."""
        value, size = self._number(self.vectors[node]), self._size(node)
        if value.width == size:
            return value
        return Vector(self.builder.op("Expand", value.name, self.builder.ints(1, size)), size, value.rows)

    # ---- over all units ------------------------------------------------------------------------

    def _reduction(self, node: Node) -> Vector:
        value, groups = self._whole(node.operands[0]), node.detail
        if groups == 1:
            return Vector(self._reduced(node.operation, value.name, value.width), 1, value.rows)
        inner = value.width // groups
        runs = self.builder.op("Reshape", value.name, self.builder.ints(-1, groups, inner))
        found = self._reduced(node.operation, runs, inner)
        everywhere = self.builder.op("Expand", found, self.builder.ints(1, groups, inner))
        return Vector(
            self.builder.op("Reshape", everywhere, self.builder.ints(-1, value.width)), value.width, value.rows
        )

    def _reduced(self, operation: str, x: str, count: int) -> str:
        """Mean, sum or largest of the last axis, which stays as an axis of one."""
        if operation == "largest":
            return self.builder.largest(x)
        total = self.builder.op("ReduceSum", x, self.builder.ints(-1), keepdims=1)
        return total if operation == "total" else self.builder.op("Div", total, self.builder.number(count))

    # ---- products ------------------------------------------------------------------------------

    def _column(self, node: Node) -> Vector:
        terms = [self._term(node, term) for term in node.detail]
        total = terms[0]
        for term in terms[1:]:
            total = self.builder.op("Add", total, term)
        rows = any(kind == "x" or self.vectors[node.operands[place]].rows for kind, _, place in node.detail)
        return Vector(total, self._size(node), rows)

    def _term(self, column: Node, term: Term) -> str:
        kind, name, place = term
        if kind == "x":
            return self._gates[name]
        operand = column.operands[place]
        if (operand, kind, name) not in self.products:
            self._multiply(operand)
        return self.products[operand, kind, name]

    @cached_property
    def _gates(self) -> dict[str, str]:
        """The input's part of every gate (B, N)."""
        rows = self.shapes.input_gates
        sizes = [part.stop - part.start for part in rows.values()]
        return dict(zip(rows, self.builder.split(self.read["gates"], sizes), strict=True))

    def _multiply(self, operand: Node) -> None:
        """All products of a vector: those with whole matrices in one."""
        heads, value = self.program.heads, self._whole(operand).name
        wanted = self._matrices_of(operand)
        whole = [term for term in wanted if heads.get(term, 1) == 1]
        if whole:
            weights = [self._matrix(term) for term in whole]
            name = self.way.parameter("_".join(name for _, name in whole))
            product = self.builder.op("MatMul", value, self.builder.parameter(np.concatenate(weights).T, name))
            parts = self.builder.split(product, [len(weight) for weight in weights])
            self.products |= {(operand, *term): part for term, part in zip(whole, parts, strict=True)}
        for term in wanted:
            if term not in whole:
                self.products[operand, *term] = self._by_heads(value, term, heads[term])

    def _matrices_of(self, operand: Node) -> list[tuple[str, str]]:
        """The matrices that multiply a vector, in the order of the columns, each once."""
        return list(
            dict.fromkeys(
                (kind, name)
                for column in self.program.columns
                for kind, name, place in column.detail
                if kind != "x" and column.operands[place] is operand
            )
        )

    def _matrix(self, term: tuple[str, str]) -> np.ndarray:
        kind, name = term
        return self.params["weight_hh"][self.shapes.recurrent_gates[name]] if kind == "U" else self.params[name]

    def _by_heads(self, x: str, term: tuple[str, str], heads: int) -> str:
        """The product with a block-diagonal matrix, whose blocks lie on top of each other."""
        blocks = self._matrix(term)
        stacked = blocks.reshape(heads, -1, blocks.shape[1]).transpose(0, 2, 1)  # (A, K / A, N / A)
        rows = self.builder.op("Reshape", x, self.builder.ints(-1, heads, 1, blocks.shape[1]))
        product = self.builder.op("MatMul", rows, self.builder.parameter(stacked, self.way.parameter(term[1])))
        return self.builder.op("Reshape", product, self.builder.ints(-1, len(blocks)))
