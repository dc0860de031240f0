"""How time is taken, and what can be said from it.  No test looks at a speed."""

from __future__ import annotations

import math
import time
from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest

from seqkit.bench.intervals import Ratio, geometric_mean, independent_ratio, mann_whitney, paired_ratio
from seqkit.bench.timing import Timing, interleave, settle, take_turn

# how time is taken


class Clock:
    """A clock that only moves when it is told to."""

    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)
        monkeypatch.setattr(time, "process_time", lambda: 0.0)
        monkeypatch.setattr(time, "sleep", self.pass_by)

    def pass_by(self, seconds):
        self.now += seconds


@pytest.mark.parametrize(("seconds", "repeats", "samples"), [(2**-11, 102, 21), (2**-4, 1, 16), (4.0, 1, 1)])
def test_a_turn_repeats_short_calls_and_ends_in_time(monkeypatch, seconds, repeats, samples):
    clock = Clock(monkeypatch)
    calls = []
    found = take_turn(lambda: (calls.append(1), clock.pass_by(seconds)), 1.0)
    assert found == pytest.approx([seconds] * samples)
    assert len(calls) == 1 + repeats * samples  # 102 calls fit into a twentieth of a turn


def test_single_calls_are_not_grouped(monkeypatch):
    clock = Clock(monkeypatch)
    found = take_turn(lambda: clock.pass_by(2**-11), 1.0, single=True)
    assert found == [2**-11] * 2048


def test_settle_waits_for_threads_that_spin(monkeypatch):
    clock = Clock(monkeypatch)
    spinning_until = clock.now + 0.1
    monkeypatch.setattr(time, "process_time", lambda: min(clock.now, spinning_until))
    settle()
    assert spinning_until < clock.now < spinning_until + 0.02
    monkeypatch.setattr(time, "process_time", lambda: clock.now)
    began = clock.now
    settle(limit=0.5)
    assert clock.now - began == pytest.approx(0.5, abs=0.01)
    take_turn(lambda: clock.pass_by(1.0), 0.1)
    assert clock.now - began == pytest.approx(0.5 + 2.0 + 1.0, abs=0.02)  # two calls, and up to 1 s of rest


def test_competitors_take_turns_and_who_fails_is_left_out():
    order = []

    def turn(name, answers):
        return lambda seconds: (order.append((name, seconds)), next(answers))[1]

    turns = {
        "a": turn("a", iter([[1.0, 2.0], [5.0], [6.0]])),
        "b": turn("b", iter([[1.0], [], [1.0]])),
        "c": turn("c", iter([[3.0], [4.0], [8.0, 9.0]])),
    }
    found = interleave(turns, seconds=3.0, rounds=3)
    assert order == [(name, 1.0) for name in "abccbaabc"]  # nobody is always first
    assert found == {"a": Timing(((1.0, 2.0), (5.0,), (6.0,))), "c": Timing(((3.0,), (4.0,), (8.0, 9.0)))}


def test_every_round_counts_the_same_and_spread_is_that_of_all_samples():
    seconds = np.random.default_rng(0).exponential(size=41)
    low, high = np.percentile(seconds, [25, 75])
    median = (np.median(seconds[:11]) + np.median(seconds[11:])) / 2
    timing = Timing((tuple(seconds[:11]), tuple(seconds[11:])))
    assert timing.median == pytest.approx(median)
    assert timing.spread_pct == pytest.approx(100 * (high - low) / median)
    assert timing.round_medians == pytest.approx([np.median(seconds[:11]), np.median(seconds[11:])])
    assert Timing(((2.0,),)).spread_pct == 0.0


def test_one_call_in_a_hundred_is_slower_than_p99():
    seconds = np.random.default_rng(3).permutation(np.arange(1.0, 301.0)).tolist()
    timing = Timing((tuple(seconds[:100]), tuple(seconds[100:])))
    assert timing.p99 == 297.0  # 298, 299 and 300 took longer
    assert Timing(((7.0,),)).p99 == 7.0


# intervals


@pytest.mark.parametrize(
    ("rounds", "depth", "missed"),
    [(5, 1, (2, 32)), (6, 1, (2, 64)), (8, 1, (2, 256)), (9, 2, (20, 512)), (12, 3, (2 * (1 + 12 + 66), 4096))],
)
def test_interval_of_paired_rounds_by_hand(rounds, depth, missed):
    """The binomial distribution of n coins: depth d misses 2 * (C(n,0) + ... + C(n,d-1)) of 2**n."""
    rng = np.random.default_rng(rounds)
    ours = rng.uniform(1, 2, rounds)
    factors = 1.5 + np.arange(rounds) / 8
    found = paired_ratio(rng.permutation(factors) * ours, ours)
    assert found.low == pytest.approx(factors[depth - 1])
    assert found.high == pytest.approx(factors[-depth])
    assert found.value == pytest.approx(np.median(factors))
    assert found.confidence == pytest.approx(1 - missed[0] / missed[1])


def test_pairs_cancel_what_disturbs_a_round():
    disturbance = np.array([1.0, 5.0, 2.0, 9.0, 1.5, 3.0])
    assert paired_ratio(2 * disturbance, disturbance) == Ratio(2.0, 2.0, 2.0, 1 - 2 / 64)


def test_one_round_says_nothing():
    assert paired_ratio([3.0], [2.0]) == Ratio(1.5, 1.5, 1.5, 0.0)


@pytest.mark.parametrize(("n", "m"), list(product(range(1, 5), repeat=2)))
def test_mann_whitney_counts_all_orders(n, m):
    counts = [0] * (n * m + 1)
    for places in combinations(range(n + m), n):
        others = set(range(n + m)) - set(places)
        counts[sum(other < place for place in places for other in others)] += 1
    assert mann_whitney(n, m) == counts


def test_interval_of_independent_runs_by_hand():
    """9 and 9 rounds: 95 % leave out 17 of 81 pairs on each side (the tables of Mann and Whitney)."""
    rng = np.random.default_rng(1)
    new, old = rng.uniform(2, 3, 9), rng.uniform(1, 2, 9)
    pairs = np.sort((new[:, None] / old).ravel())
    found = independent_ratio(new.tolist(), old.tolist())
    assert (found.low, found.high) == pytest.approx((pairs[17], pairs[-18]))
    assert found.value == pytest.approx(np.median(pairs))
    counts = mann_whitney(9, 9)
    missed = Fraction(2 * sum(counts[:18]), math.comb(18, 9))
    assert found.confidence == pytest.approx(float(1 - missed))
    assert found.confidence >= 0.95 > float(1 - Fraction(2 * sum(counts[:19]), math.comb(18, 9)))


def test_intervals_cover_the_truth_as_often_as_they_say():
    rng, hits = np.random.default_rng(2), {"paired": 0, "independent": 0}
    for _ in range(600):
        theirs, ours = 1.3 * rng.lognormal(0, 0.4, 9), rng.lognormal(0, 0.4, 9)
        for name, method in (("paired", paired_ratio), ("independent", independent_ratio)):
            found = method(theirs, ours)
            hits[name] += found.low <= 1.3 <= found.high
    assert all(0.93 * 600 <= count <= 0.985 * 600 for count in hits.values()), hits


def test_geometric_mean():
    assert geometric_mean([4.0, 0.25]) == pytest.approx(1.0)
    assert geometric_mean([2.0, 4.0, 8.0]) == pytest.approx(4.0)


def test_a_ratio_in_words():
    assert str(Ratio(0.5, 0.4849, 0.521, 0.95)) == "0.50 (0.48-0.52)"
    assert str(Ratio(1856.7, 13.2, 5000.2, 0.95)) == "1857 (13.20-5000)"
    assert Ratio(2.0, 1.0, 3.0, 0.9).scaled(0.5) == Ratio(1.0, 0.5, 1.5, 0.9)
