"""Peers of `seqkit bench`: what workers are told, what becomes of their results, where seqkit stands.  No test looks
at a speed."""

from __future__ import annotations

import math
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest

from seqkit.bench import peers
from seqkit.bench.cases import MODES, Case, grid
from seqkit.bench.figures import Rival, Row, standings
from seqkit.bench.limits import Bound
from seqkit.bench.report import standing_lines
from seqkit.bench.run import Effort, check, run
from seqkit.bench.timing import Timing
from seqkit.bench.workload import Workload

CELLS = ("simple_rnn", "lstm", "gru", "peephole")
INFERENCE = ("infer", "step", "streams")
SMALL = Case("simple_rnn", "infer", 3, 4, 5, 6)
BOUND = Bound(peak=100.0, bandwidth=50.0, operations=2_000_000, bytes=500_000)
LIMITS = SimpleNamespace(bound=lambda case: BOUND)


@pytest.fixture(autouse=True)
def no_processes(monkeypatch):
    """Memory is measured in a process for each case; here it would only take time."""
    monkeypatch.setattr("seqkit.bench.run.peak_memory", lambda case: 1.5)


def rival(name, *cases):
    with peers.start([name], threads=3) as (present, missing):
        assert missing == {}
        rows = list(run(check(cases), present, LIMITS, Effort(0.002, 2)))
    return [row.rivals[name] for row in rows], rows


def test_a_peer_that_agrees_is_timed(fake):
    (unlike, like), (_, row) = rival(fake("right"), Case("simple_rnn", "step", 3, 1, 5, 6), SMALL)
    assert (unlike.status, unlike.reason, unlike.timing) == ("unsupported", "not this one", None)
    assert like.status == "ok"
    assert like.difference < 1e-6
    ratios = np.divide(like.timing.round_medians, row.timing.round_medians)
    assert row.ratio("fake").value == pytest.approx(np.median(ratios))
    assert len(like.timing.rounds) == len(row.timing.rounds) == 2


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


def loops_over_time(case):
    """PyTorch's peephole LSTM is a module of its user's."""
    return (case.cell, case.directions, case.ragged) == ("peephole", 1, "none") and case.mode in ("infer", "train")


@pytest.mark.peers
@pytest.mark.parametrize(
    ("name", "needs", "able"),
    [
        ("torch", "torch", {(cell, mode) for cell in CELLS[:3] for mode in MODES}),
        ("onnxruntime", "onnx", {(cell, mode) for cell in CELLS for mode in INFERENCE}),
        ("openvino", "onnx", {(cell, mode) for cell in CELLS[:3] for mode in INFERENCE}),
        ("jax", "jax", {(cell, mode) for cell in CELLS for mode in MODES[:3]}),
        ("keras", "tensorflow", {(cell, mode) for cell in CELLS[:3] for mode in MODES[:3]}),
    ],
)
def test_the_real_peers_agree(name, needs, able):
    for package in (name, needs):
        pytest.importorskip(package, reason=f"{package} is not installed")
    sizes = {"batch": [3], "time": [5], "features": [4], "units": [6]}
    cases = grid(CELLS, **sizes, directions=[1, 2], ragged=["none", "uniform"])
    found, _ = rival(name, *cases)
    can = [(case.cell, case.mode) in able or (name == "torch" and loops_over_time(case)) for case in cases]
    expected = ["ok" if one else "unsupported" for one in can]
    assert [one.status for one in found] == expected, [one.reason for one in found]


@pytest.mark.peers
@pytest.mark.parametrize(
    ("name", "able"),
    [
        ("torch", {*product(CELLS[:3], ["bfloat16"]), *product(("lstm", "gru"), ["int8"])}),
        ("onnxruntime", {("lstm", "int8"), ("peephole", "int8")}),
        ("openvino", {*product(CELLS[:3], ["bfloat16"])}),
        ("jax", set()),
    ],
)
def test_the_real_peers_agree_in_low_precision(name, able):
    pytest.importorskip(name, reason=f"{name} is not installed")
    sizes = {"batch": [3], "time": [20], "features": [24], "units": [32]}
    cases = grid(CELLS, ["infer", "step"], **sizes, directions=[1, 2], precision=["bfloat16", "int8"])
    found, _ = rival(name, *cases)
    expected = ["ok" if (case.cell, case.precision) in able else "unsupported" for case in cases]
    assert [one.status for one in found] == expected, [(one.reason, one.difference) for one in found]


# figures


def timing_of(seconds):
    return Timing(tuple((second,) for second in seconds))


def row_of(case, seconds, rivals=None):
    return Row(case, 1e-7, BOUND, timing_of(seconds), 1.5, rivals or {})


def test_figures_by_hand():
    """8 sequences of 5 steps in 0.1 ms; 2 MFLOP at 100 GFLOP/s take 20 us, 500 kB at 50 GB/s take 10 us."""
    row = row_of(Case("lstm", "infer", 8, 5, 3, 4), [1e-4, 1e-4, 3e-4])
    assert row.sequences_per_s == pytest.approx(80_000)
    assert row.steps_per_s == pytest.approx(400_000)
    assert row.gflop_per_s == pytest.approx(20.0)
    assert row.gb_per_s == pytest.approx(5.0)
    assert (row.bound.name, row.pct_of_limit) == ("FMA", pytest.approx(20.0))


def test_facts_have_no_number_that_json_lacks():
    rivals = {"other": Rival("wrong", math.inf), "third": Rival("failed", math.nan, "no luck")}
    facts = row_of(SMALL, [1e-4], rivals).facts()
    assert facts["peers"] == {
        "other": {"status": "wrong", "max_difference": None},
        "third": {"status": "failed", "max_difference": None, "reason": "no luck"},
    }


def test_standing_says_where_seqkit_loses():
    cases = [Case("lstm", "infer", 1, 5, units, units) for units in (1, 2, 3, 4)]
    factors = [[2.0] * 6, [0.5] * 6, [0.8, 0.9, 0.9, 0.9, 0.9, 1.1]]
    rivals = [*(Rival("ok", timing=timing_of(factor)) for factor in factors), Rival("unsupported")]
    rows = [row_of(case, [1.0] * 6, {"other": one}) for case, one in zip(cases, rivals, strict=True)]
    (standing,) = standings(rows, ["other", "absent"])
    assert list(standing.ratios) == cases[:3]
    assert standing.mean == pytest.approx((2.0 * 0.5 * 0.9) ** (1 / 3))
    assert standing.worst == (cases[1], standing.ratios[cases[1]])
    assert list(standing.losses) == [cases[1], cases[2]]
    facts = standing.facts()
    assert [loss["case"]["units"] for loss in facts["losses"]] == [2, 3]
    assert (facts["losses"][1]["ratio_low"], facts["losses"][1]["ratio_high"]) == (0.8, 1.1)
    assert (facts["cases"], facts["faster"], facts["slower"], facts["worst"]["ratio"]) == (3, 1, 1, 0.5)
    assert list(standing_lines(standing)) == [
        "other: geometric mean 0.97 of 3 cases",
        "  seqkit is faster in 1, other in 1, undecided 1",
        f"  worst 0.50 (0.50-0.50): {cases[1]}",
        "  below 1:",
        f"    0.50 (0.50-0.50): {cases[1]}",
        f"    0.90 (0.80-1.10): {cases[2]} (undecided)",
    ]
