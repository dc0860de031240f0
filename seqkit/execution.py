"""A traced cell of given size on the engine: programs, packed weights, calls.

Legend: B batch, T time, I input features, N numbers of a vector, K numbers of an operand, R sum of lengths.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from seqkit import _core
from seqkit.arena_pool import ArenaPool
from seqkit.equations import Cell, derive, trace
from seqkit.equations.layout import MAX_VECTORS, Layout, Run, lay_out
from seqkit.equations.lower import backward_tables, forward_tables
from seqkit.equations.shapes import Shapes
from seqkit.equations.symbols import Node
from seqkit.equations.zoneout import Zoneout
from seqkit.errors import ConfigError
from seqkit.layer import State
from seqkit.masks import Masks
from seqkit.native import kernels_of
from seqkit.packing import bias_places
from seqkit.parameters import JoinedParameters, Parameters
from seqkit.rows import Rows

Versioned = Parameters | JoinedParameters
Target = tuple[int | None, int, int, list[np.ndarray]]
"""Number of the run (None: the operand is 1), first column, N of each, arrays (N, K) that gradients are added to."""
WeightRun = tuple[_core.Call, _core.Call, int | None, int, int, list[np.ndarray]]
"""Forward and backward call, and a target."""

MAX_INT8 = 2**17  # numbers of a product: 127 * 127 * 2**17 < 2**31


@dataclass
class Forward:
    """One direction's forward call: what it computes, and what backward needs."""

    call: _core.Call
    x: Rows
    final: State
    batch: _core.Batch
    tape: _core.Arena
    work: _core.Arena
    weights: _core.Weights


@dataclass
class Backward:
    """One direction's backward call."""

    call: _core.Call
    forward: Forward
    initial: State
    work: _core.Arena


class Execution:
    """The programs of one cell for `units` units and `input_size` features of one dtype.

    `precision` is that of the products, where it is lower than the dtype's: "bfloat16" or "int8"; `masked` and
    `zoneout` are what :func:`~seqkit.equations.trace` adds to the equations.
    """

    def __init__(
        self,
        cell: Cell,
        units: int,
        input_size: int,
        dtype: np.dtype,
        precision: str | None = None,
        masked: bool = False,
        zoneout: Zoneout | None = None,
    ) -> None:
        self.program = trace(cell, masked, zoneout)
        self.shapes = Shapes.of_input(self.program, units, input_size)
        self.cell, self.units, self.input_size, self.dtype = cell, units, input_size, dtype
        self.precision, self.masked, self.zoneout = precision, masked, zoneout
        self.layout: Layout = lay_out(self.program, self.shapes, dtype.name, precision or dtype.name)
        longest = max((run.inner for run in self.layout.runs), default=0)
        if precision == "int8" and longest > MAX_INT8:
            raise ConfigError(
                f"{self.program.name}: a sum of more than {MAX_INT8} products of int8 does not fit into 32 bits, and "
                f"there is one of {longest}; use bfloat16."
            )
        self.inference = self.forward_program([])
        self.pool = ArenaPool()
        self.stepper: _core.Stepper | None = None

    def __reduce__(self) -> tuple[type[Execution], tuple[object, ...]]:
        """A copy or a pickle holds the equations; programs and memory are made anew."""
        sizes = self.units, self.input_size, self.dtype
        return Execution, (self.cell, *sizes, self.precision, self.masked, self.zoneout)

    def forward_program(self, saved: list[Node]) -> _core.Program:
        """The forward program that keeps `saved` values on its tape."""
        return self.bound(forward_tables(self.layout, saved))

    def bound(self, tables: dict[str, Any]) -> _core.Program:
        """A program with the kernels that were compiled for it."""
        kernels = kernels_of(self.cell)
        return _core.Program(tables, kernels.table, kernels.problem)

    @cached_property
    def gradient(self) -> _Gradient:
        """The derived program, made when first needed."""
        return _Gradient(self)

    def packed(self, params: Versioned, both: bool = False, recurrent_mask: np.ndarray | None = None) -> _core.Weights:
        """Weights packed for the way forth or `both` ways, anew when they have changed; with a mask, for one call."""
        version = params.version
        if recurrent_mask is not None:
            arrays = params.reading()
            masked = {**arrays, "weight_hh": arrays["weight_hh"] * recurrent_mask}
            return self._packing_of_masked.pack(masked, version, both)
        return self._packing.known(version, both) or self._packing.pack(params.reading(), version, both)

    @cached_property
    def _packing(self) -> _core.Packing:
        return self._new_packing()

    @cached_property
    def _packing_of_masked(self) -> _core.Packing:
        return self._new_packing()

    def _new_packing(self) -> _core.Packing:
        """Where parameters go in the engine's layout."""
        runs = [[self._blocks[term] for term in run.terms] for run in self.layout.runs]
        columns = [[(name, part.start or 0) for name, part in run] for run in runs]
        declared = self.cell.parameters()
        rows = [(name, row, self.shapes.size(declared[name].size)) for name, row in self.layout.parameter_rows]
        return _core.Packing(self.inference, columns, bias_places(self.layout), rows)

    def block(self, arrays: Mapping[str, np.ndarray], term: tuple[str, str]) -> np.ndarray:
        """The (N, K) part of the parameters (or gradients) that a term of a run multiplies."""
        name, part = self._blocks[term]
        return arrays[name][part]

    @cached_property
    def _blocks(self) -> dict[tuple[str, str], tuple[str, slice]]:
        """Which rows of which parameter each term names."""
        shapes = self.shapes
        gates = {"x": ("weight_ih", shapes.input_gates), "U": ("weight_hh", shapes.recurrent_gates)}
        blocks = {(kind, gate): (key, rows[gate]) for kind, (key, rows) in gates.items() for gate in rows}
        matrices = {term[1] for run in self.layout.runs for term in run.terms if term[0] == "matrix"}
        return blocks | {("matrix", name): (name, slice(None)) for name in matrices}

    def new_states(self, batch: int) -> State:
        """Room for the states of a batch, (B, N) each."""
        return tuple(np.empty((batch, size), self.dtype) for size in self.shapes.states)

    def forward(
        self,
        x: Rows,
        y: tuple[np.ndarray, np.ndarray, int] | None,
        state: State | None,
        packed: _core.Weights,
        *,
        program: _core.Program | None = None,
        masks: Masks | None = None,
        first_step: int = 0,
        reverse: bool = False,
        reverse_output: bool = False,
        last_only: bool = False,
    ) -> Forward:
        """Bind a forward call; `program` names the one that keeps a tape, if one is wanted, and `first_step` where a
        segment begins in its sequences."""
        batch, masks = x.batch, masks or Masks()
        final = self.new_states(len(x.lengths))
        tape, work = self.pool.take("tape") if program else _core.Arena(), self.pool.take("forward")
        call = _core.Call(
            program or self.inference,
            batch,
            tape,
            work,
            taped=program is not None,
            reverse=reverse,
            reverse_output=reverse_output,
            last_only=last_only,
            x=x.place,
            y=y,
            initial=state or (),
            final=final,
            weights=packed.runs,
            bias=packed.bias,
            parameters=packed.parameters,
            masks=masks.recurrent,
            input_mask=masks.input,
            noises=masks.noises,
            first_row=masks.first_row,
            first_step=first_step,
            taped_vectors=range(len(self.layout.vector_nodes)) if program else (),
        )
        return Forward(call, x, final, batch, tape, work, packed)

    def step(self, x: np.ndarray, state: State | None, params: Versioned) -> tuple[np.ndarray, State]:
        """One step of checked arrays; what it needs stays bound for the next."""
        stepper = self.stepper
        found = None if stepper is None else stepper.step(x, state, params.version)
        if found is None:  # other weights, or another thread is in the middle of a step
            stepper = self.bind_stepper(params)
            found = stepper.step(x, state, stepper.version)
            self.stepper = stepper  # only now: nobody else could have been in it
        assert found is not None
        return found

    def bind_stepper(self, params: Versioned) -> _core.Stepper:
        """A stepper with the weights as they are now."""
        version = params.version
        packed = self.packed(params)
        return _core.Stepper(self.inference, self.input_size, version, packed.runs, packed.bias, packed.parameters)

    def trace(
        self, x: Rows, state: State | None, packed: _core.Weights, names: Sequence[str], reverse: bool
    ) -> dict[str, np.ndarray]:
        """Named values of every step, (B, T, N), at the time of their input."""
        known = self.program.names
        unknown = [name for name in names if name not in known]
        if unknown:
            raise ConfigError(f"{self.program.name}: no value named {unknown[0]!r}; there are {', '.join(known)}.")
        nodes = list(dict.fromkeys(known[name] for name in names))
        forward = self.forward(x, None, state, packed, program=self.forward_program(nodes), reverse=reverse)
        run_calls([forward.call], self)
        values = self._read_tape(forward, len(nodes), reverse)
        self.pool.give_back("tape", forward.tape)
        self.pool.give_back("forward", forward.work)
        sizes = self.shapes.named(names)
        return {name: values[nodes.index(known[name])][..., :size] for name, size in sizes.items()}

    def _read_tape(self, forward: Forward, count: int, reverse: bool) -> np.ndarray:
        """The `count` saved values of a call as (count, B, T, room for the largest N), at the time of their input."""
        lengths, order, time = forward.x.lengths, np.argsort(-forward.x.lengths, kind="stable"), forward.x.time
        layout, rows = self.layout, int(lengths.sum())
        panels = layout.panels(layout.widest)
        tape = np.empty((panels, rows, count, layout.width), self.dtype)
        forward.call.copy_saved(tape)
        values = tape.transpose(2, 1, 0, 3).reshape(count, rows, panels * layout.width)
        found = np.zeros((count, len(lengths), time, panels * layout.width), self.dtype)
        row = 0
        for t in range(time):
            active = order[: np.count_nonzero(lengths > t)]
            found[:, active, lengths[active] - 1 - t if reverse else t] = values[:, row : row + len(active)]
            row += len(active)
        return found


def run_calls(calls: Sequence[_core.Call], execution: Execution, pipeline: bool = False) -> None:
    """Run bound calls on the engine, with scratch memory of their execution."""
    arena = execution.pool.take("scratch")
    _core.run(list(calls), _core.num_threads(), arena, pipeline)
    execution.pool.give_back("scratch", arena)


class _Gradient:
    """The derived program of an execution, and where its results go."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        self.program = derive(execution.program)
        self.forward_program = execution.forward_program(self.program.saved)
        lowered = backward_tables(execution.layout, self.program)
        self.backward_program = execution.bound(lowered.tables)
        self.post_runs = lowered.post_runs
        self.parameter_columns = lowered.parameter_columns
        self.input_columns = lowered.input_columns
        self._into: tuple[tuple[np.ndarray, ...], list[Target]] = (), []  # the last arrays of gradients, and targets
        self.bias_columns = {
            gate: place
            for place, column in enumerate(execution.program.columns)
            for kind, gate, _ in column.detail
            if kind == "x"
        }

    @property
    def tape_bytes(self) -> tuple[int, int]:
        """Bytes of both tapes for every step of a sequence, and bytes for every sequence."""
        there, back = self.forward_program.tables, self.backward_program.tables
        vectors, others = len(self.execution.layout.vector_nodes), 2 * (there["states"] + there["masks"])
        others += len(there["inputs"]) + len(back["inputs"])
        step = there["states"] + there["saved"] + vectors + back["columns"]
        sequence = 3 * there["states"] + vectors + back["vector_count"] + others
        layout = self.execution.layout
        row = layout.panels(layout.widest) * layout.width * self.execution.dtype.itemsize
        return step * row, sequence * row

    def backward(
        self,
        forward: Forward,
        dy: tuple[np.ndarray, np.ndarray, int] | None,
        dstate: State | None,
        *,
        reverse_output: bool,
        last_only: bool,
    ) -> Backward:
        """Bind the backward call of a forward call that kept a tape."""
        ex = self.execution
        initial = ex.new_states(len(forward.x.lengths))
        work = ex.pool.take("backward")
        packed = forward.weights
        call = _core.Call(
            self.backward_program,
            forward.batch,
            forward.tape,
            work,
            taped=True,
            reverse_output=reverse_output,
            last_only=last_only,
            y=dy,
            initial=dstate or (),
            final=initial,
            weights=[packed.transposed[run] for run in self.post_runs],
            parameters=packed.parameters,
            forward=forward.call,
        )
        return Backward(call, forward, initial, work)

    def weight_runs(self, backward: Backward, grads: Mapping[str, np.ndarray]) -> list[WeightRun]:
        """What the engine adds to the gradients of the parameters."""
        arrays, into = tuple(grads.values()), self._into  # once: another thread may set it
        if not all(map(operator.is_, arrays, into[0])) or not into[0]:
            into = self._into = arrays, self._products(grads) + self._sums(grads)
        return [(backward.forward.call, backward.call, *run) for run in into[1]]

    def _products(self, grads: Mapping[str, np.ndarray]) -> list[Target]:
        """Runs of the forward program, for the matrices."""
        ex = self.execution
        return [
            (n, self._place(run), run.rows, [ex.block(grads, term) for term in run.terms])
            for n, run in enumerate(ex.layout.runs)
        ]

    def _sums(self, grads: Mapping[str, np.ndarray]) -> list[Target]:
        """Sums of columns, for biases and the cell's own parameters; adjoining columns of one size together."""
        together, declared = MAX_VECTORS // self.execution.layout.vectors, self.execution.cell.parameters()
        targets = [
            (*place, grads[name].reshape(-1, self.execution.shapes.size(declared[name].size))[row])
            for (name, row), places in self.parameter_columns.items()
            for place in places
        ]
        if "bias" in grads:
            rows = {gate: grads["bias"][part] for gate, part in self.execution.shapes.biases.items()}
            targets += [(self.bias_columns[gate], len(row), row) for gate, row in rows.items()]
        runs: list[Target] = []
        for column, size, target in sorted(targets, key=lambda pair: pair[0]):
            if runs and _adjoins(runs[-1], column, size, target) and len(runs[-1][3]) < together:
                runs[-1][3].append(target)
            else:
                runs.append((None, column, size, [target]))
        return runs

    def write_dx(self, backward: Backward, dx: Rows, threads: int, arena: _core.Arena) -> None:
        """Write the gradient of the input."""
        layout, shapes = self.execution.layout, self.execution.shapes
        runs = [(n, run) for n, run in enumerate(layout.runs) if run.operand in ("x", "input")]
        parts = [(0, shapes.w_features), *shapes.inputs.values()]
        place = {name: n for n, name in enumerate(shapes.inputs, 1)}
        _core.input_gradient(
            backward.forward.call,
            backward.call,
            parts,
            [
                (place[run.node.detail] if run.node else 0, self._place(run), len(run.terms), run.rows)
                for _, run in runs
            ],
            [(place[name], *column) for name, columns in self.input_columns.items() for column in columns],
            [backward.forward.weights.transposed[n] for n, _ in runs],
            dx.place,
            threads,
            arena,
        )

    def _place(self, run: Run) -> int:
        return self.execution.layout.first_column[run.stage] + run.column


def _adjoins(run: Target, column: int, size: int, target: np.ndarray) -> bool:
    """Whether a sum can be taken together with others: over the next column, and of as many numbers."""
    _, first, rows, targets = run
    return column == first + len(targets) and size == rows and target.size == targets[0].size
