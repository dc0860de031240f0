"""A look at a case: two versions take turns, and how sure the ratio of their times is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import comb
from statistics import median
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from seqkit.bench.workload import Arrays

CONFIDENCE = 0.95
FEWEST_ROUNDS = 6
"""With fewer, not even all of them together are an interval of that confidence."""
TOLERANCE = 1e-4
"""Largest difference of float32 results, relative to the largest number, that passes for rounding."""


class Version(Protocol):
    """Who takes part; see `comparing.workers.Worker`."""

    def prepare(self, case: str) -> Arrays: ...
    def turn(self, seconds: float) -> list[float]: ...


@dataclass(frozen=True)
class Look:
    """Seconds per call of both versions, one pair for each round.

    Examples
    --------
    >>> look = Look(old=(1.0, 2.0, 1.0, 1.0, 1.0, 1.0), new=(1.2, 2.2, 1.4, 1.3, 1.3, 1.5))
    >>> look.ratio, look.interval
    (1.3, (1.1, 1.5))
    """

    old: tuple[float, ...]
    new: tuple[float, ...]

    @cached_property
    def ratios(self) -> list[float]:
        """New / old of every round, sorted: what disturbs a whole round cancels."""
        return sorted(new / old for old, new in zip(self.old, self.new, strict=True))

    @property
    def ratio(self) -> float:
        """Median of the rounds' ratios: above 1, the new version is slower."""
        return median(self.ratios)

    @property
    def interval(self) -> tuple[float, float]:
        """Where the true median ratio lies with a probability of at least `CONFIDENCE`.

        From the k-th smallest to the k-th largest ratio (the interval of the sign test): it
        needs no assumption about the shape of the noise.
        """
        k = rank(len(self.ratios))
        return self.ratios[k - 1], self.ratios[-k]


def rank(rounds: int) -> int:
    """The largest k for which the k-th smallest and k-th largest of independent values enclose their median.

    Each value lies below the median with probability 1/2, so fewer than k do with probability
    ``sum(comb(n, i) for i < k) / 2**n``.

    Examples
    --------
    >>> [rank(rounds) for rounds in (6, 9, 12, 30)]
    [1, 2, 3, 10]
    """
    k, outside = 0, 0.0
    while (outside := outside + 2 * comb(rounds, k) / 2**rounds) <= 1 - CONFIDENCE:
        k += 1
    return k


def take_look(old: Version, new: Version, rounds: int, seconds: float) -> Look:
    """Let both versions take turns at the case that they have prepared; who begins, alternates."""
    seen: dict[Version, list[float]] = {old: [], new: []}
    for number in range(rounds):
        for version in (new, old) if number % 2 else (old, new):
            seen[version].append(median(version.turn(seconds)))
    return Look(tuple(seen[old]), tuple(seen[new]))


def disagreement(old: Arrays, new: Arrays) -> str | None:
    """Why the results of two versions are not the same, or None."""
    if old.keys() != new.keys():
        return f"old gives {', '.join(sorted(old))} and new gives {', '.join(sorted(new))}"
    for name, expected in old.items():
        found = new[name]
        if found.shape != expected.shape:
            return f"{name}: old has shape {expected.shape} and new has {found.shape}"
        if not (np.isfinite(expected).all() and np.isfinite(found).all()):
            return f"{name}: not every number is finite"
        error = np.abs(found - expected).max(initial=0.0) / (np.abs(expected).max(initial=0.0) or 1.0)
        if error > TOLERANCE:
            return f"{name}: the results differ by {error:.1e} of the largest, expected at most {TOLERANCE:.0e}"
    return None
