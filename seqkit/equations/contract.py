"""Contraction: products that are only added become fused multiply-adds, and those that are only
multiplied by the derivative of a gate one operation with it.

Decided here, once for the interpreter and for compiled kernels; the C compiler contracts nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from seqkit.equations.program import Program
from seqkit.equations.symbols import Node


@dataclass(frozen=True)
class Work:
    """What the engine does to get the value of a node."""

    operation: str
    operands: tuple[Node, ...]


def contract(program: Program) -> dict[Node, Work]:
    """The work of every node: its own operation, or one that takes a product in, such as a multiply-add.

    A product is taken in if nothing else of the program uses it and both belong to one
    stage.  Of two products that is the one known last: the other is computed meanwhile.
    """
    stages = program.stages
    known = {node: 0 if node.leaf else i for i, node in enumerate(program.nodes)}
    uses = Counter(operand for node in program.nodes for operand in node.operands)
    uses.update([*program.results.values(), *program.column_grads.values(), *program.parts])

    def fusible(node: Node, operand: Node) -> bool:
        return operand.operation == "mul" and uses[operand] == 1 and stages[operand] == stages[node]

    work = {}
    for node in program.nodes:
        work[node] = Work(node.operation, node.operands)
        if node.operation in ("add", "sub"):
            products = [operand for operand in node.operands if fusible(node, operand)]
            if products:
                product = max(products, key=lambda product: max(known[factor] for factor in product.operands))
                work[node] = _fused(node, product)
        elif node.operation in ("sigmoid_grad", "tanh_grad") and fusible(node, node.operands[0]):
            work[node] = Work(f"mul_{node.operation}", (*node.operands[0].operands, node.operands[1]))
    return work


def _fused(node: Node, product: Node) -> Work:
    first, second = node.operands
    if node.operation == "add":
        return Work("muladd", (*product.operands, second if product is first else first))
    return (
        Work("mulsub", (*product.operands, second))
        if product is first
        else Work("negmuladd", (*product.operands, first))
    )
