"""Symbols: what ``step`` computes with while it is traced.

A symbol stands for one vector of a step, of one number per unit unless another size was declared.
Computing with symbols records operations in a :class:`Recorder`, each once: the same operation on the
same operands is the same node.  Whatever cannot become an operation (a Python ``if``, an unknown
function) raises an :class:`EquationError` that names the author's line.
"""

from __future__ import annotations

import linecache
import sys
from dataclasses import dataclass, field
from numbers import Real
from types import FrameType
from typing import Any, NoReturn

from seqkit.equations.sizes import Size, joint, size_text
from seqkit.errors import EquationError

LEAVES = ("x", "input", "product", "column", "state", "parameter", "mask", "random", "constant")
GRADIENT_LEAVES = ("next", "saved", "carry", "adjoint")
REDUCTIONS = ("mean", "total", "largest", "first_largest")
"""Operations that need their operand over all units; their detail is the number of groups of units."""


@dataclass(eq=False)
class Node:
    """One value of a program: an operation on other values, or a leaf."""

    operation: str
    operands: tuple[Node, ...] = ()
    detail: Any = None
    place: str = ""
    name: str = ""
    size: Size = 1

    @property
    def leaf(self) -> bool:
        """Whether the value is given, not computed."""
        return self.operation in LEAVES + GRADIENT_LEAVES

    @property
    def uniform(self) -> bool:
        """Whether a single number is there for every unit, so that vectors of any size can be combined with it."""
        if self.size != 1 or self.operation in REDUCTIONS or self.leaf:
            return self.size == 1 and self.operation in (*REDUCTIONS, "constant", "input", "parameter")
        return all(operand.uniform for operand in self.operands)


@dataclass
class Recorder:
    """The nodes of a program in the order of their making, each of them once."""

    nodes: list[Node] = field(default_factory=list)
    known: dict[Any, Node] = field(default_factory=dict)

    def node(
        self, operation: str, *operands: Node, detail: Any = None, place: str = "", size: Size | None = None
    ) -> Node:
        """The node for this operation, made if it is new; of the size of its operands unless another is given."""
        key = (operation, tuple(map(id, operands)), detail, size)
        if key not in self.known:
            size = joint(operand.size for operand in operands) if size is None else size
            self.known[key] = Node(operation, operands, detail, place, size=size)
            self.nodes.append(self.known[key])
        return self.known[key]

    def constant(self, value: float) -> Node:
        """The node of a number."""
        return self.node("constant", detail=float(value))


def author_line() -> str:
    """File, line and text of the innermost frame that is the author's: not of this package, not of NumPy."""
    frame = sys._getframe(1)
    while frame.f_back is not None and not is_authors(frame):
        frame = frame.f_back
    return line_text(frame, frame.f_lineno)


def is_authors(frame: FrameType) -> bool:
    """Whether a frame runs code of the author of a cell."""
    return not f"{frame.f_globals.get('__name__', '')}.".startswith((f"{__package__}.", "numpy."))


def line_text(frame: FrameType, number: int) -> str:
    """File, line and text of a line of a frame's code."""
    path = frame.f_code.co_filename
    return f"{path}:{number}: {linecache.getline(path, number).strip()}"


def fail(message: str) -> NoReturn:
    """Raise an EquationError that points at the author's line."""
    raise EquationError(f"{message}\n  {author_line()}")


def operation(name: str, *values: Any, detail: Any = None) -> Symbol:
    """Record an operation on symbols and numbers."""
    recorder = next(value.recorder for value in values if isinstance(value, Symbol))
    operands = [_operand(recorder, name, value) for value in values]
    operands = _fitted(recorder, name, operands)
    return Symbol(recorder, recorder.node(name, *operands, detail=detail, place=author_line()))


def _operand(recorder: Recorder, name: str, value: Any) -> Node:
    if isinstance(value, Symbol):
        if value.recorder is not recorder:
            fail(f"{name}: a symbol of another cell or of an earlier call cannot be used here; compute it inside step.")
        return value.node
    if isinstance(value, Real) and not isinstance(value, bool):
        return recorder.constant(float(value))
    fail(
        f"{name}: expected a symbol or a number, got {type(value).__name__}; "
        "declare arrays in parameters() and use them as p.<name>."
    )


def _fitted(recorder: Recorder, name: str, operands: list[Node]) -> list[Node]:
    """Operands of a pointwise operation: of one size, or single numbers, which are there for every unit then."""
    size = joint(operand.size for operand in operands)
    for operand in operands:
        if operand.size not in (1, size):
            fail(f"{name}: a vector of {size_text(size)} and one of {size_text(operand.size)} do not fit together.")
    return [operand if operand.size == size else there_for_all(recorder, operand) for operand in operands]


def there_for_all(recorder: Recorder, number: Node) -> Node:
    """A single number where any vector can be combined with it."""
    return number if number.uniform else recorder.node("total", number, detail=1, place=number.place)


class Symbol:
    """A vector of the step while it is traced; supports ``+ - * / **``, ``abs`` and comparisons."""

    __array_ufunc__ = None  # NumPy operators leave the work to ours
    __slots__ = ("node", "recorder")

    def __init__(self, recorder: Recorder, node: Node) -> None:
        self.recorder, self.node = recorder, node

    def __add__(self, other: Any) -> Symbol:
        return operation("add", self, other)

    def __radd__(self, other: Any) -> Symbol:
        return operation("add", other, self)

    def __sub__(self, other: Any) -> Symbol:
        return operation("sub", self, other)

    def __rsub__(self, other: Any) -> Symbol:
        return operation("sub", other, self)

    def __mul__(self, other: Any) -> Symbol:
        return operation("mul", self, other)

    def __rmul__(self, other: Any) -> Symbol:
        return operation("mul", other, self)

    def __truediv__(self, other: Any) -> Symbol:
        return operation("div", self, other)

    def __rtruediv__(self, other: Any) -> Symbol:
        return operation("div", other, self)

    def __neg__(self) -> Symbol:
        return operation("neg", self)

    def __abs__(self) -> Symbol:
        return operation("abs", self)

    def __pow__(self, exponent: Any) -> Symbol:
        if not isinstance(exponent, int) or isinstance(exponent, bool) or not 1 <= abs(exponent) <= 16:
            fail(f"power: the exponent must be an integer from -16 to 16 and not 0, got {exponent!r}; use exp and log.")
        result = self
        for _ in range(abs(exponent) - 1):
            result = result * self
        return result if exponent > 0 else 1.0 / result

    def __gt__(self, other: Any) -> Symbol:
        return operation("greater", self, other)

    def __lt__(self, other: Any) -> Symbol:
        return operation("greater", other, self)

    def __ge__(self, other: Any) -> Symbol:
        return operation("greater_equal", self, other)

    def __le__(self, other: Any) -> Symbol:
        return operation("greater_equal", other, self)

    def __eq__(self, other: Any) -> Any:
        fail("symbols cannot be compared with == or !=: equality of computed numbers decides nothing; use > and <.")

    __ne__ = __eq__
    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        fail(
            "a symbol has no truth value while it is traced: write where(condition, a, b) instead of if, and, or, not."
        )

    def __matmul__(self, other: Any) -> Symbol:
        fail("only U.<gate> and declared matrices can be multiplied with @, from the left: U.f @ s.h.")

    def __rmatmul__(self, other: Any) -> Symbol:
        fail("only U.<gate> and declared matrices can be multiplied with @: declare a matrix in parameters().")

    def __iter__(self) -> Any:
        fail("a symbol cannot be iterated over or unpacked; it is one vector.")

    def __getitem__(self, index: Any) -> Any:
        fail("a symbol cannot be indexed: equations hold for every unit alike.")

    def __float__(self) -> float:
        fail("a symbol is not a number: use the functions of seqkit.equations instead of math's.")

    def __array__(self, *args: Any, **options: Any) -> Any:
        fail(
            "a symbol is not an array: use the functions of seqkit.equations (sigmoid, tanh, where, ...), not NumPy's."
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        fail(f"a symbol has no attribute {name!r}.")
