"""Equations and programs as text."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from seqkit.equations.cell import Cell
from seqkit.equations.derive import derive
from seqkit.equations.program import SIGNS, Program, call_text, column_terms, heads_text, leaf_text
from seqkit.equations.symbols import Node
from seqkit.equations.trace import trace

STRENGTH = {"add": 1, "sub": 1, "greater": 0, "greater_equal": 0, "mul": 2, "div": 2, "neg": 3}


def describe_equations(cell: Cell) -> str:
    """The cell's equations, one line for every value that its author named.

    Examples
    --------
    >>> import seqkit
    >>> print(describe_equations(seqkit.GRU(1).cell))
    r[t] = sigmoid(W_r x[t] + b_r + U_r h[t-1])
    z[t] = sigmoid(W_z x[t] + b_z + U_z h[t-1])
    recurrent[t] = U_n h[t-1] + bias_hn
    n[t] = tanh(W_n x[t] + b_n + r[t] * recurrent[t])
    h[t] = (1 - z[t]) * n[t] + z[t] * h[t-1]
    """
    program = trace(cell)
    named: dict[Node, str] = {}
    for name, node in [*program.results.items(), *program.names.items()]:
        if not node.leaf or node.operation == "column":
            named.setdefault(node, name)
    write = partial(_text, named, program.biases)
    lines = [f"{named[node]}[t] = {write(node, top=True)}" for node in program.nodes if node in named]
    lines += [f"{name}[t] = {write(node)}" for name, node in program.results.items() if named.get(node) != name]
    return "\n".join(lines + heads_text(program))


def describe_program(cell: Cell) -> str:
    """The traced program of a cell and that of its gradient, stage by stage."""
    program = trace(cell)
    return f"{_titled(program)}\n\n{_titled(derive(program))}"


def _titled(program: Program) -> str:
    return f"{program.name}\n{program}"


def _text(named: dict[Node, str], biases: Collection[str], node: Node, top: bool = False, strength: int = 0) -> str:
    """An expression; named values inside it stand as their names."""
    write = partial(_text, named, biases)
    if node in named and not top:
        return f"{named[node]}[t]"
    if node.operation == "column":
        labels = {operand: write(operand, strength=3) for operand in node.operands}
        terms = column_terms(node, labels, biases)
        text, own = " + ".join(terms), 1 if len(terms) > 1 else 3
    elif node.leaf:
        return leaf_text(node)
    elif node.operation in STRENGTH:
        own = STRENGTH[node.operation]
        parts = [
            write(o, strength=own + (i > 0 and node.operation in ("sub", "div"))) for i, o in enumerate(node.operands)
        ]
        text = f"-{parts[0]}" if node.operation == "neg" else f"{parts[0]} {SIGNS[node.operation]} {parts[1]}"
    else:
        return call_text(node, map(write, node.operands))
    return f"({text})" if own < strength else text
