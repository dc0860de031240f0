"""Tracing: from a ``step`` to its program."""

from __future__ import annotations

import sys
import traceback
from types import FrameType
from typing import Any

from seqkit.equations.cell import Cell, Parameter
from seqkit.equations.program import Program, reachable
from seqkit.equations.sizes import Size, check_sizes, size_text
from seqkit.equations.symbols import Node, Recorder, Symbol, fail, is_authors, line_text, there_for_all
from seqkit.equations.zoneout import Zoneout, zone_out
from seqkit.errors import EquationError, SeqkitError


def trace(cell: Cell, masked: bool = False, zoneout: Zoneout | None = None) -> Program:
    """The program of one step of `cell`.

    Parameters
    ----------
    cell : Cell
        The cell; its ``step`` is called once, with symbols.
    masked : bool
        Multiply every state by a mask where it enters a product: recurrent dropout
        (Gal and Ghahramani, 2016).
    zoneout : mapping of str to float or None, optional
        States of which a part keeps its old value, see :func:`~seqkit.equations.zoneout.zone_out`.

    Raises
    ------
    EquationError
        If the equations cannot be traced; the message points at the author's line.
    """
    title = cell.name or type(cell).__name__
    _check_declarations(cell, title)
    recorder = Recorder()
    parameters, sizes = cell.parameters(), _sizes(cell, title)
    _check_parameters(parameters, title)
    gates, states = ({name: sizes[name] for name in names} for names in (cell.gates, cell.states))
    arguments = (
        _Inputs(recorder, gates, cell.inputs, title),
        _Matrices(recorder, gates, states[cell.states[0]], title, masked),
        _States(recorder, states, title),
        _Parameters(recorder, parameters, title, masked),
    )
    returned, names = _call_step(cell, title, arguments)
    results = zone_out(recorder, _check_results(cell, title, returned, recorder, sizes), zoneout or {}, sizes)
    program = _with_columns(title, cell, recorder, results, names, sizes)
    _check_all_used(cell, title, program, parameters)
    return program


class _Namespace:
    """Attributes of x, U, s or p; a name that was not declared is an error."""

    what = ""

    def __init__(self, recorder: Recorder, names: Any, title: str) -> None:
        self._recorder, self._names, self._title = recorder, names, title

    def __getattr__(self, name: str) -> Any:
        if name not in self._names:
            fail(f"{self._title}: there is no {self.what} {name!r}; declared: {', '.join(self._names) or 'none'}.")
        return self._value(name)

    def _value(self, name: str) -> Any:
        raise NotImplementedError


class _Inputs(_Namespace):
    what = "gate"

    def __init__(self, recorder: Recorder, gates: dict[str, Size], inputs: dict[str, Size], title: str) -> None:
        super().__init__(recorder, {**gates, **inputs}, title)
        self._raw = inputs

    def _value(self, name: str) -> Symbol:
        kind = "input" if name in self._raw else "x"
        return Symbol(self._recorder, self._recorder.node(kind, detail=name, size=self._names[name]))


class _States(_Namespace):
    what = "state"

    def _value(self, name: str) -> Symbol:
        return Symbol(self._recorder, self._recorder.node("state", detail=name, size=self._names[name]))


class _Matrices(_Namespace):
    what = "gate"

    def __init__(self, recorder: Recorder, gates: dict[str, Size], columns: Size, title: str, masked: bool) -> None:
        super().__init__(recorder, gates, title)
        self._columns, self._masked = columns, masked

    def _value(self, name: str) -> _Matrix:
        return _Matrix(self._recorder, ("U", name), (self._names[name], self._columns), self._masked)


class _Parameters(_Namespace):
    what = "parameter"

    def __init__(self, recorder: Recorder, names: Any, title: str, masked: bool) -> None:
        super().__init__(recorder, names, title)
        self._masked = masked

    def _value(self, name: str) -> Any:
        declared: Parameter = self._names[name]
        if declared.kind == "matrix":
            return _Matrix(self._recorder, ("matrix", name), (declared.size, declared.columns), self._masked)
        if declared.rows:
            return _Rows(self._recorder, declared, f"{self._title}: parameter {name}", name)
        return Symbol(self._recorder, self._recorder.node("parameter", detail=(name, 0, ""), size=declared.size))


class _Rows(_Namespace):
    what = "row"

    def __init__(self, recorder: Recorder, declared: Parameter, title: str, parameter: str) -> None:
        super().__init__(recorder, declared.rows, title)
        self._parameter, self._size = parameter, declared.size

    def _value(self, name: str) -> Symbol:
        detail = (self._parameter, self._names.index(name), name)
        return Symbol(self._recorder, self._recorder.node("parameter", detail=detail, size=self._size))


class _Matrix:
    """``U.f`` or a declared matrix: only good for ``@ vector``."""

    __array_ufunc__ = None

    def __init__(self, recorder: Recorder, detail: tuple[str, str], shape: tuple[Size, Size], masked: bool) -> None:
        self._recorder, self._detail, self._shape, self._masked = recorder, detail, shape, masked

    def __matmul__(self, vector: Any) -> Symbol:
        if not isinstance(vector, Symbol):
            fail(
                f"{self._detail[1]}: a matrix can be multiplied with a vector of the step, got {type(vector).__name__}."
            )
        node, columns = vector.node, self._shape[1]
        if node.size == 1 and columns != 1:
            number = there_for_all(self._recorder, node)
            node = self._recorder.node("add", number, self._recorder.constant(0.0), size=columns)
        if node.size != columns:
            fail(
                f"{self._detail[1]}: the matrix multiplies vectors of {size_text(columns)}, "
                f"got one of {size_text(node.size)}."
            )
        if self._masked and node.operation == "state":
            node = self._recorder.node("mul", node, self._recorder.node("mask", detail=node.detail, size=node.size))
        return Symbol(self._recorder, self._recorder.node("product", node, detail=self._detail, size=self._shape[0]))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        fail(f"matrix {self._detail[1]}: write {self._detail[1]} @ vector; it has no attribute {name!r}.")


def _check_declarations(cell: Cell, title: str) -> None:
    for what in ("gates", "states"):
        names = getattr(cell, what, None)
        valid = isinstance(names, tuple) and names and all(isinstance(n, str) and n.isidentifier() for n in names)
        if not valid or len(set(names or ())) != len(names or ()):
            raise EquationError(
                f"{title}: {what} must be a tuple of distinct names, for example ('h',); got {names!r}."
            )
    if cell.biases is not None and not (isinstance(cell.biases, tuple) and set(cell.biases) <= set(cell.gates)):
        raise EquationError(
            f"{title}: biases must be a tuple of gates, of {', '.join(cell.gates)}, or None for all; "
            f"got {cell.biases!r}."
        )
    for owner, heads in [("the cell", cell.heads), *((name, p.heads) for name, p in cell.parameters().items())]:
        if type(heads) is not int or heads < 1:
            raise EquationError(f"{title}: heads of {owner} must be a positive integer, got {heads!r}.")


def _sizes(cell: Cell, title: str) -> dict[str, Size]:
    """The size of every gate and state."""
    names = dict.fromkeys((*cell.gates, *cell.states))
    check_sizes(cell.inputs, cell.inputs, title, "inputs")
    taken = next((name for name in cell.inputs if name in cell.gates), None)
    if taken is not None:
        raise EquationError(f"{title}: {taken!r} is a gate and a raw input; give one of them another name.")
    return dict.fromkeys(names, "units") | check_sizes(cell.sizes(), names, title, "sizes")


def _check_parameters(parameters: dict[str, Parameter], title: str) -> None:
    """Declared parameters have sizes."""
    for name, declared in parameters.items():
        for size in (declared.size, declared.columns):
            check_sizes({name: size}, (name,), title, "parameters")


def _call_step(cell: Cell, title: str, arguments: tuple[Any, ...]) -> tuple[Any, dict[str, Any]]:
    """Call step; its local variables give the values their names."""
    steps = [vars(base)["step"] for base in type(cell).__mro__ if "step" in vars(base)]
    codes = [getattr(step, "__code__", None) for step in steps]  # one may call that of its base class
    local: dict[str, Any] = {}

    def watch(frame: FrameType, event: str, _: Any) -> None:
        if event == "return" and frame.f_code in codes:
            local.update(frame.f_locals)

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        return cell.step(*arguments), local
    except SeqkitError:
        raise
    except Exception as error:
        lines = [line_text(frame, line) for frame, line in traceback.walk_tb(error.__traceback__) if is_authors(frame)]
        raise EquationError(
            f"{title}: step cannot be traced ({type(error).__name__}: {error}); "
            f"use the functions of seqkit.equations on symbols.\n  {lines[-1] if lines else _definition(cell)}"
        ) from error
    finally:
        sys.setprofile(before)


def _definition(cell: Cell) -> str:
    """Where the cell's step is defined."""
    code = type(cell).step.__code__
    return f"{code.co_filename}:{code.co_firstlineno}: {code.co_name}"


def _check_results(
    cell: Cell, title: str, returned: Any, recorder: Recorder, sizes: dict[str, Size]
) -> dict[str, Node]:
    place = f"\n  {_definition(cell)}"
    if not isinstance(returned, dict) or set(returned) != set(cell.states):
        got = f"keys {', '.join(map(repr, returned))}" if isinstance(returned, dict) else type(returned).__name__
        expected = ", ".join(f"{state!r}: ..." for state in cell.states)
        raise EquationError(f"{title}: step must return {{{expected}}}, got {got}.{place}")
    for state, value in returned.items():
        if not isinstance(value, Symbol) or value.recorder is not recorder:
            raise EquationError(
                f"{title}: state {state!r} must be a value of the step, got {type(value).__name__}.{place}"
            )
        if value.node.size != sizes[state] and not value.node.uniform:
            raise EquationError(
                f"{title}: state {state!r} is a vector of {size_text(sizes[state])}, but step returns one of "
                f"{size_text(value.node.size)}.{place}"
            )
    return {state: returned[state].node for state in cell.states}


def _with_columns(
    title: str,
    cell: Cell,
    recorder: Recorder,
    results: dict[str, Node],
    local: dict[str, Any],
    sizes: dict[str, Size],
) -> Program:
    """Gather input parts and products into columns, drop what no result needs."""
    nodes = reachable(recorder.nodes, results.values())
    sums = _sums(nodes, set(results.values()))
    rebuilt = Recorder()
    image: dict[Node, Node] = {}
    for node in nodes:
        if node in sums:
            image[node] = _column(rebuilt, sums[node], image)
        elif node.operation not in ("x", "product"):
            operands = [image.get(operand, operand) for operand in node.operands]
            image[node] = rebuilt.node(node.operation, *operands, detail=node.detail, place=node.place, size=node.size)
    results = {state: image[node] for state, node in results.items()}
    kept = reachable(rebuilt.nodes, results.values())
    names = _name_nodes(local, image, results, set(kept))
    program = Program(title, cell.states, kept, results, names, gates=cell.gates, sizes=sizes, inputs=dict(cell.inputs))
    stages = program.stages
    columns = [node for node in kept if node.operation == "column"]
    read = {gate for column in columns for kind, gate, _ in column.detail if kind == "x"}
    program.heads = _heads(cell, columns)
    program.biases = tuple(gate for gate in cell.gates if gate in read and cell.has_bias(gate))
    program.columns = sorted(columns, key=lambda node: (stages[node], *_column_order(node)))
    return program


def _heads(cell: Cell, columns: list[Node]) -> dict[tuple[str, str], int]:
    """The matrices that have several heads."""
    own = {name: declared.heads for name, declared in cell.parameters().items()}
    terms = {(kind, name) for column in columns for kind, name, _ in column.detail if kind != "x"}
    heads = {term: cell.heads if term[0] == "U" else own[term[1]] for term in terms}
    return {term: count for term, count in heads.items() if count > 1}


def _sums(nodes: list[Node], results: set[Node]) -> dict[Node, list[Node]]:
    """The tops of sums of input parts and products, each with its terms.

    A term that something else uses too stays a column of its own.
    """
    uses: dict[Node, list[Node]] = {}
    for node in nodes:
        for operand in node.operands:
            uses.setdefault(operand, []).append(node)
    terms: dict[Node, list[Node]] = {}
    for node in nodes:
        if node.operation in ("x", "product"):
            terms[node] = [node]
        elif node.operation == "add" and all(
            o in terms and len(uses[o]) == 1 and o not in results for o in node.operands
        ):
            both = [term for operand in node.operands for term in terms[operand]]
            if sum(term.operation == "x" for term in both) < 2:
                terms[node] = both
    return {
        node: own
        for node, own in terms.items()
        if not any(user in terms for user in uses.get(node, ()) if user.operation == "add")
    }


def _column(recorder: Recorder, terms: list[Node], image: dict[Node, Node]) -> Node:
    operands: list[Node] = []
    detail = []
    for term in terms:
        if term.operation == "x":
            detail.append(("x", term.detail, -1))
        else:
            vector = image.get(term.operands[0], term.operands[0])
            if vector not in operands:
                operands.append(vector)
            detail.append((*term.detail, operands.index(vector)))
    return recorder.node("column", *operands, detail=tuple(detail), size=terms[0].size)


def _column_order(node: Node) -> tuple[bool, bool, bool, str]:
    """Input parts only, then both, then products only: each kind of term adjoins itself, then each size."""
    kinds = {kind == "x" for kind, _, _ in node.detail}
    return (False in kinds, True not in kinds, node.size != "units", str(node.size))


def _name_nodes(
    local: dict[str, Any], image: dict[Node, Node], results: dict[str, Node], kept: set[Node]
) -> dict[str, Node]:
    names = {}
    for name, value in local.items():
        node = image.get(value.node) if isinstance(value, Symbol) else None
        if node in kept and not (node.leaf and node.operation != "column"):
            names[name] = node
    names |= results
    for name, node in names.items():
        if node.operation != "state":
            node.name = node.name or name
    return names


def _check_all_used(cell: Cell, title: str, program: Program, parameters: dict[str, Parameter]) -> None:
    terms = [term for column in program.columns for term in column.detail]
    used = {gate for kind, gate, _ in terms if kind in ("x", "U")}
    declared = {(name, row) for name, p in parameters.items() for row in (p.rows or ("",)) if p.kind != "matrix"}
    read = {(node.detail[0], node.detail[2]) for node in program.nodes if node.operation == "parameter"}
    idle = [f"gate {gate!r}" for gate in cell.gates if gate not in used]
    if cell.use_bias:
        idle += [f"bias of gate {gate!r}" for gate in cell.biases or () if gate not in program.biases]
    idle += [f"parameter {'.'.join(filter(None, pair))!r}" for pair in sorted(declared - read)]
    idle += [
        f"matrix {name!r}"
        for name, p in parameters.items()
        if p.kind == "matrix" and ("matrix", name) not in {t[:2] for t in terms}
    ]
    read_raw = {o.detail for node in program.nodes for o in (node, *node.operands) if o.operation == "input"}
    idle += [f"input {name!r}" for name in cell.inputs if name not in read_raw]
    if idle:
        raise EquationError(
            f"{title}: {', '.join(idle)} declared but no new state depends on it; use it in step or remove it."
            f"\n  {_definition(cell)}"
        )
    if not read_raw and not any(kind == "x" for kind, _, _ in terms):
        raise EquationError(f"{title}: step never reads the input; use x.<gate> for at least one gate.")
