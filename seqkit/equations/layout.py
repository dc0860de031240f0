"""Layout: where the columns of a program lie, and the products that fill them.

A *run* is one product of one operand into adjoining columns of a stage, at most four vectors
wide.  Forward and backward tables of a cell share one layout.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from seqkit._core import lanes
from seqkit.equations.program import Program
from seqkit.equations.symbols import REDUCTIONS, Node
from seqkit.errors import EquationError

MAX_VECTORS = 4
Term = tuple[str, str]
"""("x", gate), ("U", gate) or ("matrix", name): whose weights a column of a run multiplies."""


@dataclass(frozen=True)
class Run:
    """A product of one operand into adjoining columns of a stage."""

    stage: int
    operand: str
    index: int
    column: int
    terms: tuple[Term, ...]
    node: Node | None


@dataclass
class Layout:
    """What forward and backward tables of one cell share.

    Attributes
    ----------
    dtype, precision : str
        Type of the numbers, and what products make of it: "bfloat16", "int8" or the type itself.
    vectors : int
        SIMD vectors of a panel.
    runs : list of Run
        All products of the forward program.
    first_column : list of int
        Place of the first column of every stage among all columns.
    parameter_rows : list of (str, int)
        Rows of the packed parameters.
    masks, randoms : list of str
        States with a mask that stays from step to step, and those with one that is drawn at every step.
    vector_nodes : list of Node
        Computed vectors that the forward program multiplies; they are kept for the gradient.
    """

    program: Program
    units: int
    dtype: str
    precision: str
    vectors: int
    runs: list[Run]
    first_column: list[int]
    stage_columns: list[list[Node]]
    parameter_rows: list[tuple[str, int]]
    masks: list[str]
    randoms: list[str]
    vector_nodes: list[Node]


def lay_out(program: Program, units: int, dtype: str, precision: str) -> Layout:
    """Place the columns of a forward program and find its products."""
    _check_groups(program, units)
    stages = program.stages
    count = max(stages.values()) + 1
    columns = [[node for node in program.columns if stages[node] == stage] for stage in range(count)]
    widest = max(1, min(MAX_VECTORS, max(map(len, columns))))
    vectors = min(MAX_VECTORS // widest, -(-units // lanes(dtype)))
    operands = [o for node in program.columns for o in node.operands if o.operation != "state"]
    vector_nodes = list(dict.fromkeys(operands))
    runs = [
        run
        for stage, nodes in enumerate(columns)
        for run in _runs(program, stage, nodes, vector_nodes, MAX_VECTORS // vectors)
    ]
    return Layout(
        program,
        units,
        dtype,
        precision,
        vectors,
        runs,
        [sum(map(len, columns[:stage])) for stage in range(count)],
        columns,
        sorted({node.detail[:2] for node in program.nodes if node.operation == "parameter"}),
        [node.detail for node in program.nodes if node.operation == "mask"],
        [node.detail for node in program.nodes if node.operation == "random"],
        vector_nodes,
    )


def _check_groups(program: Program, units: int) -> None:
    """Groups of reductions are of equal size."""
    for node in program.nodes:
        if node.operation in REDUCTIONS and units % node.detail:
            raise EquationError(
                f"{program.name}: {node.operation} over {node.detail} groups needs a number of units that is a "
                f"multiple of {node.detail}, got {units}.\n  {node.place}"
            )


def _runs(program: Program, stage: int, columns: list[Node], vector_nodes: list[Node], longest: int) -> Iterable[Run]:
    """Group the terms of a stage's columns by operand, then by neighbourhood."""
    by_operand: dict[Node | None, list[tuple[int, Term]]] = {}
    for place, column in enumerate(columns):
        for kind, gate, position in column.detail:
            operand = None if kind == "x" else column.operands[position]
            by_operand.setdefault(operand, []).append((place, (kind, gate)))
    for operand, terms in by_operand.items():
        while terms:
            run = [terms.pop(0)]
            while len(run) < longest and (after := [t for t in terms if t[0] == run[-1][0] + 1]):
                terms.remove(after[0])
                run.append(after[0])
            kind, index = _operand(program, operand, vector_nodes)
            yield Run(stage, kind, index, run[0][0], tuple(term for _, term in run), operand)


def _operand(program: Program, node: Node | None, vector_nodes: list[Node]) -> tuple[str, int]:
    if node is None:
        return "x", 0
    if node.operation == "state":
        return "state", program.states.index(node.detail)
    return "vector", vector_nodes.index(node)
