"""Measuring: what is counted, how time is taken, what is refused.  No test looks at a speed."""

from __future__ import annotations

import sys
import time
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import seqkit
from seqkit import _core, registry
from seqkit.bench import check
from seqkit.bench.cases import Case, count_products, grid, operations
from seqkit.bench.timing import Timing, interleave, settle, take_turn
from seqkit.bench.workload import Workload
from seqkit.equations import matrix, sigmoid, tanh
from seqkit.errors import ConfigError, SeqkitError

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
CELLS = ("simple_rnn", "lstm", "gru", "peephole")


class Wide(seqkit.Cell):
    """x.f is read twice, U.f @ h is written twice, U.n multiplies a derived vector, p.extra a state."""

    gates, states = ("f", "n"), ("h",)

    def parameters(self):
        return {"extra": matrix()}

    def step(self, x, U, s, p):
        f = sigmoid(x.f + U.f @ s.h)
        n = tanh(x.n + U.n @ (f * s.h) + p.extra @ s.h)
        return {"h": (1 - f) * s.h + sigmoid(x.f + U.f @ s.h) * n}


@pytest.fixture
def wide(monkeypatch):
    monkeypatch.setitem(registry._registered, "wide", Wide)
    monkeypatch.setattr(Wide, "name", "wide")


# what is counted


@pytest.mark.parametrize(
    ("cell", "mode", "each"),
    [
        # multiply-adds of a step with I = 3, H = 5: x product 15, u product 25
        ("simple_rnn", "infer", 15 + 25),
        ("lstm", "infer", 4 * 15 + 4 * 25),
        ("peephole", "infer", 4 * 15 + 4 * 25),
        ("gru", "infer", 3 * 15 + 3 * 25),
        ("gru", "step", 3 * 15 + 3 * 25),
        ("wide", "infer", 2 * 15 + 3 * 25),
        # forward, gradients of the weights, gradients of the states
        ("simple_rnn", "train", (15 + 25) + (15 + 25) + 25),
        ("lstm", "train", (60 + 100) + (60 + 100) + 100),
        ("gru", "train", (45 + 75) + (45 + 75) + 75),
        ("wide", "train", (30 + 75) + (30 + 75) + 75),
    ],
)
@pytest.mark.usefixtures("wide")
def test_operations_by_hand(cell, mode, each):
    time = 1 if mode == "step" else 7
    assert operations(Case(cell, mode, 2, time, 3, 5)) == 2 * 2 * time * each
    assert operations(Case(cell, mode, 2, time, 3, 5, bidirectional=True)) == 2 * (2 * 2 * time * each)


def test_products_of_a_gru_that_resets_first_are_as_many():
    assert count_products(seqkit.GRU(1, reset_after=False).cell) == (3, 3)


def test_a_layer_without_equations_is_no_case():
    assert not registry.is_cell("dense")
    with pytest.raises(ConfigError, match="'dense' has no equations"):
        registry.cell_of("dense")


def test_grid_is_all_combinations_of_what_is_given():
    cases = grid(["gru", "lstm"], ["infer", "step"], batch=[1, 4], time=[9], features=[2, 3], units=[6])
    sizes = [(case.batch, case.time, case.features, case.units) for case in cases if case.cell == "lstm"]
    infer, step = sizes[:4], sizes[4:]
    assert infer == [(1, 9, 2, 6), (1, 9, 3, 6), (4, 9, 2, 6), (4, 9, 3, 6)]
    assert step == [(b, 1, i, h) for b, _, i, h in infer]
    assert [case.cell for case in cases] == ["gru"] * 8 + ["lstm"] * 8


def test_grid_without_sizes():
    cases = grid(CELLS)
    assert {case.cell for case in cases} == set(CELLS)
    assert {case.mode for case in cases} == {"infer", "train", "step"}
    assert all(case.features == case.units and (case.time == 1) == (case.mode == "step") for case in cases)
    assert {case.mode for case in grid(["lstm"], bidirectional=True)} == {"infer", "train"}
    (case,) = grid(["lstm"], ["step"], units=[9], dtype="float64")
    assert case == Case("lstm", "step", 1, 1, 9, 9, dtype="float64")


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
        "a": turn("a", iter([[1.0, 2.0], [5.0]])),
        "b": turn("b", iter([[1.0], []])),
        "c": turn("c", iter([[3.0], [4.0]])),
    }
    found = interleave(turns, seconds=3.0, rounds=2)
    assert order == [(name, 1.5) for name in "abcabc"]
    assert found == {"a": Timing((1.0, 2.0, 5.0)), "c": Timing((3.0, 4.0))}


def test_spread_is_the_interquartile_range():
    seconds = np.random.default_rng(0).exponential(size=41)
    low, median, high = np.percentile(seconds, [25, 50, 75])
    timing = Timing(tuple(seconds))
    assert timing.median == median
    assert timing.spread_pct == pytest.approx(100 * (high - low) / median)
    assert Timing((2.0,)).spread_pct == 0.0


def test_peak_counts_something_for_each_type():
    assert all(0 < _core.fma_peak(dtype, 1) < float("inf") for dtype in ("float32", "float64"))


# what is refused


SMALL_CASES = [
    case
    for options in ({}, {"bidirectional": True}, {"dtype": "float64"})
    for case in grid(CELLS, batch=[3], time=[5], features=[4], units=[6], **options)
]


@pytest.mark.parametrize("case", SMALL_CASES, ids=str)
def test_right_results_pass(case):
    workload = Workload(case)
    workload.run()
    assert check.verify(workload, workload.results()) < 1e-5


@pytest.mark.parametrize("place", [(0, 0, 0), (2, 4, 5)])
@pytest.mark.parametrize("wrong", [1e-3, np.nan, np.inf])
def test_wrong_outputs_are_refused(place, wrong):
    workload = Workload(Case("gru", "infer", 3, 5, 4, 6))
    results = workload.results()
    results["y"][place] += wrong
    with pytest.raises(SeqkitError, match="gru infer B3 T5 I4 H6 float32: outputs differ from the equations"):
        check.verify(workload, results)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["weight_ih", "weight_hh", "bias", "bias_hn"])
@pytest.mark.parametrize("spoil", [lambda grad: 0 * grad, lambda grad: 1.01 * grad, lambda grad: grad * np.nan])
def test_a_wrong_gradient_is_refused(monkeypatch, dtype, name, spoil):
    workload = Workload(Case("gru", "train", 3, 5, 4, 6, dtype=dtype))
    results, right = workload.results(), workload.gradients
    key = f"forward.{name}"
    monkeypatch.setattr(workload, "gradients", lambda dy: right(dy) | {key: spoil(right(dy)[key])})
    with pytest.raises(SeqkitError, match="gradients differ from the equations"):
        check.verify(workload, results)


def test_gradients_that_are_all_zero_are_refused(monkeypatch):
    workload = Workload(Case("lstm", "train", 3, 5, 4, 6))
    results, right = workload.results(), workload.gradients
    monkeypatch.setattr(workload, "gradients", lambda dy: {name: 0 * grad for name, grad in right(dy).items()})
    with pytest.raises(SeqkitError, match="gradients differ"):
        check.verify(workload, results)


def test_training_packs_the_weights_every_time():
    for both in (False, True):
        workload = Workload(Case("lstm", "train", 3, 5, 4, 6, both))
        before = workload.layer.params.version
        workload.run()
        assert workload.layer.params.version > before


def test_difference():
    expected = np.array([1.0, -4.0])
    assert check.difference(np.array([1.5, -4.0]), expected) == 0.125
    assert check.difference(np.array([0.25]), np.array([0.0])) == 0.25
    for wrong in (np.array([1.0]), np.array([1.0, np.nan]), np.array([[1.0, -4.0]])):
        assert check.difference(wrong, expected) == float("inf")
    assert check.largest_difference({"y": expected}, {"y": expected, "forward.bias": expected}) == float("inf")
    assert check.largest_difference({"y": expected, "b": expected + 1}, {"y": expected, "b": expected}) == 0.25


# the history of figures


@pytest.fixture
def suite(monkeypatch):
    """The modules that asv runs."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    for name in [name for name in sys.modules if name.partition(".")[0] == "benchmarks"]:
        monkeypatch.delitem(sys.modules, name)
    return {name: import_module(f"benchmarks.{name}") for name in ("common", "cells", "imports")}


def test_every_built_in_cell_has_benchmarks(suite):
    cells = sorted(name for name in registry.BUILT_IN if registry.is_cell(name))
    assert sorted(suite["common"].CELLS) == cells, "a cell that is added must be added to the benchmarks too"
    for benchmark in (suite["cells"].Sequences, suite["cells"].Streams):
        assert benchmark.params[0] == suite["common"].CELLS


@pytest.mark.parametrize("cell", CELLS)
def test_the_benchmarks_of_cells_run(suite, cell):
    sequences, streams = suite["cells"].Sequences(), suite["cells"].Streams()
    sequences.setup(cell, "B2 T3 H4")
    assert sequences.x.shape == sequences.dy.shape == (2, 3, 4)
    sequences.time_forward(cell, "B2 T3 H4")
    sequences.peakmem_train(cell, "B2 T3 H4")
    assert all(grad.any() for grad in sequences.layer.grads.values())
    assert 0 < sequences.track_max_error(cell, "B2 T3 H4") < 1e-6
    streams.setup(cell, "B2 H4")
    streams.time_step(cell, "B2 H4")
    first = streams.state[0]
    streams.time_step(cell, "B2 H4")
    assert not np.array_equal(streams.state[0], first)


def test_the_benchmarks_of_imports_run(suite):
    imports = suite["imports"].Imports()
    for name in ("timeraw_import", "timeraw_import_engine", "timeraw_first_output"):
        exec(getattr(imports, name)(), {})
