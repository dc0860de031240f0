"""Timing: competitors take turns, so that what disturbs the machine disturbs all of them.

Nothing of seqkit is imported here: the processes of the peers use it too.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

SAMPLES_PER_TURN = 20

Turn = Callable[[float], Sequence[float]]
"""Takes a turn of so many seconds and returns the seconds per call that it saw; none if it failed."""


@dataclass(frozen=True)
class Timing:
    """Seconds per call, seen in several rounds.

    Examples
    --------
    >>> timing = Timing(((1.0, 2.0, 9.0), (3.0, 4.0)))
    >>> timing.round_medians, timing.median, round(timing.spread_pct, 1)
    ((2.0, 3.5), 2.75, 72.7)
    """

    rounds: tuple[tuple[float, ...], ...]

    @property
    def seconds(self) -> tuple[float, ...]:
        """All samples."""
        return tuple(chain(*self.rounds))

    @property
    def median(self) -> float:
        """The median of the rounds' medians, so that every round counts the same."""
        return statistics.median(self.round_medians)

    @property
    def p99(self) -> float:
        """One call in a hundred took longer."""
        return sorted(self.seconds)[math.ceil(0.99 * len(self.seconds)) - 1]

    @property
    def round_medians(self) -> tuple[float, ...]:
        """The median of each round."""
        return tuple(map(statistics.median, self.rounds))

    @property
    def spread_pct(self) -> float:
        """Interquartile range of all samples in percent of the median."""
        if len(self.seconds) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return 100 * (high - low) / self.median


def take_turn(run: Callable[[], object], seconds: float, single: bool = False) -> list[float]:
    """Seconds per call in one turn: one call that warms up, then samples until the time is over.

    A call too short to be timed alone is repeated within a sample, unless every `single` call is
    to be seen.
    """
    once = _clock(run, 1)
    calls = 1 if single else max(1, int(seconds / SAMPLES_PER_TURN / once))
    end = time.perf_counter() + seconds
    samples = [_clock(run, calls)]
    while time.perf_counter() < end:
        samples.append(_clock(run, calls))
    settle()
    return samples


def _clock(run: Callable[[], object], calls: int) -> float:
    began = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - began) / calls


def settle(limit: float = 1.0) -> None:
    """Wait until this process has come to rest: threads spin for a while after their work."""
    end = time.perf_counter() + limit
    while time.perf_counter() < end:
        before = time.process_time()
        time.sleep(0.005)
        if time.process_time() - before < 0.001:
            return


def interleave(competitors: Mapping[str, Turn], seconds: float, rounds: int) -> dict[str, Timing]:
    """Time competitors in turns, `seconds` for each in all; who failed in a turn is left out.

    Every other round goes the other way round, so that nobody is always first.
    """
    turns: dict[str, list[tuple[float, ...]]] = {name: [] for name in competitors}
    for number in range(rounds):
        for name in list(competitors)[:: -1 if number % 2 else 1]:
            turns[name].append(tuple(competitors[name](seconds / rounds)))
    return {name: Timing(tuple(seen)) for name, seen in turns.items() if all(seen)}
