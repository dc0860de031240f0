"""`seqkit bench`: what is counted, what is refused, how peers are talked to.  No test looks at a speed."""

from __future__ import annotations

import json
import sys
import time
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import seqkit
from seqkit import _core, registry
from seqkit.bench import check, peers
from seqkit.bench.cases import MODES, Case, cell_of, count_products, grid, is_cell, operations
from seqkit.bench.run import Effort, run
from seqkit.bench.timing import Timing, interleave, settle, take_turn
from seqkit.bench.workload import Workload
from seqkit.cli import main
from seqkit.equations import matrix, sigmoid, tanh
from seqkit.errors import ConfigError, SeqkitError

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
CELLS = ("simple_rnn", "lstm", "gru", "peephole")
PEAK = 100.0


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
    assert not is_cell("dense")
    with pytest.raises(ConfigError, match="'dense' has no equations"):
        cell_of("dense")


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


def test_difference():
    expected = np.array([1.0, -4.0])
    assert check.difference(np.array([1.5, -4.0]), expected) == 0.125
    assert check.difference(np.array([0.25]), np.array([0.0])) == 0.25
    for wrong in (np.array([1.0]), np.array([1.0, np.nan]), np.array([[1.0, -4.0]])):
        assert check.difference(wrong, expected) == float("inf")
    assert check.largest_difference({"y": expected}, {"y": expected, "forward.bias": expected}) == float("inf")
    assert check.largest_difference({"y": expected, "b": expected + 1}, {"y": expected, "b": expected}) == 0.25


# peers

FAKE = """
import os, sys
import numpy as np
from seqkit.bench.peers.protocol import serve
from seqkit.bench.peers import protocol

engine = "seqkit._core" in sys.modules

def load(threads):
    if {behaviour!r} == "missing":
        raise ImportError("there is no fake")
    return f"Fake {{threads}} {{os.environ['OMP_NUM_THREADS']}} {{engine}}", prepare

def prepare(case, arrays):
    if (case["cell"], case["mode"]) != ("simple_rnn", "infer"):
        raise NotImplementedError("not this one")
    if {behaviour!r} == "error":
        raise ValueError("no luck")
    if {behaviour!r} == "crash":
        os._exit(3)
    print("what a library prints")
    own = protocol.by_direction(arrays)["forward"]
    y = np.zeros_like(arrays["dy"])
    for t in range(case["time"]):
        z = arrays["x"][:, t] @ own["weight_ih"].T + own["bias"]
        y[:, t] = np.tanh(z + y[:, t - 1] @ own["weight_hh"].T if t else z)
    if {behaviour!r} == "wrong":
        y[0, -1, -1] += 0.001
    return {{"y": y}}, (lambda: os._exit(3)) if {behaviour!r} == "late crash" else (lambda: None)

serve(load)
"""


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Adds a peer to the known ones that behaves as told."""

    def make(behaviour):
        module = f"fake_peer_{behaviour.replace(' ', '_')}"
        (tmp_path / f"{module}.py").write_text(FAKE.format(behaviour=behaviour))
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setitem(peers.WORKERS, "fake", module)
        return "fake"

    return make


def rival(name, *cases):
    with peers.start([name], threads=3) as (present, missing):
        assert missing == {}
        rows = list(run(cases, present, {"float32": PEAK}, Effort(0.002, 2)))
    return [row.rivals[name] for row in rows], rows


SMALL = Case("simple_rnn", "infer", 3, 4, 5, 6)


def test_a_peer_that_agrees_is_timed(fake):
    (unlike, like), (_, row) = rival(fake("right"), Case("simple_rnn", "step", 3, 1, 5, 6), SMALL)
    assert (unlike.status, unlike.reason, unlike.timing) == ("unsupported", "not this one", None)
    assert like.status == "ok"
    assert like.difference < 1e-6
    assert row.ratio("fake") == like.timing.median / row.timing.median
    assert row.gflop_per_s == pytest.approx(operations(SMALL) / row.timing.median / 1e9)
    assert row.pct_of_peak == pytest.approx(row.gflop_per_s)  # of 100 GFLOP/s
    assert row.steps_per_s == pytest.approx(12 / row.timing.median)


def test_a_peer_that_disagrees_gets_no_time(fake):
    (found,), (row,) = rival(fake("wrong"), SMALL)
    assert (found.status, found.timing, row.ratio("fake")) == ("wrong", None, None)
    assert found.difference == pytest.approx(0.001 / np.abs(Workload(SMALL).results()["y"]).max(), rel=1e-2)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("error", "ValueError: no luck"),
        ("crash", "its process ended with exit code 3"),
        ("late crash", "it failed while it was timed"),
    ],
)
def test_a_peer_that_fails_says_why_and_spares_the_others(fake, behaviour, reason):
    (found,), (row,) = rival(fake(behaviour), SMALL)
    assert (found.status, found.reason, found.timing) == ("failed", reason, None)
    assert row.timing.median > 0


def test_the_worker_has_its_threads_and_no_engine(fake):
    with peers.start([fake("right")], threads=3) as (present, _):
        assert present[0].version == "Fake 3 3 False"


def test_a_peer_that_is_missing_says_why(fake):
    with peers.start([fake("missing")], threads=1) as (present, missing):
        assert (present, missing) == ([], {"fake": "there is no fake"})


@pytest.mark.peers
@pytest.mark.parametrize(
    ("name", "needs", "able"),
    [
        ("torch", "torch", {(cell, mode) for cell in CELLS[:3] for mode in MODES}),
        ("onnxruntime", "onnx", {(cell, mode) for cell in CELLS for mode in ("infer", "step")}),
    ],
)
def test_the_real_peers_agree(name, needs, able):
    for package in (name, needs):
        pytest.importorskip(package, reason=f"{package} is not installed")
    cases = [case for case in SMALL_CASES if case.dtype == "float32"]
    found, _ = rival(name, *cases)
    expected = ["ok" if (case.cell, case.mode) in able else "unsupported" for case in cases]
    assert [one.status for one in found] == expected, [one.reason for one in found]


# the command


@pytest.fixture
def bench(monkeypatch):
    """Run `seqkit bench` with a given peak and no peers, and check the exit code."""
    monkeypatch.setattr("seqkit.cli.bench.peak", lambda dtype: PEAK)
    monkeypatch.setattr("seqkit.cli.bench.QUICK", Effort(0.002, 2))

    def call(*arguments, against="none", code=0):
        command = ["bench", "--quick", "--against", against, *map(str, arguments)]
        result = CliRunner().invoke(main, command, prog_name="seqkit")
        assert result.exit_code == code, result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return call


TINY = ["--batch", 2, "--time", 3, "--features", 4, "--units", 5]


def test_json_is_one_document_with_consistent_figures(bench, fake):
    result = bench("--cell", "simple_rnn", "--cell", "gru", *TINY, "--threads", 1, "--json", against=fake("right"))
    document = json.loads(result.stdout)
    assert document["schema"] == "seqkit.bench/1"
    assert document["peak_GFLOP_per_s"] == {"float32": PEAK}
    assert document["peers"] == {"fake": "Fake 1 1 False"}
    assert document["environment"]["threads"] == 1
    assert document["environment"]["instruction_set"] == seqkit.isa
    assert document["environment"]["processor"]
    rows = {(row["cell"], row["mode"]): row for row in document["results"]}
    assert list(rows) == [(cell, mode) for cell in ("simple_rnn", "gru") for mode in ("infer", "train", "step")]
    row = rows["gru", "train"]
    assert [row[name] for name in ("batch", "time", "features", "units", "bidirectional", "dtype")] == [
        2, 3, 4, 5, False, "float32",
    ]  # fmt: skip
    needed = operations(Case("gru", "train", 2, 3, 4, 5))
    assert row["GFLOP_per_s"] * row["time_ms"] * 1e6 == pytest.approx(needed)
    assert row["pct_of_peak"] == pytest.approx(row["GFLOP_per_s"])
    assert row["steps_per_s"] * row["time_ms"] == pytest.approx(6e3)
    assert 0 <= row["max_error"] < 1e-5
    assert row["spread_pct"] >= 0
    assert row["samples"] >= 2
    assert row["peers"]["fake"] == {"status": "unsupported", "reason": "not this one"}
    theirs = rows["simple_rnn", "infer"]["peers"]["fake"]
    assert theirs["ratio"] == pytest.approx(theirs["time_ms"] / rows["simple_rnn", "infer"]["time_ms"])
    assert theirs["max_difference"] < 1e-6


def test_the_table(bench, fake):
    result = bench("--cell", "simple_rnn", "--cell", "lstm", *TINY, against=fake("wrong"))
    lines = result.stdout.splitlines()
    assert [line.split("  ")[0] for line in lines[:4]] == ["processor", "instruction set", "threads", "peak"]
    start = next(number for number, line in enumerate(lines) if line.startswith("cell "))
    assert lines[start].split() == [
        "cell", "mode", "B", "T", "I", "H", "time_ms", "spread_pct", "steps/s", "GFLOP/s", "pct_of_peak", "fake_ms",
        "fake_ratio",
    ]  # fmt: skip
    table = [line.split() for line in lines[start + 1 :]]
    assert [row[:6] for row in table] == [
        [cell, mode, "2", "1" if mode == "step" else "3", "4", "5"]
        for cell in ("simple_rnn", "lstm")
        for mode in ("infer", "train", "step")
    ]
    assert [row[-2:] for row in table] == [["wrong", "-"], *[["-", "-"]] * 5]
    assert {len(line) for line in lines[start:]} == {len(lines[start])}


def test_every_cell_is_measured_and_plugins_are_too(bench, monkeypatch, wide):
    monkeypatch.setitem(registry.BUILT_IN, "broken", "seqkit_no_such_module:Cell")
    result = bench("--mode", "infer", *TINY, "--json")
    assert {row["cell"] for row in json.loads(result.stdout)["results"]} >= {*CELLS, "wide"}
    assert "broken is left out: layer 'broken'" in result.stderr
    assert "seqkit_no_such_module" in result.stderr


def test_both_directions_and_float64(bench):
    result = bench("--cell", "lstm", *TINY, "--bidirectional", "--dtype", "float64", "--json")
    rows = json.loads(result.stdout)["results"]
    assert [(row["mode"], row["bidirectional"], row["dtype"]) for row in rows] == [
        ("infer", True, "float64"),
        ("train", True, "float64"),
    ]
    assert all(row["max_error"] < 1e-13 for row in rows)


def test_a_missing_peer_is_left_out_with_a_remark(bench, fake):
    result = bench("--cell", "gru", "--mode", "step", *TINY, against=fake("missing"))
    assert "fake is left out: there is no fake" in result.stderr
    assert "fake" not in result.stdout


def test_a_failing_peer_is_remarked(bench, fake):
    result = bench("--cell", "simple_rnn", "--mode", "infer", *TINY, against=fake("error"))
    assert "fake failed at simple_rnn infer B2 T3 I4 H5 float32: ValueError: no luck" in result.stderr
    assert result.stdout.split()[-2:] == ["failed", "-"]


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_a_wrong_result_gets_no_figures(bench, monkeypatch, as_json):
    monkeypatch.setattr(Workload, "results", lambda self: {"y": self.layer(self.x) + np.float32(0.01)})
    result = bench("--cell", "lstm", "--mode", "infer", *TINY, *as_json, code=1)
    assert "Error: lstm infer B2 T3 I4 H5 float32: outputs differ from the equations by" in result.stderr
    assert "lstm" not in result.stdout
    assert not (as_json and result.stdout)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cell", "ltsm"], "did you mean 'lstm'?"),
        (["--cell", "dense"], "'dense' is not a recurrent cell"),
        (["--mode", "fast"], "'fast' is not one of"),
        (["--batch", "0"], "0 is not in the range"),
        (["--mode", "step", "--bidirectional"], "exclude each other"),
        (["--dtype", "float16"], "'float16' is not one of"),
    ],
)
def test_wrong_usage(bench, arguments, message):
    assert message in bench(*arguments, code=2).output


def test_an_unknown_peer_is_wrong_usage(bench):
    assert "there is no peer 'jax'; choose from torch, onnxruntime" in bench(against="torch,jax", code=2).output


# the history of figures


@pytest.fixture
def suite(monkeypatch):
    """The modules that asv runs."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    for name in [name for name in sys.modules if name.partition(".")[0] == "benchmarks"]:
        monkeypatch.delitem(sys.modules, name)
    return {name: import_module(f"benchmarks.{name}") for name in ("common", "cells", "imports")}


def test_every_built_in_cell_has_benchmarks(suite):
    cells = sorted(name for name in registry.BUILT_IN if is_cell(name))
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
