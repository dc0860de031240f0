"""Rows: the figures of a case, and those of the peers beside them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from seqkit.bench.cases import Case
from seqkit.bench.intervals import Ratio, geometric_mean, paired_ratio
from seqkit.bench.limits import Bound
from seqkit.bench.timing import Timing

Facts = dict[str, Any]


@dataclass(frozen=True)
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
    bound: Bound
    timing: Timing
    memory: float | None = None
    rivals: dict[str, Rival] = field(default_factory=dict)

    @property
    def sequences_per_s(self) -> float:
        """Sequences in a second."""
        return self.case.sequences / self.timing.median

    @property
    def steps_per_s(self) -> float:
        """Steps of all sequences in a second."""
        return self.case.steps / self.timing.median

    @property
    def gflop_per_s(self) -> float:
        """Operations of the products in a second, in units of 1e9."""
        return self.bound.operations / self.timing.median / 1e9

    @property
    def gb_per_s(self) -> float:
        """Bytes of weights that must be read in a second, in units of 1e9."""
        return self.bound.bytes / self.timing.median / 1e9

    @property
    def pct_of_limit(self) -> float:
        """The shortest time that the machine allows, in percent of the time taken."""
        return 100 * self.bound.seconds / self.timing.median

    def ratio(self, peer: str) -> Ratio | None:
        """The peer's time divided by seqkit's, round by round: above 1, seqkit is faster."""
        theirs = self.rivals[peer].timing if peer in self.rivals else None
        return paired_ratio(theirs.round_medians, self.timing.round_medians) if theirs else None

    def facts(self) -> Facts:
        """Everything as plain values, with units in the names."""
        return {
            **asdict(self.case),
            **self._times(self.timing),
            "sequences_per_s": self.sequences_per_s,
            "steps_per_s": self.steps_per_s,
            "GFLOP_per_s": self.gflop_per_s,
            "GB_per_s": self.gb_per_s,
            "limit": self.bound.name,
            "pct_of_limit": self.pct_of_limit,
            "peak_GFLOP_per_s": self.bound.peak,
            "bandwidth_GB_per_s": self.bound.bandwidth,
            "peak_memory_MB": self.memory,
            "max_error": self.error,
            "peers": {name: self._rival_facts(name, rival) for name, rival in self.rivals.items()},
        }

    def _rival_facts(self, name: str, rival: Rival) -> Facts:
        facts: Facts = {"status": rival.status}
        if rival.reason:
            facts["reason"] = rival.reason
        if rival.difference is not None:
            facts["max_difference"] = rival.difference if math.isfinite(rival.difference) else None
        ratio = self.ratio(name)
        if rival.timing and ratio:
            facts |= {**self._times(rival.timing), **ratio_facts(ratio)}
        return facts

    def _times(self, timing: Timing) -> Facts:
        tail = {"p99_ms": 1e3 * timing.p99} if self.case.mode == "streams" else {}
        return {
            "time_ms": 1e3 * timing.median,
            **tail,
            "spread_pct": timing.spread_pct,
            "samples": len(timing.seconds),
            "round_ms": [1e3 * seconds for seconds in timing.round_medians],
        }


def ratio_facts(ratio: Ratio) -> Facts:
    """A ratio as plain values."""
    return {
        "ratio": ratio.value,
        "ratio_low": ratio.low,
        "ratio_high": ratio.high,
        "confidence_pct": 100 * ratio.confidence,
    }


@dataclass(frozen=True)
class Standing:
    """How seqkit stands beside one peer over all cases that both can do.

    Attributes
    ----------
    ratios : dict of Case to Ratio
        The peer's time / seqkit's.
    """

    peer: str
    ratios: dict[Case, Ratio]

    @property
    def mean(self) -> float:
        """Geometric mean of the ratios."""
        return geometric_mean([ratio.value for ratio in self.ratios.values()])

    @property
    def worst(self) -> tuple[Case, Ratio]:
        """The case in which seqkit does worst."""
        return min(self.ratios.items(), key=lambda item: item[1].value)

    @property
    def losses(self) -> dict[Case, Ratio]:
        """Cases in which the peer is faster, the worst first."""
        lost = [item for item in self.ratios.items() if item[1].value < 1]
        return dict(sorted(lost, key=lambda item: item[1].value))

    @property
    def faster(self) -> int:
        """Cases in which seqkit is faster, and the interval leaves no doubt."""
        return sum(ratio.low > 1 for ratio in self.ratios.values())

    @property
    def slower(self) -> int:
        """Cases in which the peer is faster, and the interval leaves no doubt."""
        return sum(ratio.high < 1 for ratio in self.ratios.values())

    def facts(self) -> Facts:
        """Everything as plain values."""
        case, ratio = self.worst
        return {
            "cases": len(self.ratios),
            "faster": self.faster,
            "slower": self.slower,
            "geometric_mean_ratio": self.mean,
            "worst": {"case": asdict(case), **ratio_facts(ratio)},
            "losses": [{"case": asdict(case), **ratio_facts(ratio)} for case, ratio in self.losses.items()],
        }


def standings(rows: Sequence[Row], peers: Iterable[str]) -> Iterator[Standing]:
    """How seqkit stands beside each peer that has been timed at least once."""
    for peer in peers:
        ratios = {row.case: ratio for row in rows if (ratio := row.ratio(peer)) is not None}
        if ratios:
            yield Standing(peer, ratios)
