"""`seqkit bench` and its peers: the protocol of workers, JSON, the table, exit codes.  No test looks at a speed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

import seqkit
from seqkit import registry
from seqkit.bench import peers
from seqkit.bench.cases import MODES, Case, grid, operations
from seqkit.bench.run import Effort, run
from seqkit.bench.workload import Workload
from seqkit.cli import main

CELLS = ("simple_rnn", "lstm", "gru", "peephole")
PEAK = 100.0

# peers

FAKE = """
import os, sys
import numpy as np
from seqkit.bench.peers.protocol import by_direction, serve

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
    print("what a library prints", flush=True)
    own = by_direction(arrays)["forward"]
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
    sizes = {"batch": [3], "time": [5], "features": [4], "units": [6]}
    cases = [case for both in (False, True) for case in grid(CELLS, **sizes, bidirectional=both)]
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


class Own(seqkit.Cell):
    """A cell that a program has registered."""

    name, gates, states = "own", ("h",), ("h",)

    def step(self, x, U, s, p):
        return {"h": self.activation(x.h + U.h @ s.h)}


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


def test_every_cell_is_measured_and_plugins_are_too(bench, monkeypatch):
    monkeypatch.setitem(registry._registered, "own", Own)
    monkeypatch.setitem(registry.BUILT_IN, "broken", "seqkit_no_such_module:Cell")
    result = bench("--mode", "infer", *TINY, "--json")
    assert {row["cell"] for row in json.loads(result.stdout)["results"]} >= {*CELLS, "own"}
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
