"""The backward program, derived from the forward one by reverse accumulation.

Legend: a node's *gradient* is the derivative of the loss by it.

What the gradient needs of the forward pass is either there (old and new states, parameters,
masks), or saved, or computed again.  Saved are activations, not what goes into them, and
values that come straight from a column; sums and products of saved values are recomputed, and
so is a function of something that is there (tanh of the new cell state).

A single number that is there for every unit has a gradient *part* for each size of vectors that it meets: a vector
of what every unit adds.  The parts stay apart, and are summed over the units where the number came from.
"""

from __future__ import annotations

from collections.abc import Callable

from seqkit.equations.program import Program, reachable
from seqkit.equations.sizes import Size
from seqkit.equations.symbols import REDUCTIONS, Node, Recorder

GIVEN = ("state", "input", "parameter", "mask", "random", "constant")
COSTLY = ("sigmoid", "tanh", "exp", "log", "softplus", "sqrt", *REDUCTIONS)


def derive(program: Program) -> Program:
    """The program of the gradient of one step.

    Its leaves ``carry`` are the gradients of the new states; its results are the pointwise part
    of the gradients of the old states, to which the engine adds the products with the transposed
    matrices; `column_grads` are the gradients of the columns.
    """
    return _Derivation(program).run()


class _Derivation:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.recorder = Recorder()
        self.gradient: dict[Node, dict[Size, Node]] = {}
        self.values: dict[Node, Node] = {}
        self.state_of = {node: state for state, node in program.results.items() if not node.leaf}
        self.given = self._find_given()
        self.saved: list[Node] = []

    def run(self) -> Program:
        for state, node in self.program.results.items():
            self._add(node, self.recorder.node("carry", detail=state, size=self.program.sizes[state]))
        for node in reversed(self.program.nodes):
            self._add_adjoint(node)
            if not node.leaf:
                for part in self._parts(node):
                    RULES[node.operation](self, node, part)
        zero = self.recorder.constant(0.0)
        leaves = {kind: [node for node in self.program.nodes if node.operation == kind] for kind in GIVEN}
        column_grads = {i: self._whole(column) or zero for i, column in enumerate(self.program.columns)}
        parameter_grads = {node.detail[:2]: self._parts(node) or (zero,) for node in leaves["parameter"]}
        input_grads = {node.detail: self._parts(node) for node in leaves["input"] if self._parts(node)}
        states = {node.detail: self._whole(node) for node in leaves["state"]}
        results = {state: states.get(state) or zero for state in self.program.states}
        parts = [part for parts in (*parameter_grads.values(), *input_grads.values()) for part in parts]
        nodes = reachable(self.recorder.nodes, [*results.values(), *column_grads.values(), *parts])
        used = {node.detail for node in nodes if node.operation == "saved"}
        return Program(
            f"gradient of {self.program.name}",
            self.program.states,
            nodes,
            results,
            sizes=self.program.sizes,
            inputs=self.program.inputs,
            column_grads=column_grads,
            parameter_grads=parameter_grads,
            input_grads=input_grads,
            saved=[node for node in self.saved if node in used],
        )

    def _add_adjoint(self, node: Node) -> None:
        """The gradient that reaches a computed vector through products.  Those of states and raw inputs are
        the engine's: it adds the products to the carried gradient and to that of x."""
        terms = [term for term in self.program.terms_of(node) if self._whole(self.program.columns[term[0]])]
        if terms and node.operation not in ("state", "input"):
            columns = [self._parts(self.program.columns[index])[0] for index, _, _ in terms]
            adjoint = self.recorder.node("adjoint", *columns, detail=tuple(terms), place=node.place, size=node.size)
            self._add(node, adjoint)

    def _add(self, node: Node, gradient: Node) -> None:
        parts = self.gradient.setdefault(node, {})
        size = gradient.size if node.size == 1 else node.size
        parts[size] = self.op("add", parts[size], gradient) if size in parts else gradient

    def _parts(self, node: Node) -> tuple[Node, ...]:
        """The parts of a node's gradient: one, except for single numbers; none where nothing depends on it."""
        return tuple(self.gradient.get(node, {}).values())

    def _whole(self, node: Node) -> Node | None:
        """The gradient of a node that is not a single number for every unit."""
        return next(iter(self._parts(node)), None)

    def op(self, name: str, *operands: Node) -> Node:
        """Record an operation, simplified where that is free."""
        a = operands[0]
        b = operands[1] if len(operands) > 1 else a
        if name == "mul" and (_is(a, 1.0) or _is(b, 1.0)):
            return b if _is(a, 1.0) else a
        if name == "mul" and (_is(a, -1.0) or _is(b, -1.0)):
            return self.op("neg", b if _is(a, -1.0) else a)
        if name == "neg" and a.operation == "neg":
            return a.operands[0]
        if name == "add" and b.operation == "neg":
            return self.op("sub", a, b.operands[0])
        if name == "add" and a.operation == "neg":
            return self.op("sub", b, a.operands[0])
        return self.recorder.node(name, *operands)

    def value(self, node: Node) -> Node:
        """A value of the forward pass, as the backward program gets it."""
        if node not in self.values:
            self.values[node] = self._fetch(node)
        return self.values[node]

    def _fetch(self, node: Node) -> Node:
        if node.operation in GIVEN:
            return self.recorder.node(node.operation, detail=node.detail, size=node.size)
        if node in self.state_of:
            return self.recorder.node("next", detail=self.state_of[node], size=node.size)
        from_column = node.operation == "column" or any(operand.operation == "column" for operand in node.operands)
        if from_column or (node.operation in COSTLY and node not in self.given):
            self.saved.append(node)
            return self.recorder.node("saved", detail=node, size=node.size)
        return self.op(node.operation, *map(self.value, node.operands))

    def _find_given(self) -> set[Node]:
        """Values that can be had without saving anything; a reduction would cost a stage."""
        given: set[Node] = set()
        for node in self.program.nodes:
            computed = node.operation not in ("column", *REDUCTIONS) and given.issuperset(node.operands)
            if computed or node in self.state_of:
                given.add(node)
        return given


def _is(node: Node, number: float) -> bool:
    return node.operation == "constant" and node.detail == number


# ---- the derivative of every operation: d is the gradient of `node` -------------------------

RULES: dict[str, Callable[[_Derivation, Node, Node], None]] = {}


def _rule(*operations: str) -> Callable[[Callable[[_Derivation, Node, Node], None]], None]:
    def add(rule: Callable[[_Derivation, Node, Node], None]) -> None:
        RULES.update(dict.fromkeys(operations, rule))

    return add


@_rule("add")
def _(s: _Derivation, node: Node, d: Node) -> None:
    for operand in node.operands:
        s._add(operand, d)


@_rule("sub")
def _(s: _Derivation, node: Node, d: Node) -> None:
    s._add(node.operands[0], d)
    s._add(node.operands[1], s.op("neg", d))


@_rule("neg")
def _(s: _Derivation, node: Node, d: Node) -> None:
    s._add(node.operands[0], s.op("neg", d))


@_rule("mul")
def _(s: _Derivation, node: Node, d: Node) -> None:
    a, b = node.operands
    if _differentiable(a):
        s._add(a, s.op("mul", d, s.value(b)))
    if _differentiable(b):
        s._add(b, s.op("mul", d, s.value(a)))


@_rule("div")
def _(s: _Derivation, node: Node, d: Node) -> None:
    a, b = node.operands
    share = s.op("div", d, s.value(b))
    if _differentiable(a):
        s._add(a, share)
    if _differentiable(b):
        s._add(b, s.op("neg", s.op("mul", share, s.value(node))))


@_rule("sigmoid", "tanh", "relu")
def _(s: _Derivation, node: Node, d: Node) -> None:
    s._add(node.operands[0], s.op(f"{node.operation}_grad", d, s.value(node)))


@_rule("exp")
def _(s: _Derivation, node: Node, d: Node) -> None:
    s._add(node.operands[0], s.op("mul", d, s.value(node)))


@_rule("log")
def _(s: _Derivation, node: Node, d: Node) -> None:
    s._add(node.operands[0], s.op("div", d, s.value(node.operands[0])))


@_rule("softplus")
def _(s: _Derivation, node: Node, d: Node) -> None:
    s._add(node.operands[0], s.op("mul", d, s.op("sigmoid", s.value(node.operands[0]))))


@_rule("sqrt")
def _(s: _Derivation, node: Node, d: Node) -> None:
    s._add(node.operands[0], s.op("div", s.op("mul", d, s.recorder.constant(0.5)), s.value(node)))


@_rule("abs")
def _(s: _Derivation, node: Node, d: Node) -> None:
    x, zero = s.value(node.operands[0]), s.recorder.constant(0.0)
    sign = s.op("sub", s.op("greater", x, zero), s.op("greater", zero, x))
    s._add(node.operands[0], s.op("mul", d, sign))


@_rule("maximum", "minimum")
def _(s: _Derivation, node: Node, d: Node) -> None:
    a, b = node.operands
    x, y, zero = s.value(a), s.value(b), s.recorder.constant(0.0)
    first = s.op("greater_equal", x, y) if node.operation == "maximum" else s.op("greater_equal", y, x)
    s._add(a, s.op("where", first, d, zero))
    s._add(b, s.op("where", first, zero, d))


@_rule("where")
def _(s: _Derivation, node: Node, d: Node) -> None:
    condition, a, b = node.operands
    chosen, zero = s.value(condition), s.recorder.constant(0.0)
    s._add(a, s.op("where", chosen, d, zero))
    s._add(b, s.op("where", chosen, zero, d))


@_rule("mean", "total")
def _(s: _Derivation, node: Node, d: Node) -> None:
    if node.size == 1:  # it is there for vectors of any size, whose numbers have a share in its gradient each
        s._add(node.operands[0], s.recorder.node("total", d, detail=1, size=1))
    else:
        s._add(node.operands[0], s.recorder.node(node.operation, d, detail=node.detail))


@_rule("largest")
def _(s: _Derivation, node: Node, d: Node) -> None:
    chosen = s.recorder.node("first_largest", s.value(node.operands[0]), detail=node.detail)
    s._add(node.operands[0], s.op("mul", s.recorder.node("total", d, detail=node.detail), chosen))


@_rule("greater", "greater_equal", "floor")
def _(s: _Derivation, node: Node, d: Node) -> None:
    """Comparisons and whole numbers are constant almost everywhere."""


def _differentiable(node: Node) -> bool:
    return node.operation not in ("constant", "mask")
