"""All cases of two versions: a look at each, and a second one at those that seem to have changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING

from comparing.looks import Look, Version, disagreement, take_look
from comparing.workers import CaseFailed

if TYPE_CHECKING:
    from seqkit.bench.workload import Arrays

LAUNCHES = 9
"""Pairs of new processes in a second look."""
ROUNDS_OF_A_LAUNCH = 4

Start = Callable[[], AbstractContextManager[tuple[Version, Version]]]
"""Starts processes of the old and the new version."""


@dataclass(frozen=True)
class Effort:
    """Rounds of a first look, seconds of a turn, and the ratio above which a case is slower."""

    rounds: int
    seconds: float
    limit: float


@dataclass(frozen=True)
class Outcome:
    """What became of a case.

    Attributes
    ----------
    case : str
        Cell, mode and shape, such as "lstm infer B32 T100 H64".
    status : {"same", "faster", "unclear", "slower", "not confirmed", "absent", "failed"}
        "slower" if the intervals of both looks lie above the limit, "faster" if they lie below
        1 / limit, "not confirmed" if only the first one does; "unclear" if the interval reaches
        across a limit; "absent" if the old version cannot run the case, "failed" if the new one
        cannot or if their results differ.
    first, second : Look or None
        What was seen; a round of the second one is a pair of new processes.
    reason : str
        Why it is absent or has failed.
    """

    case: str
    status: str
    first: Look | None = None
    second: Look | None = None
    reason: str = ""

    @property
    def last(self) -> Look | None:
        """The look that decided."""
        return self.second or self.first


def compare(start: Start, cases: Iterable[str], effort: Effort) -> Iterator[Outcome]:
    """Measure every case; those that seem slower or faster come last, after a second and longer look."""
    suspects = []
    with start() as versions:
        for case in cases:
            outcome = _first_look(*versions, case, effort)
            if outcome.status in ("slower", "faster"):
                suspects.append(outcome)
            else:
                yield outcome
    if suspects:
        yield from _second_looks(start, suspects, effort)


def judge(look: Look, limit: float) -> str:
    """What the interval of a look says."""
    low, high = look.interval
    if low > limit:
        return "slower"
    if high < 1 / limit:
        return "faster"
    return "same" if low >= 1 / limit and high <= limit else "unclear"


def _first_look(old: Version, new: Version, case: str, effort: Effort) -> Outcome:
    expected, missing = _results(old, case)
    found, reason = _results(new, case)
    if expected is None and found is None:
        return Outcome(case, "failed", reason=f"old: {missing}; new: {reason}")
    if expected is None:
        return Outcome(case, "absent", reason=missing)
    if found is None or (reason := disagreement(expected, found) or ""):
        return Outcome(case, "failed", reason=reason)
    look = take_look(old, new, effort.rounds, effort.seconds)
    return Outcome(case, judge(look, effort.limit), look)


def _results(version: Version, case: str) -> tuple[Arrays | None, str]:
    """Results of a version that prepares a case, or why it cannot."""
    try:
        return version.prepare(case), ""
    except CaseFailed as failure:
        return None, str(failure)


def _second_looks(start: Start, suspects: Sequence[Outcome], effort: Effort) -> Iterator[Outcome]:
    """Look at suspects again, in many pairs of new processes.

    Where memory happens to lie makes a process faster or slower for as long as it lives, so
    what was seen in one pair, however often, is a single draw.
    """
    seen: dict[str, list[tuple[float, float]]] = {suspect.case: [] for suspect in suspects}
    for _ in range(LAUNCHES):
        with start() as (old, new):
            for case, pairs in seen.items():
                for version in (old, new):
                    version.prepare(case)
                look = take_look(old, new, ROUNDS_OF_A_LAUNCH, effort.seconds)
                pairs.append((median(look.old), median(look.new)))
    for suspect in suspects:
        look = Look(*zip(*seen[suspect.case], strict=True))
        confirmed = judge(look, effort.limit) == suspect.status
        yield replace(suspect, status=suspect.status if confirmed else "not confirmed", second=look)
