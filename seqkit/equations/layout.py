"""Layout: where the columns of a program lie, and the products that fill them.

A *run* is one product of one operand into adjoining columns of a stage, at most four vectors
wide.  Forward and backward tables of a cell share one layout.

All vectors lie in room for the largest of them; what follows the end of a smaller one is never read by a product, a
mean or the user.  Work follows the sizes: a product fills no more panels than its columns have.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from seqkit._core import lanes
from seqkit.equations.program import Program, matrix_text
from seqkit.equations.shapes import Shapes
from seqkit.equations.symbols import REDUCTIONS, Node
from seqkit.errors import EquationError

MAX_VECTORS = 4
Term = tuple[str, str]
"""("x", gate), ("U", gate) or ("matrix", name): whose weights a column of a run multiplies."""


@dataclass(frozen=True)
class Run:
    """A product of one operand of `inner` numbers into adjoining columns of a stage, all of `rows` numbers.

    `index` is that of the state or vector; of a raw input, its first feature.  Of a matrix with several `heads`, a
    panel of columns reads a window of the operand only, of `window` numbers, and on the way back a group of vectors
    of the operand a window of `back` panels.
    """

    stage: int
    operand: str
    index: int
    column: int
    terms: tuple[Term, ...]
    node: Node | None
    inner: int
    rows: int
    heads: int
    window: int
    back: int


@dataclass
class Layout:
    """What forward and backward tables of one cell share.

    Attributes
    ----------
    shapes : Shapes
        All sizes.
    widest : int
        The largest size of a vector.
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
    shapes: Shapes
    widest: int
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

    @property
    def width(self) -> int:
        """Numbers of a panel."""
        return self.vectors * lanes(self.dtype)

    def panels(self, numbers: int) -> int:
        """Panels that hold a vector."""
        return -(-numbers // self.width)


def lay_out(program: Program, shapes: Shapes, dtype: str, precision: str) -> Layout:
    """Place the columns of a forward program and find its products."""
    _check_groups(program, shapes)
    _check_heads(program, shapes)
    vectors_of_step = [node for node in program.nodes if node.operation != "input" or reads_pointwise(program, node)]
    longest = max(*shapes.states, *(shapes.size(node.size) for node in vectors_of_step))
    stages = program.stages
    count = max(stages.values()) + 1
    columns = [[node for node in program.columns if stages[node] == stage] for stage in range(count)]
    widest = max(1, min(MAX_VECTORS, max(map(len, columns))))
    vectors = min(MAX_VECTORS // widest, -(-longest // lanes(dtype)))
    operands = [o for node in program.columns for o in node.operands if o.operation not in ("state", "input")]
    vector_nodes = list(dict.fromkeys(operands))
    runs = [
        run
        for stage, nodes in enumerate(columns)
        for run in _runs(shapes, stage, nodes, vector_nodes, vectors, lanes(dtype), precision == dtype)
    ]
    return Layout(
        program,
        shapes,
        longest,
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


def _check_groups(program: Program, shapes: Shapes) -> None:
    """Groups of reductions are of equal size."""
    for node in program.nodes:
        size = shapes.size(node.operands[0].size) if node.operation in REDUCTIONS else 0
        if size and size % node.detail:
            raise EquationError(
                f"{program.name}: {node.operation} over {node.detail} groups needs a number of units that is a "
                f"multiple of {node.detail}, got {size}.\n  {node.place}"
            )


def _check_heads(program: Program, shapes: Shapes) -> None:
    """Blocks on a diagonal are of equal size."""
    for column in program.columns:
        for kind, name, position in column.detail:
            heads = program.heads.get((kind, name), 1)
            sizes = [shapes.size(node.size) for node in (column, column.operands[position])] if heads > 1 else []
            if any(size % heads for size in sizes):
                raise EquationError(
                    f"{program.name}: {matrix_text(kind, name)} has {heads} heads, which must divide its rows "
                    f"and its columns; it has {sizes[0]} and {sizes[1]}."
                )


def reads_pointwise(program: Program, leaf: Node) -> bool:
    """Whether anything but a product reads a leaf."""
    readers = [node for node in program.nodes if node.operation != "column" and leaf in node.operands]
    return bool(readers) or leaf in program.results.values()


def _runs(
    shapes: Shapes, stage: int, columns: list[Node], vector_nodes: list[Node], vectors: int, lanes: int, parts: bool
) -> Iterable[Run]:
    """Group the terms of a stage's columns by operand, then by neighbourhood, size and heads."""
    by_operand: dict[Node | None, list[tuple[int, Term]]] = {}
    for place, column in enumerate(columns):
        for kind, gate, position in column.detail:
            operand = None if kind == "x" else column.operands[position]
            by_operand.setdefault(operand, []).append((place, (kind, gate)))
    heads = shapes.program.heads
    for operand, terms in by_operand.items():
        inner = shapes.features if operand is None else shapes.size(operand.size)
        kind, index = _operand(shapes, operand, vector_nodes)
        while terms:
            run = [terms.pop(0)]
            size, count = columns[run[0][0]].size, heads.get(run[0][1], 1)
            alike = [t for t in terms if columns[t[0]].size == size and heads.get(t[1], 1) == count]
            while len(run) < MAX_VECTORS // vectors and (after := [t for t in alike if t[0] == run[-1][0] + 1]):
                terms.remove(after[0])
                run.append(after[0])
            rows = shapes.size(size)
            # encoded rows and raw inputs are not read in part
            parted = count if parts and kind != "input" else 1
            windows = _windows(rows, inner, parted, vectors * lanes, MAX_VECTORS * lanes)
            yield Run(
                stage, kind, index, run[0][0], tuple(term for _, term in run), operand, inner, rows, count, *windows
            )


def _windows(rows: int, inner: int, heads: int, width: int, group: int) -> tuple[int, int]:
    """How many numbers of the operand a panel reads at most, and how many panels a group of vectors on the way back."""
    if heads == 1:
        return inner, -(-rows // width)
    high, wide = rows // heads, inner // heads
    forth = max((min(m + width, rows) - 1) // high - m // high + 1 for m in range(0, rows, width))
    back = max(
        -(-((min(g + group, inner) - 1) // wide + 1) * high // width) - g // wide * high // width
        for g in range(0, inner, group)
    )
    return forth * wide, back


def _operand(shapes: Shapes, node: Node | None, vector_nodes: list[Node]) -> tuple[str, int]:
    if node is None:
        return "x", 0
    if node.operation == "state":
        return "state", shapes.program.states.index(node.detail)
    if node.operation == "input":
        return "input", shapes.inputs[node.detail][0]
    return "vector", vector_nodes.index(node)
