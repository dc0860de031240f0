"""Lowering: from a program to the tables that the engine runs.

Legend: a *slot* is where a value lies (see ``SLOTS`` of the engine), a *run* is a product into
adjoining columns (see ``layout``), a *post* is a product of gradient columns with transposed
weights.

Every operation becomes one instruction whose operands are read where they lie.  A value goes
straight to its place: a new state, a saved value, a gradient column, a vector that a later stage
needs whole; else to one of few temporaries.  The tables are int64 arrays whose columns are the
fields of the structures in ``_core/calls.pxd``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seqkit._core import LIMITS, OPERANDS, OPERATIONS, SLOTS
from seqkit._core import REDUCTIONS as KINDS
from seqkit.equations.contract import Work, contract
from seqkit.equations.emit import kernel_name
from seqkit.equations.layout import Layout, reads_pointwise
from seqkit.equations.program import Program
from seqkit.equations.sizes import Size
from seqkit.equations.symbols import REDUCTIONS, Node
from seqkit.errors import EquationError


def forward_tables(layout: Layout, saved: list[Node]) -> dict[str, Any]:
    """Tables of the forward program; `saved` values go to the tape, in this order."""
    writer = _Writer(layout, layout.program, layout.vector_nodes, saved)
    program = layout.program
    for i, state in enumerate(program.states):
        writer.send(program.results[state], ("next", i, 0))
    writer.send(program.results[program.states[0]], ("y", 0, 0))
    for i, node in enumerate(saved):
        writer.send(node, ("saved", i, len(saved)))
    tables = writer.tables()
    runs = [
        (
            *(OPERANDS[run.operand], run.index, run.column, len(run.terms), run.inner, run.rows),
            *(layout.panels(run.rows), weight, run.heads, run.window, run.back),
        )
        for weight, run in enumerate(layout.runs)
    ]
    tables["runs"] = _int64(runs, 11)
    for stage, record in enumerate(tables["stages"]):
        numbers = [i for i, run in enumerate(layout.runs) if run.stage == stage]
        record[0], record[1] = len(layout.stage_columns[stage]), layout.first_column[stage]
        record[6], record[7] = (numbers[0], numbers[-1] + 1) if numbers else (0, 0)
    return tables | {"backward": False, "columns": len(program.columns), "features": layout.shapes.w_features}


@dataclass
class BackwardTables:
    """Tables of a derived program, and where its results are on the gradient tape.

    Gradients of parameter rows and raw inputs are columns of some size, usually one; those of a single number are its
    parts, which are summed over the units.
    """

    tables: dict[str, Any]
    post_runs: list[int]
    parameter_columns: dict[tuple[str, int], list[tuple[int, int]]]
    input_columns: dict[str, list[tuple[int, int]]]


def backward_tables(layout: Layout, gradient: Program) -> BackwardTables:
    """Tables of the derived program of a laid-out one."""
    rows = {node.detail[:2]: node.size for node in layout.program.nodes if node.operation == "parameter"}
    adjoints = [node for node in gradient.nodes if node.operation == "adjoint"]
    writer = _Writer(layout, gradient, adjoints, gradient.saved)
    columns = _GradientColumns(layout, gradient)
    parameters = {row: columns.of_parts(parts, rows[row]) for row, parts in gradient.parameter_grads.items()}
    inputs = {name: columns.of_parts(parts, gradient.inputs[name]) for name, parts in gradient.input_grads.items()}
    for i, state in enumerate(gradient.states):
        writer.send(gradient.results[state], ("carry_out", i, 0))
    for column, node in enumerate(columns.nodes):
        writer.send(node, ("grad", column, len(columns.nodes)))
    writer.column_sizes = columns.sizes
    posts, post_runs = writer.posts(adjoints)
    tables = writer.tables() | {"runs": _int64([], 11), "posts": posts, "backward": True, "columns": len(columns.nodes)}
    tables["features"] = 0  # it has no products with x
    return BackwardTables(tables, post_runs, parameters, inputs)


class _GradientColumns:
    """Columns of the gradient tape: those of the forward program's columns, then what else is summed over it."""

    def __init__(self, layout: Layout, gradient: Program) -> None:
        self.layout = layout
        self.nodes = list(gradient.column_grads.values())
        self.sizes = [layout.shapes.size(column.size) for column in layout.program.columns]
        places = enumerate(zip(self.nodes, self.sizes, strict=True))
        self.known = {pair: column for column, pair in places if not pair[0].leaf}

    def of_parts(self, parts: tuple[Node, ...], size: Size) -> list[tuple[int, int]]:
        """(Column, numbers) of every part of a gradient of this size; a single number's parts have their own."""
        return [self._column(part, self.layout.shapes.size(part.size if size == 1 else size)) for part in parts]

    def _column(self, node: Node, size: int) -> tuple[int, int]:
        if (node, size) not in self.known:
            self.nodes.append(node)
            self.sizes.append(size)
            self.known[node, size] = len(self.nodes) - 1
        return self.known[node, size], size


def _int64(rows: list[Any], fields: int) -> np.ndarray:
    return np.array(rows, dtype=np.int64).reshape(-1, fields)


Slot = tuple[str, int, int]


@dataclass
class _Stage:
    code: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    reductions: list[tuple[int, ...]] = field(default_factory=list)
    posts: list[int] = field(default_factory=list)
    clears: list[tuple[int, int, int]] = field(default_factory=list)
    longest: int = 1


class _Writer:
    """Writes the instructions of one program."""

    def __init__(self, layout: Layout, program: Program, vectors: list[Node], saved: list[Node]) -> None:
        self.layout, self.program, self.saved = layout, program, saved
        self.nodes = [n for n in program.nodes if n.operation != "input" or reads_pointwise(program, n)]
        self.inputs = [node.detail for node in self.nodes if node.operation == "input"]
        self.column_sizes: list[int] = []
        self.work = contract(program)
        self.stage_of = program.stages
        self.stages = [_Stage() for _ in range(max(self.stage_of.values(), default=0) + 1)]
        self.targets: dict[Node, list[Slot]] = {}
        self.reductions = [node for node in program.nodes if node.operation in REDUCTIONS]
        self.vectors = [*vectors, *(node for node in self.reductions if node not in vectors)]
        self.slots: dict[Slot, int] = {}
        self.constants: list[float] = []
        self.place: dict[Node, Slot] = {}
        self.temps = 0

    def send(self, node: Node, target: Slot) -> None:
        """Have the value of `node` stored at `target` when it is known."""
        self.targets.setdefault(node, []).append(target)

    def posts(self, adjoints: list[Node]) -> tuple[np.ndarray, list[int]]:
        """Products with transposed weights: one for each run whose operand gets a gradient."""
        records: list[tuple[int, ...]] = []
        post_runs: list[int] = []
        for number, run in enumerate(self.layout.runs):
            first = self.layout.first_column[run.stage] + run.column
            adjoint = next(
                (a for a in adjoints if run.node and set(a.detail) <= set(self.layout.program.terms_of(run.node))), None
            )
            if run.operand == "state":
                target = ("carry", run.index)
                grads = [self.program.column_grads[first + i] for i in range(len(run.terms))]
                written = self.program.results[self.program.states[run.index]]  # what the product is added to
                stage = max(self.stage_of[node] for node in [*grads, written])
            elif adjoint is not None:
                target, stage = ("vector", self.vectors.index(adjoint)), self.stage_of[adjoint] - 1
                self._start_at_zero(stage, ("vector", target[1], 0), adjoint.size)
            else:
                continue
            self.stages[stage].posts.append(len(records))
            place = OPERANDS[target[0]], target[1], first, len(run.terms), run.inner, self.layout.panels(run.rows)
            records.append((*place, run.rows, run.heads, run.back))
            post_runs.append(number)
        return self._by_stage(records, post_runs)

    def _start_at_zero(self, stage: int, target: Slot, size: Size) -> None:
        """Store 0 at a target of posts, once."""
        if not any(target in targets for targets in self.targets.values()):
            node = Node("constant", detail=0.0, size=size)
            self.nodes.append(node)
            self.work[node] = Work("constant", ())
            self.stage_of[node] = stage
            self.send(node, target)

    def _by_stage(self, records: list[Any], post_runs: list[int]) -> tuple[np.ndarray, list[int]]:
        order = [i for stage in self.stages for i in stage.posts]
        ordered = [(*records[i][:6], weight, *records[i][6:]) for weight, i in enumerate(order)]
        start = 0
        for stage in self.stages:
            stage.posts = list(range(start, start + len(stage.posts)))
            start += len(stage.posts)
        return _int64(ordered, 10), [post_runs[i] for i in order]

    # ---- instructions -----------------------------------------------------------------------

    def tables(self) -> dict[str, Any]:
        """All tables but the runs and posts."""
        self._leave_out_contracted()
        self._keep_across_stages()
        for stage in range(len(self.stages)):
            self._write_stage(stage)
        self._check_limits()
        code = [instruction for stage in self.stages for instruction in stage.code]
        layout = self.layout
        width = layout.width
        tables: dict[str, Any] = {
            "dtype": layout.dtype,
            "precision": layout.precision,
            "widest": layout.widest,
            "state_sizes": _int64([*layout.shapes.states], 1),
            "vectors": layout.vectors,
            "states": len(self.program.states),
            "saved": len(self.saved),
            "temps": self.temps,
            "vector_count": len(self.vectors),
            "masks": len(layout.masks) + len(layout.randoms),
            "noises": len(layout.randoms),
            "inputs": _int64([layout.shapes.inputs[name] for name in self.inputs], 2),
            "posts": _int64([], 10),
            "code": np.array(code, np.int32).reshape(-1, 5),
            "slots": _int64([(SLOTS[kind], index, columns) for kind, index, columns in self.slots], 3),
            "stages": self._stage_records(),
            "reductions": _int64([reduction for stage in self.stages for reduction in stage.reductions], 5),
            "clears": _int64([clear for stage in self.stages for clear in stage.clears], 3),
            "constants": np.repeat(np.array(self.constants, layout.dtype), width),
            "numbers": tuple(self.constants),
        }
        return tables | {"kernels": tuple(kernel_name(tables, stage) for stage in range(len(self.stages)))}

    def _stage_records(self) -> np.ndarray:
        records, code, first, clear = [], 0, 0, 0
        for s in self.stages:
            posts = (s.posts[0], s.posts[-1] + 1) if s.posts else (0, 0)
            end = first + len(s.reductions)
            ranges = (code, code + len(s.code), first, end, 0, 0, *posts, clear, clear + len(s.clears))
            records.append((0, 0, *ranges, self.layout.panels(s.longest)))
            code, first, clear = code + len(s.code), end, clear + len(s.clears)
        return _int64(records, 13)

    def _check_limits(self) -> None:
        counts = {
            "states": len(self.program.states),
            "vector_count": len(self.vectors),
            "masks": len(self.layout.masks) + len(self.layout.randoms),
            "inputs": len(self.inputs),
            "weights": len(self.layout.runs),
        }
        for what, count in counts.items():
            if count > LIMITS[what]:
                raise EquationError(
                    f"{self.program.name}: {count} {what} are more than the engine's {LIMITS[what]}; simplify the cell."
                )

    def _leave_out_contracted(self) -> None:
        """Drop what nobody reads any more: products that went into multiply-adds."""
        read = {operand for work in self.work.values() for operand in work.operands}
        dropped = {
            node for node in self.nodes if node.operation == "mul" and node not in read and node not in self.targets
        }
        self.nodes = [node for node in self.nodes if node not in dropped]

    def _keep_across_stages(self) -> None:
        """Values that a later stage reads, or that are needed over all units, become vectors."""
        for node in self.nodes:
            for operand in self.work[node].operands:
                whole = node.operation in REDUCTIONS
                later = self.stage_of[node] > self.stage_of[operand] and not self._lasting(operand)
                if (whole or (later and node.operation not in ("column", "adjoint"))) and operand not in self.vectors:
                    self.vectors.append(operand)
        for index, node in enumerate(self.vectors):
            if node.operation not in (*REDUCTIONS, "adjoint"):
                self.send(node, ("vector", index, 0))

    def _lasting(self, node: Node) -> bool:
        """Whether the value can be read where it lies in any later stage of the step."""
        if node.operation == "carry":
            return node.detail != self.program.states[0]
        return (node.leaf and node.operation != "column") or node.operation in REDUCTIONS

    def _write_stage(self, stage: int) -> None:
        nodes = [node for node in self.nodes if self.stage_of[node] == stage]
        last_use = {operand: i for i, node in enumerate(nodes) for operand in self.work[node].operands}
        free: list[int] = []
        for i, node in enumerate(nodes):
            operands = (
                [self._slot(self._where(operand)) for operand in self.work[node].operands]
                if not node.leaf and node.operation not in REDUCTIONS
                else []
            )
            for operand in dict.fromkeys(self.work[node].operands):
                if (
                    last_use[operand] == i
                    and self.place.get(operand, ("",))[0] == "temp"
                    and self.stage_of[operand] == stage
                ):
                    free.append(self.place[operand][1])
            self._write_node(self.stages[stage], node, operands, free)

    def _write_node(self, stage: _Stage, node: Node, operands: list[int], free: list[int]) -> None:
        targets = [target for target in self.targets.get(node, []) if target[0] != "y"]
        stage.longest = max(stage.longest, self._reach(node))
        stage.clears += [end for kind, place, _ in targets if kind == "grad" for end in self._end_of_column(place)]
        if node.operation in REDUCTIONS:
            self.place[node] = ("vector", self.vectors.index(node), 0)
            source = self.vectors.index(node.operands[0])
            size = self.layout.shapes.size(node.operands[0].size)
            stage.reductions.append((self.place[node][1], source, KINDS[node.operation], node.detail, size))
        elif node.operation == "carry" and node.detail == self.program.states[0]:
            self.place[node] = self._temp(free)
            here = self._slot(self.place[node])
            stage.code.append((OPERATIONS["read_rows"], here, here, here, here))
            self._emit(stage, "add", here, [here, self._slot(("carry_in", 0, 0))])
        elif node.leaf:
            self.place[node] = self._leaf_slot(node)
        else:
            self.place[node] = targets.pop(0) if targets else self._temp(free)
            self._emit(stage, self.work[node].operation, self._slot(self.place[node]), operands)
        for target in targets:
            self._emit(stage, "copy", self._slot(target), [self._slot(self.place[node])])
        if ("y", 0, 0) in self.targets.get(node, []):
            self._emit(stage, "write_rows", self._slot(self.place[node]), [self._slot(self.place[node])])

    def _end_of_column(self, column: int) -> list[tuple[int, int, int]]:
        """(Column, its last panel, numbers in it) of a gradient column that does not fill its last panel."""
        panel, numbers = divmod(self.column_sizes[column], self.layout.width)
        return [(column, panel, numbers)] if numbers else []

    def _reach(self, node: Node) -> int:
        """How many numbers of a value are computed: of a single number that is kept, as many as anybody may read."""
        if node.leaf and node not in self.targets:
            return 1
        return self.layout.widest if node.size == 1 and node in self.targets else self.layout.shapes.size(node.size)

    def _emit(self, stage: _Stage, operation: str, target: int, operands: list[int]) -> None:
        a, b, c = (operands + operands[:1] * 2)[:3]
        stage.code.append((OPERATIONS[operation], target, a, b, c))

    def _temp(self, free: list[int]) -> Slot:
        if free:
            return ("temp", free.pop(), 0)
        self.temps += 1
        return ("temp", self.temps - 1, 0)

    def _where(self, node: Node) -> Slot:
        """Where to read a value from."""
        if node in self.vectors and self.place[node][0] in ("temp", "column"):
            return ("vector", self.vectors.index(node), 0)
        return self.place[node]

    def _leaf_slot(self, node: Node) -> Slot:
        kind, detail, states = node.operation, node.detail, self.program.states
        if kind == "column":
            return ("column", self.layout.stage_columns[self.stage_of[node]].index(node), 0)
        if kind in ("state", "next", "carry"):
            return ({"state": "previous", "next": "next", "carry": "carry_in"}[kind], states.index(detail), 0)
        if kind == "parameter":
            return ("parameter", self.layout.parameter_rows.index(detail[:2]), 0)
        if kind == "input":
            return ("input", self.inputs.index(detail), 0)
        if kind == "saved":
            return ("saved", self.saved.index(detail), len(self.saved))
        if kind == "mask":
            return ("mask", self.layout.masks.index(detail), 0)
        if kind == "random":
            return ("mask", len(self.layout.masks) + self.layout.randoms.index(detail), 0)
        if kind == "adjoint":
            return ("vector", self.vectors.index(node), 0)
        if detail not in self.constants:
            self.constants.append(detail)
        return ("constant", self.constants.index(detail), 0)

    def _slot(self, slot: Slot) -> int:
        return self.slots.setdefault(slot, len(self.slots))
