"""`seqkit bench`: options, table, JSON, saved runs, exit codes.  No test looks at a speed."""

from __future__ import annotations

import json
import sys
from itertools import product

import numpy as np
import pytest
from click.testing import CliRunner

import seqkit
from seqkit import _core, registry
from seqkit.bench.cases import Case
from seqkit.bench.operations import bytes_read, operations
from seqkit.bench.run import Effort
from seqkit.bench.workload import Workload
from seqkit.cli import main

CELLS = ("simple_rnn", "lstm", "gru", "peephole")
PEAK, BANDWIDTH = 100.0, 50.0
TINY = ["--batch", 2, "--time", 3, "--features", 4, "--units", 5, "--threads", 1]


@pytest.fixture
def bench(monkeypatch, tmp_path):
    """Run `seqkit bench` with given limits and no peers, and check the exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_core, "fma_peak", lambda dtype, threads: PEAK)
    monkeypatch.setattr(_core, "read_bandwidth", lambda dtype, nbytes, threads: BANDWIDTH)
    monkeypatch.setattr("seqkit.bench.run.peak_memory", lambda case: 1.5)
    monkeypatch.setattr("seqkit.cli.bench.QUICK", Effort(0.004, 4))

    def call(*arguments, against="none", code=0):
        command = ["bench", "--quick", "--against", against, *map(str, arguments)]
        result = CliRunner().invoke(main, command, prog_name="seqkit")
        assert result.exit_code == code, result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return call


@pytest.fixture
def against_fake(fake, monkeypatch):
    """A fake peer that `--against` knows."""

    def make(behaviour):
        name = fake(behaviour)
        option = next(option for option in main.get_command(None, "bench").params if option.name == "against")
        monkeypatch.setattr(option.type.kind, "choices", [*option.type.kind.choices, name])
        return name

    return make


class Own(seqkit.Cell):
    """A cell that a program has registered."""

    name, gates, states = "own", ("h",), ("h",)

    def step(self, x, U, s, p):
        return {"h": self.activation(x.h + U.h @ s.h)}


def test_json_is_one_document_with_consistent_figures(bench, against_fake):
    result = bench("--cell", "simple_rnn,gru", *TINY, "--json", against=against_fake("right"))
    document = json.loads(result.stdout)
    assert document["schema"] == "seqkit.bench/2"
    assert document["limits"]["peaks"] == [{"precision": "float32", "threads": 1, "GFLOP_per_s": PEAK}]
    assert document["peers"] == {"fake": "Fake 1 1 False"}
    assert document["environment"]["instruction_set"] == seqkit.isa
    assert document["environment"]["processor"]
    assert document["effort"] == {"seconds": 0.004, "rounds": 4}
    rows = {(row["cell"], row["mode"]): row for row in document["results"]}
    assert list(rows) == list(product(("simple_rnn", "gru"), ("infer", "train", "step", "streams")))
    row = rows["gru", "train"]
    case = Case("gru", "train", 2, 3, 4, 5)
    assert {name: row[name] for name in vars(case)} == vars(case)
    assert row["GFLOP_per_s"] * row["time_ms"] * 1e6 == pytest.approx(operations(case))
    assert row["GB_per_s"] * row["time_ms"] * 1e6 == pytest.approx(bytes_read(case))
    assert (row["limit"], row["pct_of_limit"]) == ("FMA", pytest.approx(row["GFLOP_per_s"]))
    assert (row["peak_GFLOP_per_s"], row["bandwidth_GB_per_s"], row["peak_memory_MB"]) == (PEAK, BANDWIDTH, 1.5)
    assert row["steps_per_s"] * row["time_ms"] == pytest.approx(6e3)
    assert row["sequences_per_s"] * row["time_ms"] == pytest.approx(2e3)
    assert 0 <= row["max_error"] < 1e-5
    assert row["spread_pct"] >= 0
    assert row["samples"] >= len(row["round_ms"]) == 4
    assert "p99_ms" not in row
    assert rows["gru", "streams"]["p99_ms"] >= rows["gru", "streams"]["time_ms"]
    assert row["peers"]["fake"] == {"status": "unsupported", "reason": "not this one"}
    ours, theirs = rows["simple_rnn", "infer"], rows["simple_rnn", "infer"]["peers"]["fake"]
    ratios = sorted(np.divide(theirs["round_ms"], ours["round_ms"]))
    found = [theirs[name] for name in ("ratio_low", "ratio", "ratio_high", "confidence_pct")]
    assert found == pytest.approx([ratios[0], np.median(ratios), ratios[-1], 87.5])
    assert theirs["max_difference"] < 1e-6
    standing = document["standings"]["fake"]
    assert standing["geometric_mean_ratio"] == pytest.approx(theirs["ratio"])
    assert len(standing["losses"]) == (theirs["ratio"] < 1)


def test_a_peer_that_runs_none_of_the_cases_has_no_table(bench, against_fake):
    result = bench(*GRU, against=against_fake("right"))
    assert "fake is left out: it runs none of these cases" in result.stderr
    assert "beside" not in result.stdout


def test_the_tables(bench, against_fake):
    result = bench("--cell", "simple_rnn", "--cell", "lstm", *TINY, against=against_fake("wrong"))
    lines = result.stdout.splitlines()
    assert [line.split("  ")[0] for line in lines[:5]] == [
        "processor", "instruction set", "peak", "all cases", "sizes",
    ]  # fmt: skip
    assert lines[3].split(None, 2)[2] == "precision float32, threads 1, dirs 1, ragged none"
    own, beside = (number for number, line in enumerate(lines) if line.startswith("cell "))
    assert lines[own].split() == [
        "cell", "mode", "B", "T", "I", "H", "time_ms", "p99_ms", "spread_pct", "seq/s", "steps/s", "GFLOP/s", "GB/s",
        "limit", "pct_of_limit", "peak_MB",
    ]  # fmt: skip
    table = [line.split() for line in lines[own + 1 : own + 9]]
    axes = [
        [cell, mode, "2", "3" if mode in ("infer", "train") else "1", "4", "5"]
        for cell in ("simple_rnn", "lstm")
        for mode in ("infer", "train", "step", "streams")
    ]
    assert [row[:6] for row in table] == axes
    assert [row[-1] for row in table] == ["1.5"] * 8
    assert [row[7] == "-" for row in table] == [True, True, True, False] * 2
    assert {len(line) for line in lines[own : own + 9]} == {len(lines[own])}
    assert lines[beside].split() == ["cell", "mode", "B", "T", "I", "H", "time_ms", "fake_ms", "fake_ratio"]
    peers = [line.split() for line in lines[beside + 1 : beside + 9]]
    assert [row[:6] for row in peers] == axes
    assert [row[-2:] for row in peers] == [["wrong", "-"], *[["-", "-"]] * 7]
    assert "fake is wrong at simple_rnn infer B2 T3 I4 H5 float32, 1 thread: its result differs by" in result.stderr
    assert "geometric mean" not in result.stdout


def test_the_summary_names_the_losses(bench, against_fake):
    """The fake does nothing when it is timed, so nobody is faster."""
    result = bench("--cell", "simple_rnn", "--mode", "infer", *TINY, against=against_fake("right"))
    mean, faster, worst, below, loss = result.stdout.splitlines()[-5:]
    case = "simple_rnn infer B2 T3 I4 H5 float32, 1 thread"
    assert mean.startswith("fake: geometric mean 0.")
    assert faster == "  seqkit is faster in 0, fake in 1, undecided 0"
    assert worst.startswith("  worst 0.")
    assert below == "  below 1:"
    assert loss.startswith("    0.")
    assert case in worst
    assert case in loss


def test_axes_that_differ_are_columns(bench):
    result = bench(
        *("--cell", "gru", "--mode", "infer", "--batch", "2,3", "--time", 4, "--units", 5, "--threads", "1,2"),
        *("--directions", "1,2", "--ragged", "none,uniform", "--precision", "float32,float64"),
    )
    lines = result.stdout.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("cell "))
    assert lines[start].split()[:10] == [
        "cell", "mode", "precision", "threads", "dirs", "ragged", "B", "T", "I", "H",
    ]  # fmt: skip
    axes = [tuple(line.split()[2:7]) for line in lines[start + 1 :]]
    assert len(axes) == len(set(axes)) == 32
    assert [row[1] for row in axes] == ["1"] * 16 + ["2"] * 16


def test_a_case_is_measured_with_its_threads(bench, monkeypatch):
    seen, results = [], Workload.results
    monkeypatch.setattr(Workload, "results", lambda self: seen.append(_core.num_threads()) or results(self))
    bench("--cell", "gru", "--mode", "step", "--units", 4, "--threads", "1,3")
    assert seen == [1, 3, 1, 3]  # checked, then measured


def test_every_cell_is_measured_and_plugins_are_too(bench, monkeypatch):
    monkeypatch.setitem(registry._registered, "own", Own)
    monkeypatch.setitem(registry.BUILT_IN, "broken", "seqkit_no_such_module:Cell")
    result = bench("--mode", "infer", *TINY, "--json")
    assert {row["cell"] for row in json.loads(result.stdout)["results"]} >= {*CELLS, "own"}
    assert "broken is left out: layer 'broken'" in result.stderr
    assert "seqkit_no_such_module" in result.stderr


def test_a_missing_peer_is_left_out_with_one_remark(bench, against_fake):
    result = bench("--cell", "gru", "--mode", "step", "--threads", "1,2", against=against_fake("missing"))
    assert result.stderr.count("fake is left out: there is no fake") == 1
    assert "fake" not in result.stdout


def test_a_failing_peer_is_remarked(bench, against_fake):
    result = bench("--cell", "simple_rnn", "--mode", "infer", *TINY, against=against_fake("error"))
    assert "fake failed at simple_rnn infer B2 T3 I4 H5 float32, 1 thread: ValueError: no luck" in result.stderr
    assert result.stdout.split()[-2:] == ["failed", "-"]


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_a_wrong_result_gets_no_figures(bench, monkeypatch, as_json):
    """Not even the cases that are right and come first."""
    right = Workload.results
    wrong = {"lstm": np.float32(0.01), "gru": np.float32(0)}
    monkeypatch.setattr(Workload, "results", lambda self: {"y": right(self)["y"] + wrong[self.case.cell]})
    result = bench("--cell", "gru,lstm", "--mode", "infer", *TINY, *as_json, code=1)
    assert "Error: lstm infer B2 T3 I4 H5 float32, 1 thread: outputs differ from the equations by" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cell", "ltsm"], "did you mean 'lstm'?"),
        (["--cell", "lstm,dense"], "'dense' is not a recurrent cell"),
        (["--mode", "fast"], "'fast' is not one of"),
        (["--batch", "1,0"], "0 is not in the range"),
        (["--mode", "step", "--directions", "2"], "nothing is left to measure"),
        (["--mode", "step", "--ragged", "uniform"], "nothing is left to measure"),
        (["--precision", "float16"], "'float16' is not one of"),
        (["--against", "torch"], "auto and none cannot be combined"),
        (["--fail-above", "1.1"], "--fail-above needs --compare"),
        (["--compare", "nowhere.json"], "'nowhere.json' does not exist"),
    ],
)
def test_wrong_usage(bench, arguments, message):
    assert message in bench(*arguments, code=2).output


def test_an_unknown_peer_is_wrong_usage(bench):
    assert "'tensorflow' is not one of 'torch', 'onnxruntime'" in bench(against="torch,tensorflow", code=2).output


# saved runs

GRU = ["--cell", "gru", "--mode", "infer,step", *TINY]


@pytest.fixture
def saved(bench, tmp_path):
    """A saved run whose times, peak and environment can be changed."""
    bench(*GRU, "--save", "old.json")
    path = tmp_path / "old.json"

    def change(slower=1.0, peak=PEAK, **environment):
        document = json.loads(path.read_text())
        document["environment"] |= environment
        for row in document["results"]:
            row["round_ms"] = [time / slower for time in row["round_ms"]]
            row["peak_GFLOP_per_s"] = peak
        path.write_text(json.dumps(document))
        return document

    return change


def test_a_saved_run_is_what_json_prints(bench, tmp_path):
    printed = json.loads(bench(*GRU, "--save", "run.json", "--json").stdout)
    assert json.loads((tmp_path / "run.json").read_text()) == printed


def test_what_became_slower_gives_exit_code_3(bench, saved):
    saved(slower=1000.0)
    result = bench(*GRU, "--compare", "old.json", "--fail-above", 1.1, code=3)
    assert "slower than 1.1 times the old run: gru infer B2 T3 I4 H5 float32, 1 thread: " in result.stderr
    assert result.stderr.count("slower than") == 2
    lines = result.stdout.splitlines()
    start = next(number for number, line in enumerate(lines) if "new/old" in line)
    assert [line.split()[:2] for line in lines[start + 1 :]] == [["gru", "infer"], ["gru", "step"]]
    assert "differs" not in result.stdout


def test_what_became_faster_passes(bench, saved):
    saved(slower=0.001)
    assert "slower than" not in bench(*GRU, "--compare", "old.json", "--fail-above", 1.1).stderr


def test_without_a_limit_a_comparison_is_only_shown(bench, saved):
    saved(slower=1000.0)
    bench(*GRU, "--compare", "old.json")


def test_a_slower_machine_is_not_a_slower_seqkit(bench, saved):
    """Times are 1000 times as long, but so is an operation at the peak."""
    old = saved(slower=1000.0, peak=1e6 * PEAK, processor="another one")
    result = bench(*GRU, "--compare", "old.json", "--fail-above", 1.1, "--json")
    comparison = json.loads(result.stdout)["comparison"]
    assert [remark.partition(":")[0] for remark in comparison["remarks"]] == [
        "processor differs",
        "the measured peak is 0.00 of what it was; times change with it, normalised ratios do not",
    ]
    for change, new, before in zip(
        comparison["changes"], json.loads(result.stdout)["results"], old["results"], strict=True
    ):
        pairs = np.divide.outer(new["round_ms"], before["round_ms"])
        assert change["time"]["ratio"] == pytest.approx(np.median(pairs))
        assert change["normalised"]["ratio"] == pytest.approx(np.median(pairs) / 1e6)
        assert change["case"]["mode"] == new["mode"]


def test_only_cases_in_both_runs_are_compared(bench, saved):
    saved()
    result = bench("--cell", "gru,lstm", "--mode", "step", *TINY, "--compare", "old.json")
    assert "1 case(s) only in the old run, not compared" in result.stdout
    assert "1 case(s) only in the new run, not compared" in result.stdout


def test_nothing_in_common_fails(bench, saved):
    result = bench("--cell", "lstm", *TINY, "--compare", "old.json", code=1)
    assert "no case in common" in result.stderr
    assert "gru infer B2 T3 I4 H5 float32, 1 thread" in result.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "it is not JSON"),
        ('{"schema": "seqkit.bench/2"}', "incomplete (KeyError: 'results')"),
        ('{"schema": "seqkit.bench/1"}', "got 'seqkit.bench/1'"),
        ("[]", "got None"),
    ],
)
def test_a_file_that_is_no_run_is_refused_before_anything_is_measured(bench, tmp_path, content, message):
    (tmp_path / "old.json").write_text(content)
    result = bench(*GRU, "--compare", "old.json", code=1)
    assert message in result.stderr
    assert result.stdout == ""


# the picture


def test_plot_writes_a_picture(bench, tmp_path, against_fake):
    pytest.importorskip("matplotlib")
    arguments = ["--cell", "simple_rnn", "--mode", "infer,step", "--batch", "1,2", "--time", 3, "--units", "4,8"]
    bench(*arguments, "--plot", "out.png", against=against_fake("right"))
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_plot_without_matplotlib_fails_before_anything_is_measured(bench, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.backend_bases", None)
    result = bench(*GRU, "--plot", "out.png", code=1)
    assert "--plot needs matplotlib, which is missing; pip install 'seqkit[plot]'" in result.stderr
    assert result.stdout == ""
