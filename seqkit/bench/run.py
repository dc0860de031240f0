"""One run: every case is checked; then each is compared with the peers' results and timed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from seqkit import _core
from seqkit.bench.cases import Case
from seqkit.bench.check import TOLERANCE, largest_difference, verify
from seqkit.bench.figures import Rival, Row
from seqkit.bench.limits import Limits
from seqkit.bench.memory import peak_memory
from seqkit.bench.peers import Peer
from seqkit.bench.timing import Turn, interleave, take_turn
from seqkit.bench.workload import Arrays, Workload

OWN = "seqkit"


@dataclass(frozen=True)
class Effort:
    """Seconds for each competitor of a case, and the number of rounds they are divided into."""

    seconds: float = 0.9
    rounds: int = 9


QUICK = Effort(seconds=0.06, rounds=6)


def check(cases: Iterable[Case]) -> dict[Case, float]:
    """How far the outputs of each case are from the equations.

    Raises
    ------
    CheckError
        If a result is wrong.
    """
    errors = {}
    for case in cases:
        with _core.threads(case.threads):
            workload = Workload(case)
            errors[case] = verify(workload, workload.results())
    return errors


def run(errors: dict[Case, float], peers: Sequence[Peer], limits: Limits, effort: Effort) -> Iterator[Row]:
    """Measure cases that have been checked, one after the other.

    Parameters
    ----------
    errors : dict of Case to float
        What to measure, with the error that the check has found.
    peers : sequence of Peer
        Who is measured beside seqkit, with as many threads as the cases have.
    limits : Limits
        What the machine reaches.
    effort : Effort
        How long to measure.
    """
    with tempfile.TemporaryDirectory(prefix="seqkit-bench-") as folder:
        for case, error in errors.items():
            with _core.threads(case.threads):
                yield _measure(case, error, peers, limits, effort, Path(folder))


def _measure(case: Case, error: float, peers: Sequence[Peer], limits: Limits, effort: Effort, folder: Path) -> Row:
    bound, memory = limits.bound(case), peak_memory(case)
    workload = Workload(case)
    results = workload.results()
    np.savez(folder / "inputs.npz", allow_pickle=False, **workload.inputs)
    rivals = {peer.name: _prepare(peer, case, results, folder) for peer in peers}
    turns: dict[str, Turn] = {OWN: lambda seconds: take_turn(workload.run, seconds, single=case.mode == "streams")}
    turns |= {peer.name: peer.turn for peer in peers if rivals[peer.name].status == "ok"}
    timings = interleave(turns, effort.seconds, effort.rounds)
    for name in turns.keys() - {OWN}:
        late = Rival("failed", reason="it failed while it was timed")
        rivals[name] = replace(rivals[name], timing=timings[name]) if name in timings else late
    return Row(case, error, bound, timings[OWN], memory, rivals)


def _prepare(peer: Peer, case: Case, expected: Arrays, folder: Path) -> Rival:
    """Let a peer build the case, and compare its results with seqkit's."""
    path = folder / f"{peer.name}.npz"
    answer = peer.prepare(case, folder / "inputs.npz", path)
    if "unsupported" in answer:
        return Rival("unsupported", reason=answer["unsupported"])
    if "error" in answer:
        return Rival("failed", reason=answer["error"])
    with np.load(path) as results:
        largest = largest_difference(dict(results), expected)
    return Rival("ok" if largest <= TOLERANCE[case.precision] else "wrong", largest)
