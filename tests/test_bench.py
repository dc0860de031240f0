"""Measuring: what is counted, what binds, what is refused.  No test looks at a speed."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

import seqkit
from seqkit import _core, registry
from seqkit.bench import check
from seqkit.bench.cases import Case, grid
from seqkit.bench.limits import Bound, Limits
from seqkit.bench.memory import peak_memory
from seqkit.bench.operations import bytes_read, count_products, operations, weight_bytes
from seqkit.bench.ragged import lengths_of
from seqkit.bench.ticks import TIMED, draw_ticks, play
from seqkit.bench.workload import Workload
from seqkit.equations import matrix, sigmoid, tanh
from seqkit.errors import CheckError, ConfigError

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
        ("gru", "streams", (3 * 15 + 3 * 25) / 2),  # of 2 streams, one makes a step
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
    time = 1 if mode in ("step", "streams") else 7
    assert operations(Case(cell, mode, 2, time, 3, 5)) == 2 * 2 * time * each
    assert operations(Case(cell, mode, 2, time, 3, 5, directions=2)) == 2 * (2 * 2 * time * each)


def test_operations_of_ragged_batches_are_those_of_the_sum_of_lengths():
    case = Case("lstm", "infer", 6, 40, 3, 5, ragged="uniform")
    assert 6 * 10 < case.lengths.sum() < 6 * 40
    assert case.steps == case.lengths.sum()
    assert operations(case) == 2 * int(case.lengths.sum()) * (60 + 100)


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


def test_grid_over_everything_else():
    axes = {"directions": [1, 2], "ragged": ["none", "uniform"], "precision": ["float32", "float64"], "threads": [2, 1]}
    cases = grid(["gru"], ["train", "step"], units=[6], **axes)
    assert len(set(cases)) == len(cases)
    train = [case for case in cases if case.mode == "train"]
    found = {(case.directions, case.ragged, case.precision, case.threads) for case in train}
    assert found == set(product(*axes.values()))
    assert len(train) == 16
    step = [case for case in cases if case.mode == "step"]  # neither directions nor lengths
    assert {(case.directions, case.ragged) for case in step} == {(1, "none")}
    assert len(step) == 4
    assert [case.threads for case in cases] == [2] * 10 + [1] * 10  # together: peers are started for each


def test_grid_without_sizes():
    cases = grid(CELLS)
    assert {case.cell for case in cases} == set(CELLS)
    assert {case.mode for case in cases} == {"infer", "train", "step", "streams"}
    assert all(case.features == case.units and (case.time == 1) == (case.mode in ("step", "streams")) for case in cases)
    assert {case.mode for case in grid(["lstm"], directions=[2])} == {"infer", "train"}
    (case,) = grid(["lstm"], ["step"], units=[9], precision=["float64"])
    assert case == Case("lstm", "step", 1, 1, 9, 9, precision="float64")


@pytest.mark.parametrize(("profile", "low", "mean"), [("uniform", 0.25, 0.625), ("long-tail", 0.0, 0.2)])
def test_profiles_of_lengths(profile, low, mean):
    lengths = lengths_of(profile, 4000, 1000)
    assert lengths.dtype == np.int64
    assert lengths[0] == lengths.max() == 1000
    assert 1 <= lengths.min() < 1000 * low + 20
    assert lengths.min() >= 1000 * low
    assert lengths.mean() == pytest.approx(1000 * mean, rel=0.05)
    assert np.array_equal(lengths, lengths_of(profile, 4000, 1000))
    assert lengths_of(profile, 5, 1).tolist() == [1] * 5


def test_ticks_are_halves_without_repetition():
    ticks, taken = draw_ticks(9, compared=5)
    assert ticks.shape == (5 + TIMED, 4)
    assert all(len(set(tick)) == 4 for tick in ticks.tolist())
    assert set(ticks.ravel()) == set(range(9))
    assert len({tuple(tick) for tick in ticks.tolist()}) > 60
    assert taken.tolist() == [sum(stream in tick for tick in ticks[:5].tolist()) for stream in range(9)]
    assert draw_ticks(1, compared=2)[0].ravel().tolist() == [0] * (2 + TIMED)


def test_ticks_are_played_in_the_order_of_each_stream():
    """A fake that remembers what it was given: a stream's k-th step reads its k-th input."""
    ticks, taken = draw_ticks(6, compared=4)
    x, y, seen = np.arange(24.0).reshape(6, 4, 1), np.zeros((6, 4, 1)), []
    run = play(lambda ids, x_t: seen.append(ids) or -x_t, ticks, x, y)
    inside = np.arange(4) < taken[:, None]
    assert np.array_equal(y, -x * inside[..., None])
    for _ in range(TIMED + 1):
        run()
    assert np.array_equal(seen, [*ticks, ticks[4]])


def test_no_profile_is_no_lengths():
    assert lengths_of("none", 3, 7).tolist() == [7] * 3
    assert Case("lstm", "infer", 3, 7, 4, 5).lengths is None


# what binds


def test_bytes_by_hand():
    """I = 3, H = 5: x weights of a gate 15, u weights 25, of 4 bytes; 8 in float64."""
    assert weight_bytes(Case("lstm", "infer", 2, 7, 3, 5)) == 4 * 4 * (15 + 25)
    assert weight_bytes(Case("gru", "infer", 2, 7, 3, 5, directions=2, precision="float64")) == 2 * 8 * 3 * (15 + 25)
    assert bytes_read(Case("lstm", "infer", 2, 7, 3, 5)) == 4 * 4 * (15 + 7 * 25)
    assert bytes_read(Case("lstm", "infer", 9, 7, 3, 5, ragged="uniform")) == 4 * 4 * (15 + 7 * 25)  # the longest
    assert bytes_read(Case("lstm", "train", 2, 7, 3, 5)) == 4 * 4 * (15 + 14 * 25)
    assert bytes_read(Case("gru", "streams", 64, 1, 3, 5)) == 4 * 3 * (15 + 25)
    assert bytes_read(Case("gru", "step", 2, 1, 3, 5, directions=2)) == 2 * 4 * 3 * (15 + 25)


def test_low_precision_reads_less_and_does_not_train():
    case = Case("lstm", "infer", 2, 7, 3, 5)
    for precision, share in (("bfloat16", 2), ("int8", 4)):
        low = replace(case, precision=precision)
        assert weight_bytes(low) * share == weight_bytes(case)
        assert bytes_read(low) * share == bytes_read(case)
        assert operations(low) == operations(case)
        assert low.dtype == "float32"
    cases = grid(["lstm"], units=[5], precision=["float32", "int8"])
    assert {(case.mode, case.precision) for case in cases} == {
        *((mode, "float32") for mode in ("infer", "train", "step", "streams")),
        *((mode, "int8") for mode in ("infer", "step", "streams")),
    }


def test_the_longer_of_computing_and_reading_binds():
    by_peak = Bound(peak=100.0, bandwidth=10.0, operations=4_000_000, bytes=100_000)  # 40 us, 10 us
    by_reading = Bound(peak=100.0, bandwidth=10.0, operations=400_000, bytes=100_000)  # 4 us, 10 us
    assert (by_peak.name, by_peak.seconds) == ("FMA", pytest.approx(40e-6))
    assert (by_reading.name, by_reading.seconds) == ("read", pytest.approx(10e-6))


def test_limits_are_probed_once_for_what_a_case_needs(monkeypatch):
    probes = []
    monkeypatch.setattr(_core, "fma_peak", lambda *given: probes.append(given) or 50.0)
    monkeypatch.setattr(_core, "read_bandwidth", lambda *given: probes.append(given) or 20.0)
    limits, case = Limits(), Case("lstm", "infer", 2, 7, 3, 5, precision="float64", threads=3)
    found = [limits.bound(one) for one in (case, case, replace(case, batch=9))]
    assert probes == [("float64", 3), ("float32", weight_bytes(case), 3)]
    assert found[0] == found[1] == Bound(50.0, 20.0, operations(case), bytes_read(case))
    assert limits.facts() == {
        "peaks": [{"precision": "float64", "threads": 3, "GFLOP_per_s": 50.0}],
        "bandwidths": [{"bytes": weight_bytes(case), "threads": 3, "GB_per_s": 20.0}],
    }


def test_peak_and_bandwidth_count_something():
    assert all(0 < _core.fma_peak(dtype, 1) < float("inf") for dtype in ("float32", "float64", "bfloat16", "int8"))
    for dtype, nbytes, threads in (("float32", 1, 1), ("float64", 5000, 3), ("float32", 3 << 20, 2)):
        assert 0 < _core.read_bandwidth(dtype, nbytes, threads) < float("inf")


def test_memory_grows_by_what_a_case_holds():
    """Input and output of 1 MB each in float64, and at most some more."""
    case = Case("simple_rnn", "infer", 10, 400, 32, 32, precision="float64")
    assert 2.0 < peak_memory(case) < 6.0
    assert peak_memory(replace(case, mode="train", batch=40)) > 4 * 2.0


def test_memory_of_a_cell_that_a_new_process_does_not_know(wide):
    assert peak_memory(Case("wide", "infer", 2, 3, 4, 5)) is None


# what is refused


SMALL_CASES = [
    case
    for options in ({}, {"directions": [2]}, {"precision": ["float64"]}, {"directions": [1, 2], "ragged": ["uniform"]})
    for case in grid(CELLS, batch=[3], time=[5], features=[4], units=[6], **options)
]


@pytest.mark.parametrize("case", SMALL_CASES, ids=str)
def test_right_results_pass(case):
    workload = Workload(case)
    workload.run()
    assert check.verify(workload, workload.results()) < 1e-5


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("directions", [1, 2])
def test_low_precision_is_low_and_passes(cell, directions, precision):
    for case in grid([cell], ["infer", "step"], units=[64], directions=[directions], precision=[precision]):
        workload = Workload(case)
        workload.run()
        assert workload.layer.precision == precision or directions == 2
        error = check.verify(workload, workload.results())
        assert 1e-4 < error < check.TOLERANCE[precision] / 2


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_gates_in_the_wrong_order_are_refused_in_low_precision(precision):
    workload = Workload(Case("gru", "infer", 3, 20, 16, 32, precision=precision))
    with workload.layer.params.editing() as arrays:
        arrays["weight_hh"][...] = np.roll(arrays["weight_hh"], 32, axis=0)
        results = workload.results()
    with workload.layer.params.editing() as arrays:
        arrays["weight_hh"][...] = np.roll(arrays["weight_hh"], -32, axis=0)
    with pytest.raises(CheckError, match="outputs differ"):
        check.verify(workload, results)


@pytest.mark.parametrize("place", [(0, 0, 0), (2, 4, 5)])
@pytest.mark.parametrize("wrong", [1e-3, np.nan, np.inf])
def test_wrong_outputs_are_refused(place, wrong):
    workload = Workload(Case("gru", "infer", 3, 5, 4, 6))
    results = workload.results()
    results["y"][place] += wrong
    with pytest.raises(CheckError, match="gru infer B3 T5 I4 H6 float32, 1 thread: outputs differ from the equations"):
        check.verify(workload, results)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("ragged", ["none", "uniform"])
@pytest.mark.parametrize("name", ["weight_ih", "weight_hh", "bias", "bias_hn"])
@pytest.mark.parametrize("spoil", [lambda grad: 0 * grad, lambda grad: 1.01 * grad, lambda grad: grad * np.nan])
def test_a_wrong_gradient_is_refused(monkeypatch, precision, ragged, name, spoil):
    workload = Workload(Case("gru", "train", 3, 5, 4, 6, precision=precision, ragged=ragged))
    results, right = workload.results(), workload.gradients
    key = f"forward.{name}"
    monkeypatch.setattr(workload, "gradients", lambda dy: right(dy) | {key: spoil(right(dy)[key])})
    with pytest.raises(CheckError, match="gradients differ from the equations"):
        check.verify(workload, results)


def test_gradients_that_are_all_zero_are_refused(monkeypatch):
    workload = Workload(Case("lstm", "train", 3, 5, 4, 6))
    results, right = workload.results(), workload.gradients
    monkeypatch.setattr(workload, "gradients", lambda dy: {name: 0 * grad for name, grad in right(dy).items()})
    with pytest.raises(CheckError, match="gradients differ"):
        check.verify(workload, results)


def test_training_packs_the_weights_every_time():
    for directions in (1, 2):
        workload = Workload(Case("lstm", "train", 3, 5, 4, 6, directions))
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
