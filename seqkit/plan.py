"""What a call will do, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seqkit import _core


@dataclass(frozen=True)
class Plan:
    """How the engine will run a call: `layer.plan(shape)`.

    Attributes
    ----------
    isa, dtype : str
        Instruction set and number type of the kernels.
    precision, instruction : str
        What products are computed in, and the multiply-add that computes them.
    lanes : int
        Numbers of a SIMD vector.
    kernel : str
        "tile R x V": R rows of the batch by V vectors of units in registers; "line": one row, panel by panel.
    threads : int
        Threads that will work; a small call within a millisecond of another one, whose threads are still awake, takes
        more.
    split : str
        What the threads share: "directions", "rows" of the batch, "units" of few rows, or "none".
    tasks : tuple of int
        Tasks that each direction is split into; every task has its own rows of the batch.
    panel : int
        Units that the kernels work on at a time.
    stages : int
        Rounds of products in a step; later ones wait for all units.
    pointwise : str
        How the pointwise part runs: "compiled" when a package was built, or "interpreted", to the same bits.
    kernels : str
        Whose compiled kernels run it, or why it has none.
    tape_bytes, work_bytes : int
        Memory kept for a backward pass, and memory that the next call uses again.
    why : str
        The reason for the split.
    whole : str
        What keeps threads from sharing the units of one sequence, "" where nothing does: reductions need a
        vector whole, with all its units.
    """

    isa: str
    dtype: str
    precision: str
    instruction: str
    lanes: int
    kernel: str
    threads: int
    split: str
    tasks: tuple[int, ...]
    panel: int
    stages: int
    pointwise: str
    kernels: str
    tape_bytes: int
    work_bytes: int
    why: str
    whole: str

    def __str__(self) -> str:
        return (
            f"{self.isa} {self.dtype}, {self.lanes} lanes; products in {self.precision} by {self.instruction} "
            f"({self.kernel}); panels of {self.panel} units, {self.stages} stage(s)\n"
            f"pointwise part {self.pointwise}: {self.kernels}\n"
            f"{self.threads} thread(s) share {self.split}, tasks {' + '.join(map(str, self.tasks))}: {self.why}\n"
            f"memory: tape {self.tape_bytes / 2**20:.2f} MiB, working {self.work_bytes / 2**20:.2f} MiB"
        )


def plan_calls(calls: Sequence[_core.Call], batch: int) -> Plan:
    """The plan of bound calls, one for each direction, on a batch of `batch` sequences."""
    allowed = _core.num_threads()
    threads, tasks, share, shared = _core.plan(list(calls), allowed)
    tables = calls[0].program.tables
    precision, lanes, sizes = tables["precision"], _core.lanes(tables["dtype"]), [call.nbytes() for call in calls]
    whole = _whole(tables)
    split = "none" if threads == 1 else "directions" if len(calls) > 1 else shared
    return Plan(
        _core.isa,
        tables["dtype"],
        precision,
        _core.instruction(precision),
        lanes,
        _kernel(-(-batch // tasks[0]), precision, tables),
        threads,
        split,
        tuple(tasks),
        tables["vectors"] * lanes,
        len(tables["stages"]),
        *_pointwise([call.program for call in calls]),
        sum(tape for tape, _ in sizes),
        sum(work for _, work in sizes) + threads * share,
        _why(split, allowed, batch, whole),
        whole,
    )


def _pointwise(programs: Sequence[_core.Program]) -> tuple[str, str]:
    """How the pointwise part runs, and whose kernels run it or why it has none."""
    providers = {provider for program in programs for provider in program.providers}
    if None not in providers:
        return "compiled", f"kernels of {' and '.join(sorted(map(str, providers)))}"
    if _core.POINTWISE == "interpreted":
        return "interpreted", "SEQKIT_POINTWISE=interpreted"
    problems = [program.problem for program in programs if program.problem]
    return "interpreted", problems[0] if problems else "no kernels were compiled for these equations"


def _kernel(rows: int, precision: str, tables: Mapping[str, Any]) -> str:
    """The kernel of the widest product of a task of `rows` rows."""
    if rows <= 1:
        return "line"
    widest = max((run[3] for run in tables["runs"].tolist()), default=1)
    height, vectors = _core.tile(precision, rows, widest * tables["vectors"])
    return f"tile {height} x {vectors}"


def _whole(tables: Mapping[str, Any]) -> str:
    """What a step needs all units for, beside products."""
    names = {code: name for name, code in _core.REDUCTIONS.items()}
    kinds = dict.fromkeys(names[kind] for _, _, kind, _, _ in tables["reductions"].tolist())
    return f"{' and '.join(kinds)} over units" if kinds else ""


def _why(split: str, allowed: int, batch: int, whole: str) -> str:
    if split == "none":
        if allowed == 1:
            return "one thread is allowed"
        if batch == 1 and whole:
            return f"{whole}: threads cannot share the units of one sequence"
        return "too little work to wake threads for"
    return {
        "directions": "each direction on its own threads, which never wait for each other",
        "rows": "rows of the batch on threads that never wait for each other",
        "units": "the units of few sequences; the threads meet after every stage",
    }[split]
