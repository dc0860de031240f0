"""What a call will do, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    threads : int
        Threads that will work.
    tasks : tuple of int
        Tasks that each direction is split into; every task has its own rows of the batch.
    panel : int
        Units that the kernels work on at a time.
    stages : int
        Rounds of products in a step; later ones wait for all units.
    pointwise : str
        How the pointwise part runs: "compiled" with the package, or "interpreted", to the same bits.
    tape_bytes, work_bytes : int
        Memory kept for a backward pass, and memory that the next call uses again.
    why : str
        The reason for the split.
    """

    isa: str
    dtype: str
    precision: str
    instruction: str
    lanes: int
    threads: int
    tasks: tuple[int, ...]
    panel: int
    stages: int
    pointwise: str
    tape_bytes: int
    work_bytes: int
    why: str

    def __str__(self) -> str:
        return (
            f"{self.isa} {self.dtype}, {self.lanes} lanes; products in {self.precision} by {self.instruction}, "
            f"pointwise part {self.pointwise}; panels of {self.panel} units, {self.stages} stage(s)\n"
            f"{self.threads} thread(s), tasks {' + '.join(map(str, self.tasks))}: {self.why}\n"
            f"memory: tape {self.tape_bytes / 2**20:.2f} MiB, working {self.work_bytes / 2**20:.2f} MiB"
        )


def plan_calls(calls: Sequence[_core.Call], batch: int) -> Plan:
    """The plan of bound calls, one for each direction, on a batch of `batch` sequences."""
    allowed = _core.num_threads()
    threads, tasks, share, shared = _core.plan(list(calls), allowed)
    tables = calls[0].program.tables
    lanes = _core.lanes(tables["dtype"])
    sizes = [call.nbytes() for call in calls]
    return Plan(
        _core.isa,
        tables["dtype"],
        tables["precision"],
        _core.instruction(tables["precision"]),
        lanes,
        threads,
        tuple(tasks),
        tables["vectors"] * lanes,
        len(tables["stages"]),
        "compiled" if all(all(call.program.compiled) for call in calls) else "interpreted",
        sum(tape for tape, _ in sizes),
        sum(work for _, work in sizes) + threads * share,
        _why(threads, allowed, len(calls), batch, shared),
    )


def _why(threads: int, allowed: int, directions: int, batch: int, shared: str) -> str:
    if allowed == 1:
        return "one thread is allowed"
    if threads == 1:
        return (
            "a batch of one sequence is not split"
            if batch == 1 and directions == 1
            else "too little work for more threads"
        )
    if shared == "units":
        return "the threads share the units of the only sequence and meet after every stage"
    return "each direction on its own threads" if directions > 1 else "rows of the batch are shared out"
