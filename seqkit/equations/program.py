"""Programs: the operations of one step, in stages.

A *column* is an accumulator of the engine: the sum of at most one input part ``x.g`` and any
number of products ``U.g @ v``.  A product of a vector that the step computes itself, or a reduction
over units, needs that vector whole, over all units: what depends on it is one *stage* later.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from seqkit.equations.sizes import Size
from seqkit.equations.symbols import REDUCTIONS, Node

SIGNS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "greater": ">", "greater_equal": ">="}


@dataclass
class Program:
    """A traced step, or its derived gradient.

    Attributes
    ----------
    nodes : list of Node
        Operations and leaves in order: operands before those who use them.
    results : dict of str to Node
        The new states; for a gradient, the pointwise part of the old states' gradients.
    names : dict of str to Node
        Values by the author's name for them.
    columns : list of Node
        The accumulators in the order of their places.
    gates : tuple of str
        The cell's gates, in order.
    sizes : mapping of str to Size
        Of every gate and state.
    inputs : mapping of str to Size
        Features of x that W does not multiply, in order.
    column_grads : dict
        Of a gradient: the gradient of each column, by its place.
    parameter_grads, input_grads : dict
        Of a gradient: the gradient of each parameter row and of each raw input.  One of a single number is the
        sum over the units of what is given, of several where it met vectors of several sizes.
    saved : list of Node
        Of a gradient: the values of the forward program that it reads.
    biases : tuple of str
        The gates whose input part has a bias.
    heads : dict
        How many blocks are on the diagonal of a matrix, where there are several: by ("U", gate) or ("matrix", name).
    """

    name: str
    states: tuple[str, ...]
    nodes: list[Node]
    results: dict[str, Node]
    names: dict[str, Node] = field(default_factory=dict)
    columns: list[Node] = field(default_factory=list)
    gates: tuple[str, ...] = ()
    sizes: Mapping[str, Size] = field(default_factory=dict)
    inputs: Mapping[str, Size] = field(default_factory=dict)
    column_grads: dict[int, Node] = field(default_factory=dict)
    parameter_grads: dict[tuple[str, int], tuple[Node, ...]] = field(default_factory=dict)
    input_grads: dict[str, tuple[Node, ...]] = field(default_factory=dict)
    saved: list[Node] = field(default_factory=list)
    biases: tuple[str, ...] = ()
    heads: dict[tuple[str, str], int] = field(default_factory=dict)

    @property
    def stages(self) -> dict[Node, int]:
        """The stage in which every node can be computed."""
        stage: dict[Node, int] = {}
        for node in self.nodes:
            stage[node] = max((stage[operand] + _wait(node, operand) for operand in node.operands), default=0)
        return stage

    @property
    def parts(self) -> list[Node]:
        """All parts of the gradients of parameters and raw inputs."""
        return [part for parts in (*self.parameter_grads.values(), *self.input_grads.values()) for part in parts]

    def terms_of(self, vector: Node) -> list[tuple[int, str, int]]:
        """Where a vector is multiplied: (column, matrix, place among the column's operands)."""
        return [
            (index, matrix, position)
            for index, column in enumerate(self.columns)
            for kind, matrix, position in column.detail
            if kind != "x" and column.operands[position] is vector
        ]

    def __str__(self) -> str:
        """The program as text, stage by stage."""
        return "\n".join(_lines(self))


def _wait(node: Node, operand: Node) -> int:
    """1 where `node` needs its operand over all units: the operand must be a stage earlier."""
    whole = node.operation in (*REDUCTIONS, "adjoint") or (
        node.operation == "column" and operand.operation not in ("state", "input")
    )
    return int(whole)


def reachable(nodes: Iterable[Node], results: Iterable[Node]) -> list[Node]:
    """Those of `nodes` that `results` depend on, in the same order."""
    needed = set(results)
    kept = []
    for node in reversed(list(nodes)):
        if node in needed:
            kept.append(node)
            needed.update(node.operands)
    return kept[::-1]


def _lines(program: Program) -> Iterable[str]:
    stages, labels = program.stages, _labels(program)
    for stage in range(max(stages.values(), default=0) + 1):
        yield f"stage {stage}"
        for node in program.nodes:
            if stages[node] == stage and (not node.leaf or node.operation in ("column", "adjoint")):
                yield f"  {labels[node]:<8} = {_expression(node, labels, program.biases)}"
    for name, node in program.results.items():
        yield f"{name:<10} = {labels[node]}"
    for index, node in program.column_grads.items():
        yield f"d column {index} = {labels[node]}"
    for (name, row), parts in program.parameter_grads.items():
        yield f"d {name}[{row}] += {' + '.join(labels[node] for node in parts)}"
    for name, parts in program.input_grads.items():
        yield f"d {name}[t] = {' + '.join(labels[node] for node in parts)}"
    yield from heads_text(program)
    if program.saved:
        yield "saved by the forward pass: " + ", ".join(
            node.name or labels.get(node, node.operation) for node in program.saved
        )


def _labels(program: Program) -> dict[Node, str]:
    """A short name for every node: the author's, a leaf's own, or a number."""
    labels, count = {}, 0
    for node in program.nodes:
        if node.name:
            labels[node] = node.name
        elif node.leaf and node.operation not in ("column", "adjoint"):
            labels[node] = leaf_text(node)
        else:
            labels[node], count = f"v{count}", count + 1
    return labels


def leaf_text(node: Node) -> str:
    """A leaf in the notation of the equations."""
    kind, detail = node.operation, node.detail
    if kind == "parameter":
        return f"{detail[0]}.{detail[2]}" if detail[2] else detail[0]
    if kind == "constant":
        return f"{detail:g}"
    if kind == "saved":
        return f"saved {detail.name or detail.operation}"
    if kind == "input":
        return f"{detail}[t]"
    if kind in ("mask", "random"):
        return f"mask_{detail}" if kind == "mask" else f"random_{detail}[t]"
    return {"state": f"{detail}[t-1]", "next": f"{detail}[t]", "carry": f"d{detail}[t]"}[kind]


def _expression(node: Node, labels: dict[Node, str], biases: Collection[str]) -> str:
    if node.operation == "column":
        return " + ".join(column_terms(node, labels, biases))
    if node.operation == "adjoint":
        return "sum of " + " + ".join(f"{matrix}^T d column {column}" for column, matrix, _ in node.detail)
    parts = [labels[operand] for operand in node.operands]
    if node.operation in SIGNS:
        return f"{parts[0]} {SIGNS[node.operation]} {parts[1]}"
    return f"-{parts[0]}" if node.operation == "neg" else call_text(node, parts)


def call_text(node: Node, operands: Iterable[str]) -> str:
    """An operation as the call of a function."""
    groups = [f"groups={node.detail}"] if node.operation in REDUCTIONS and node.detail > 1 else []
    return f"{node.operation}({', '.join([*operands, *groups])})"


def matrix_text(kind: str, name: str) -> str:
    """A matrix in the notation of the equations."""
    return f"U_{name}" if kind == "U" else name


def heads_text(program: Program) -> list[str]:
    """A line that says which matrices have several heads; none where none has."""
    by_count: dict[int, list[str]] = {}
    for (kind, name), count in sorted(program.heads.items()):
        by_count.setdefault(count, []).append(matrix_text(kind, name))
    texts = [f"{', '.join(names)} with {count} blocks on the diagonal" for count, names in sorted(by_count.items())]
    return [f"where {'; '.join(texts)}"] if texts else []


def column_terms(node: Node, labels: dict[Node, str], biases: Collection[str]) -> list[str]:
    """The terms of a column; `biases` names the gates that have one."""
    texts = []
    for kind, gate, position in node.detail:
        if kind == "x":
            texts += [f"W_{gate} x[t]", f"b_{gate}"][: 1 + (gate in biases)]
        else:
            texts.append(f"{matrix_text(kind, gate)} {labels[node.operands[position]]}")
    return texts
