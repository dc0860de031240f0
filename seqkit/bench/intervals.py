"""Ratios of times with confidence intervals, from ranks alone: nothing is assumed of how times are distributed.

Both intervals are made of order statistics (Hollander, Wolfe and Chicken, "Nonparametric
Statistical Methods", 2014, chapters 3 and 4); no time is trusted more than its rank.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Ratio:
    """An estimate, and an interval that covers the true ratio with probability `confidence`."""

    value: float
    low: float
    high: float
    confidence: float

    def scaled(self, factor: float) -> Ratio:
        """The same ratio in another unit."""
        return Ratio(self.value * factor, self.low * factor, self.high * factor, self.confidence)

    def __str__(self) -> str:
        """The ratio and its interval in few characters.

        Examples
        --------
        >>> str(Ratio(1.234, 1.2, 1.31, 0.95))
        '1.23 (1.20-1.31)'
        """
        value, low, high = (f"{number:.{2 if number < 100 else 0}f}" for number in (self.value, self.low, self.high))
        return f"{value} ({low}-{high})"


def paired_ratio(numerator: Sequence[float], denominator: Sequence[float]) -> Ratio:
    """The ratio of times that were taken in the same rounds: the median of the ratios of the rounds.

    In every round the ratio falls above or below the true one like a coin, so the number of
    rounds below it is binomial (the sign test).

    Examples
    --------
    >>> paired_ratio([2.0, 3.0, 4.0, 10.0, 6.0, 7.0], [1.0, 1.0, 2.0, 2.0, 2.0, 2.0])
    Ratio(value=3.0, low=2.0, high=5.0, confidence=0.96875)
    """
    ratios = [above / below for above, below in zip(numerator, denominator, strict=True)]
    return _between(ratios, [math.comb(len(ratios), below) for below in range(len(ratios) + 1)])


def independent_ratio(numerator: Sequence[float], denominator: Sequence[float]) -> Ratio:
    """The ratio of times that were taken in different runs: the median of all ratios of a round to a round.

    How many of those lie below the true one is distributed as Mann and Whitney's U.

    Examples
    --------
    >>> independent_ratio([2.0, 4.0], [1.0, 2.0]).value
    2.0
    """
    ratios = [above / below for above in numerator for below in denominator]
    return _between(ratios, mann_whitney(len(numerator), len(denominator)))


def mann_whitney(n: int, m: int) -> list[int]:
    """In how many orders of n and m things U pairs are the wrong way round, for U from 0 to n*m.

    Examples
    --------
    >>> mann_whitney(2, 2)
    [1, 1, 2, 1, 1]
    """
    # ways[k][u]: of k things chosen so far; the place-th of all, chosen as number k, has place - k others before it
    ways = [[1] + [0] * (n * m)] + [[0] * (n * m + 1) for _ in range(n)]
    for place in range(1, n + m + 1):
        for k in range(min(n, place), 0, -1):
            before = place - k
            for u in range(before, n * m + 1):
                ways[k][u] += ways[k - 1][u - before]
    return ways[n]


def geometric_mean(values: Sequence[float]) -> float:
    """The mean on a scale on which 2 and 1/2 are equally far from 1.

    Examples
    --------
    >>> geometric_mean([2.0, 0.5, 8.0])
    2.0
    """
    return math.exp(math.fsum(map(math.log, values)) / len(values))


def _between(values: Sequence[float], ways: Sequence[int]) -> Ratio:
    """The median of values, between the d-th from below and from above.

    `ways` says how often 0, 1, ... of the values lie below what is estimated; d is the largest
    number with which the interval still covers it with probability ``CONFIDENCE``, or 1.
    """
    ordered, total = sorted(values), sum(ways)
    covered = [1 - 2 * below / total for below in accumulate(ways)]  # with d = 1, 2, ...
    depth = max((d for d, share in enumerate(covered, 1) if share >= CONFIDENCE), default=1)
    return Ratio(statistics.median(ordered), ordered[depth - 1], ordered[-depth], max(covered[depth - 1], 0.0))
