"""One run: every case is made ready, checked, compared and timed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from seqkit.bench.cases import Case, operations
from seqkit.bench.check import TOLERANCE, largest_difference, verify
from seqkit.bench.peers import Peer
from seqkit.bench.timing import Timing, Turn, interleave, take_turn
from seqkit.bench.workload import Arrays, Workload

OWN = "seqkit"


@dataclass(frozen=True)
class Effort:
    """Seconds for each competitor of a case, and the number of turns they are divided into."""

    seconds: float = 0.5
    rounds: int = 5


QUICK = Effort(seconds=0.03, rounds=3)


@dataclass
class Rival:
    """What a peer made of a case.

    Attributes
    ----------
    status : {"ok", "wrong", "unsupported", "failed"}
        "wrong" if its results differ by more than the tolerance; only "ok" has a timing.
    difference : float or None
        Largest difference of its results from seqkit's.
    reason : str
        Why it is unsupported or has failed.
    """

    status: str
    difference: float | None = None
    reason: str = ""
    timing: Timing | None = None


@dataclass
class Row:
    """Figures of a case: times, rates, and the peers' beside them."""

    case: Case
    error: float
    peak: float
    timing: Timing
    rivals: dict[str, Rival] = field(default_factory=dict)

    @property
    def steps_per_s(self) -> float:
        """Steps of all sequences in a second."""
        return self.case.steps / self.timing.median

    @property
    def gflop_per_s(self) -> float:
        """Operations of the products in a second, in units of 1e9."""
        return operations(self.case) / self.timing.median / 1e9

    @property
    def pct_of_peak(self) -> float:
        """Share of the measured peak in percent."""
        return 100 * self.gflop_per_s / self.peak

    def ratio(self, peer: str) -> float | None:
        """The peer's time divided by seqkit's: above 1, seqkit is faster."""
        timing = self.rivals[peer].timing
        return timing.median / self.timing.median if timing else None

    def facts(self) -> dict[str, Any]:
        """Everything as plain values, with units in the names."""
        return {
            **asdict(self.case),
            **_times(self.timing),
            "steps_per_s": self.steps_per_s,
            "GFLOP_per_s": self.gflop_per_s,
            "pct_of_peak": self.pct_of_peak,
            "max_error": self.error,
            "peers": {name: self._rival_facts(name, rival) for name, rival in self.rivals.items()},
        }

    def _rival_facts(self, name: str, rival: Rival) -> dict[str, Any]:
        facts: dict[str, Any] = {"status": rival.status}
        if rival.reason:
            facts["reason"] = rival.reason
        if rival.difference is not None:
            facts["max_difference"] = rival.difference if np.isfinite(rival.difference) else None
        if rival.timing:
            facts |= {**_times(rival.timing), "ratio": self.ratio(name)}
        return facts


def _times(timing: Timing) -> dict[str, float]:
    return {"time_ms": 1e3 * timing.median, "spread_pct": timing.spread_pct, "samples": len(timing.seconds)}


def run(cases: Iterable[Case], peers: Sequence[Peer], peaks: dict[str, float], effort: Effort) -> Iterator[Row]:
    """Measure one case after the other.

    Parameters
    ----------
    cases : iterable of Case
        What to measure.
    peers : sequence of Peer
        Who is measured beside seqkit.
    peaks : dict of str to float
        GFLOP/s that the machine reaches, by dtype.
    effort : Effort
        How long to measure.

    Raises
    ------
    SeqkitError
        If seqkit's own result is wrong.
    """
    with tempfile.TemporaryDirectory(prefix="seqkit-bench-") as folder:
        for case in cases:
            yield _measure(case, peers, peaks[case.dtype], effort, Path(folder))


def _measure(case: Case, peers: Sequence[Peer], peak: float, effort: Effort, folder: Path) -> Row:
    workload = Workload(case)
    results = workload.results()
    error = verify(workload, results)
    np.savez(folder / "inputs.npz", allow_pickle=False, **workload.inputs)
    rivals = {peer.name: _prepare(peer, case, results, folder) for peer in peers}
    turns: dict[str, Turn] = {OWN: lambda seconds: take_turn(workload.run, seconds)}
    turns |= {peer.name: peer.turn for peer in peers if rivals[peer.name].status == "ok"}
    timings = interleave(turns, effort.seconds, effort.rounds)
    for name in turns.keys() - {OWN}:
        rivals[name].timing = timings.get(name)
        if name not in timings:
            rivals[name].status, rivals[name].reason = "failed", "it failed while it was timed"
    return Row(case, error, peak, timings[OWN], rivals)


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
    return Rival("ok" if largest <= TOLERANCE[case.dtype] else "wrong", largest)
