"""Low precision: its definition, its bits, and the layers and models that have it.

``checks/low_precision.py`` has the definition on float64 arrays.
"""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checks.data import Data, fill
from checks.low_precision import ROUNDINGS, Rounding, assert_defined, bfloat16, int8

import seqkit
from seqkit import _core
from seqkit.equations import Cell, Parameter, matrix, sigmoid, tanh
from seqkit.errors import ConfigError, NotBuiltError
from seqkit.recurrent import Recurrent

PRECISIONS = ("bfloat16", "int8")
TOLERANCE = 3e-6


@seqkit.register("test_two_stages")
class TwoStages(Cell):
    """A product of a vector of the step, a declared matrix, and a state that nothing bounds."""

    gates, states = ("f", "n"), ("h", "m")

    def parameters(self) -> dict[str, Parameter]:
        return {"mix": matrix()}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        f = sigmoid(x.f + U.f @ s.h)
        gated = f * s.m
        n = tanh(x.n + U.n @ gated + p.mix @ s.h)
        return {"h": (1 - f) * s.h + f * n, "m": 2.5 * n + 0.75 * s.m}


def make(name: str, units: int, features: int, **options: Any) -> Any:
    layer = seqkit.create(name, units, return_sequences=True, **options).build(features, seed=0)
    return fill(layer)


def inputs(layer: Any, lengths: Any, seed: int = 1) -> tuple[np.ndarray, np.ndarray, Any]:
    data = Data.draw(layer, lengths, seed=seed)
    return data.x, data.lengths, data.state


# ---- the definition ------------------------------------------------------------------------------

# Cell, units, features, lengths, options; odd sizes leave parts of words, vectors and panels empty.
CASES: dict[str, tuple[str, int, int, list[int], dict[str, Any]]] = {
    "lstm": ("lstm", 50, 3, [4, 0, 7, 1, 7], {}),
    "lstm alone": ("lstm", 137, 9, [6], {"go_backwards": True}),
    "gru": ("gru", 17, 70, [3, 5] * 16 + [2], {}),
    "gru, no bias": ("gru", 33, 1, [5, 4], {"use_bias": False, "go_backwards": True}),
    "relu": ("simple_rnn", 5, 2, [6, 3, 1], {"activation": "relu"}),
    "peephole": ("peephole", 1, 1, [4, 2], {}),
    "two stages": ("test_two_stages", 50, 3, [4, 0, 7, 1, 7], {}),
    "two stages alone": ("test_two_stages", 71, 19, [5], {}),
}


def check_case(case: str, precision: str, weights: Rounding, operand: Rounding, layer: Any = None) -> None:
    name, units, features, lengths, options = CASES[case]
    layer = layer or make(name, units, features, **options).quantize(precision)
    assert_defined(layer, *inputs(layer, lengths), weights, operand, TOLERANCE)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("case", CASES)
def test_definition(case: str, precision: str) -> None:
    check_case(case, precision, ROUNDINGS[precision], ROUNDINGS[precision])


OTHER_KERNELS = [{"SEQKIT_ISA": isa} for isa in _core.supported_isas()[1:]] + [{"SEQKIT_PLAIN_DOT": "1"}]


@pytest.mark.parametrize("variables", OTHER_KERNELS, ids=lambda variables: "=".join(*variables.items()))
def test_other_kernels(variables: dict[str, str]) -> None:
    """The definition again where the processor had less."""
    selected = "definition or bits or special"
    run_with(variables, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", selected, __file__)


@pytest.mark.skipif(_core.isa == "base", reason="rounds a product and its sum apart")
def test_other_multiply_adds_give_the_same_bits() -> None:
    program = """
import hashlib
import numpy, seqkit
layer = seqkit.LSTM(45).build(30, seed=0)
x = numpy.random.default_rng(0).standard_normal((7, 20, 30), dtype="float32")
for precision in ("bfloat16", "int8"):
    print(hashlib.sha256(layer.quantize(precision)(x).tobytes()).hexdigest())
"""
    assert run_with({"SEQKIT_PLAIN_DOT": "1"}, "-c", program) == run_with({}, "-c", program)


def run_with(variables: dict[str, str], *arguments: str) -> str:
    """What a Python with these environment variables writes."""
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(seqkit.__file__).parents[1])])
    found = subprocess.run(
        [sys.executable, "-P", *arguments],
        env=os.environ | variables | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def test_numbers_of_the_definition() -> None:
    """Against numbers worked out by hand."""
    np.testing.assert_array_equal(bfloat16(np.array([1 + 2**-8, 1 + 3 * 2**-8, -3.0])), [1.0, 1 + 2**-6, -3.0])
    np.testing.assert_allclose(int8(np.array([[254.0, 3.1, -1.0], [0.0, 0.0, 0.0]])), [[254, 4, 0], [0, 0, 0]])


# ---- mutants of the definition and of the engine's weights -----------------------------------------


def truncated(rows: np.ndarray) -> np.ndarray:
    significand, exponent = np.frexp(rows.astype(np.float64))
    return np.ldexp(np.trunc(significand * 2**8), exponent - 8)


def of_the_batch(rows: np.ndarray) -> np.ndarray:
    """One scale for all rows."""
    return int8(rows.reshape(1, -1)).reshape(rows.shape)


def exact(rows: np.ndarray) -> np.ndarray:
    return rows.astype(np.float64)


MUTANTS: dict[str, tuple[str, Rounding, Rounding]] = {
    "operand not rounded": ("bfloat16", bfloat16, exact),
    "weights not rounded": ("bfloat16", exact, bfloat16),
    "rounded towards 0": ("bfloat16", truncated, truncated),
    "operand not quantized": ("int8", int8, exact),
    "weights not quantized": ("int8", exact, int8),
    "one scale for a matrix": ("int8", of_the_batch, int8),
    "the other precision": ("int8", bfloat16, bfloat16),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_definition_finds_other_definitions(mutant: str) -> None:
    with pytest.raises(AssertionError, match="away"):
        check_case("lstm", *MUTANTS[mutant])


def words(layer: Any) -> np.ndarray:
    """The packed weights of the first run, (panels, words, columns): scale, start, numbers."""
    layer.execution.packed(layer.params, layer.params.version)
    packed = layer.execution._packed.weights[0]
    run = layer.execution.layout.runs[0]
    numbers = layer.input_size if run.operand == "x" else layer.units
    width = layer.execution.layout.vectors * _core.lanes("float32")
    return packed.reshape(-1, 2 + -(-numbers // 4), len(run.terms) * width)


@pytest.mark.parametrize("what", ["scale of the neighbour", "start of the neighbour", "no start", "swapped words"])
def test_definition_finds_wrong_weights(what: str) -> None:
    name, units, features, _, options = CASES["gru"]
    layer = make(name, units, features, **options).quantize("int8")
    rows = words(layer)
    if what == "no start":
        rows[:, 1] = 0
    elif what == "swapped words":
        rows[:, [2, 3]] = rows[:, [3, 2]]
    else:
        number = int(what.startswith("start"))
        rows[:, number] = np.roll(rows[:, number], 1, axis=-1)
    with pytest.raises(AssertionError, match="away"):
        check_case("gru", "int8", int8, int8, layer)


# ---- bits ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", ["lstm", "gru", "test_two_stages"])
def test_bits_of_batch_padding_threads_and_streams(name: str, precision: str) -> None:
    layer = make(name, 90, 37).quantize(precision)
    x, lengths, state = inputs(layer, [9, 0, 23, 1, *[17] * 29])
    with seqkit.threads(1):
        expected = layer(x, lengths, state=state)
    poisoned = x.copy()
    poisoned[np.arange(x.shape[1]) >= lengths[:, None]] = np.nan
    for count in (2, 3, 5):
        with seqkit.threads(count):
            np.testing.assert_array_equal(layer(poisoned, lengths, state=state), expected)
    for rows in ([2], [4], [7, 0, 2], [3, 4, 5, 6, 7, 8, 9]):
        alone = layer(x[rows], lengths[rows], state=tuple(part[rows] for part in state))
        np.testing.assert_array_equal(alone, expected[rows])
    current = tuple(part[2:3] for part in state)
    for t in range(23):
        y, current = layer.step(x[2:3, t], current)
        np.testing.assert_array_equal(y, expected[2:3, t])


@pytest.mark.parametrize("precision", PRECISIONS)
def test_bits_of_a_team_of_threads(precision: str) -> None:
    """One sequence whose units are shared by threads."""
    layer = make("lstm", 800, 33).quantize(precision)
    x = np.random.default_rng(2).standard_normal((1, 60, 33), dtype=np.float32)
    with seqkit.threads(1):
        expected = layer(x)
    for count in (2, 3):
        with seqkit.threads(count):
            assert layer.plan(x.shape).threads == count
            np.testing.assert_array_equal(layer(x), expected)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_bits_of_pools_of_streams(precision: str) -> None:
    model = seqkit.Sequential([seqkit.create("test_two_stages", 21, input_shape=(None, 5)), seqkit.Dense(2)], seed=0)
    low = model.quantize(precision)
    x = np.random.default_rng(8).standard_normal((6, 12, 5), dtype=np.float32)
    streams = low.streams(capacity=6)
    ids = [streams.open() for _ in x]
    for t in range(12):
        y = streams.feed(ids, x[:, t])
    np.testing.assert_array_equal(y, low.predict(x))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_bits_of_stacked_layers(precision: str) -> None:
    """Layers that follow each other on threads of their own are what they are one by one."""
    layers = [seqkit.GRU(200, return_sequences=True, input_shape=(None, 40)), seqkit.LSTM(190)]
    model = seqkit.Sequential(layers, seed=0).quantize(precision)
    x = np.random.default_rng(7).standard_normal((1, 70, 40), dtype=np.float32)
    with seqkit.threads(1):
        expected = model.layers[1](model.layers[0](x))
    for count in (1, 2, 3):
        with seqkit.threads(count):
            np.testing.assert_array_equal(model.predict(x), expected)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_bits_of_two_directions(precision: str) -> None:
    """Each direction is what it is by itself."""
    both = seqkit.Bidirectional(seqkit.GRU(19, return_sequences=True)).build(5, seed=0)
    fill(both)
    low = both.quantize(precision)
    x, lengths, _ = inputs(both, [8, 3, 0, 5])
    y = low(x, lengths)
    np.testing.assert_array_equal(y[..., :19], both.forward_layer.quantize(precision)(x, lengths))
    flipped = low.backward_layer(x, lengths)
    for b, length in enumerate(lengths):
        np.testing.assert_array_equal(y[b, :length, 19:], flipped[b, :length][::-1])
    assert low.precision == precision


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_special_numbers_stay_in_their_sequence(value: float, precision: str) -> None:
    layer = make("gru", 20, 7).quantize(precision)
    x = np.random.default_rng(3).standard_normal((3, 6, 7), dtype=np.float32)
    clean = layer(x)
    x[1, 2, 6] = value
    y = layer(x)
    np.testing.assert_array_equal(y[[0, 2]], clean[[0, 2]])
    np.testing.assert_array_equal(y[1, :2], clean[1, :2])
    if np.isnan(value) or precision == "int8":
        assert np.isnan(y[1, 2:]).all()


@pytest.mark.parametrize("precision", PRECISIONS)
def test_special_scales(precision: str) -> None:
    """Rows of zeros, of tiny and of huge numbers, and a column without weights."""
    layer = make("simple_rnn", 9, 4, activation="linear")
    layer.params["weight_hh"], layer.params["bias"] = np.zeros((9, 9)), np.zeros(9)
    weight = layer.params["weight_ih"].copy()
    weight[3] = 0
    layer.params["weight_ih"] = weight
    x = np.random.default_rng(4).standard_normal((4, 1, 4), dtype=np.float32)
    x *= np.array([0, 1e-33, 1e-20, 1e37], np.float32)[:, None, None]
    y = layer.quantize(precision)(x)[:, 0]
    expected = ROUNDINGS[precision](x[:, 0]) @ ROUNDINGS[precision](weight).T
    np.testing.assert_allclose(y, expected, rtol=2e-5, atol=1e-36)
    assert not y[:, 3].any()
    assert y[2:].any()


@pytest.mark.parametrize("sign", [1, -1])
def test_special_sums_of_the_greatest_numbers(sign: int) -> None:
    """As many and as large as 32 bits can hold."""
    count = 2**17
    layer = seqkit.SimpleRNN(1, activation="linear", precision="int8").build(count, seed=0)
    layer.params["weight_ih"] = np.full((1, count), 2.0)
    assert layer(np.full((1, 1, count), 0.5 * sign, np.float32)).item() == pytest.approx(sign * count, rel=1e-6)
    with pytest.raises(ConfigError, match="more than 131072 products of int8 does not fit"):
        seqkit.SimpleRNN(1, precision="int8").build(count + 1)


# ---- layers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_layer_shares_its_parameters(precision: str) -> None:
    layer = make("lstm", 12, 4)
    low = layer.quantize(precision)
    x, lengths, _ = inputs(layer, [5, 2])
    assert type(low) is type(layer)
    assert (layer.precision, low.precision) == ("float32", precision)
    before = low(x, lengths)
    layer.params["bias"] = layer.params["bias"] + 1
    assert np.abs(low(x, lengths) - before).max() > 0.01
    np.testing.assert_array_equal(low.quantize("float32")(x, lengths), layer(x, lengths))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_copies_and_files(precision: str, tmp_path: Path) -> None:
    model = seqkit.Sequential([seqkit.create("test_two_stages", 20, input_shape=(None, 3)), seqkit.Dense(2)], seed=0)
    bidirectional = seqkit.Bidirectional(seqkit.LSTM(8, return_sequences=True))
    models = [model, seqkit.Sequential([bidirectional, seqkit.LastStep()], seed=1).build(3)]
    x = np.random.default_rng(5).standard_normal((4, 9, 3), dtype=np.float32)
    for whole in models:
        low = whole.quantize(precision)
        expected = low.predict(x)
        assert 0 < np.abs(expected - whole.predict(x)).max() < 0.1
        low.save(tmp_path / "low.safetensors")
        found = seqkit.load(tmp_path / "low.safetensors")
        assert found.layers[0].precision == precision
        for same in (found, copy.deepcopy(low)):
            np.testing.assert_array_equal(same.predict(x), expected)
        first = low.layers[0]
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(first))(x), first(x))


def test_a_model_shares_what_has_no_products() -> None:
    model = seqkit.Sequential([seqkit.GRU(5, input_shape=(4, 3)), seqkit.Dense(2)], seed=0)
    low = model.quantize("int8")
    assert low.layers[1] is model.layers[1]
    assert low.layers[0] is not model.layers[0]
    assert [layer.precision for layer in low.layers] == ["int8", "float32"]
    assert model.layers[0].precision == "float32"


def test_a_stateful_layer_keeps_its_own_state() -> None:
    layer = make("gru", 6, 3, stateful=True)
    x, _, _ = inputs(layer, [4, 4])
    layer(x)
    low = layer.quantize("bfloat16")
    first = low(x)
    assert np.abs(low(x) - first).max() > 1e-3
    low.reset_states()
    np.testing.assert_array_equal(low(x), first)


def test_the_plan_says_what_multiplies() -> None:
    layer = make("lstm", 32, 8)
    instructions = {low: layer.quantize(low).plan((4, 5, 8)) for low in PRECISIONS}
    assert [plan.precision for plan in instructions.values()] == list(PRECISIONS)
    assert all(f"{low} by {plan.instruction}" in str(plan) for low, plan in instructions.items())


def test_training_is_refused() -> None:
    layer = make("lstm", 4, 3).quantize("int8")
    x = np.zeros((1, 2, 3), np.float32)
    with pytest.raises(ConfigError, match=r"lstm: a layer of int8 is for inference; train the float32 layer"):
        layer.forward(x, training=True)
    model = seqkit.Sequential([seqkit.GRU(4, input_shape=(2, 3)), seqkit.Dense(1)], seed=0)
    model.compile("adam", "mse")
    with pytest.raises(ConfigError, match="bfloat16 is for inference"):
        model.quantize("bfloat16").fit(x, np.zeros((1, 1)))
    assert model.quantize("bfloat16").evaluate(x, np.zeros((1, 1))) >= 0


def test_wrong_precisions() -> None:
    layer = make("lstm", 4, 3)
    with pytest.raises(ConfigError, match="precision must be one of float32, bfloat16, int8, got 'int4'"):
        layer.quantize("int4")
    with pytest.raises(ConfigError, match="precision must be one of"):
        seqkit.LSTM(4, precision="half")
    with pytest.raises(ConfigError, match="int8 needs a layer of float32, this one is of float64"):
        seqkit.LSTM(4).build(3, dtype="float64").quantize("int8")
    with pytest.raises(ConfigError, match="int8 needs a layer of float32"):
        seqkit.LSTM(4, precision="int8").build(3, dtype="float64")
    with pytest.raises(NotBuiltError):
        seqkit.LSTM(4).quantize("int8")
    with pytest.raises(ConfigError, match="dense: precision must be one of"):
        seqkit.Dense(4).build(3).quantize("int9")


# ---- the report ----------------------------------------------------------------------------------


@pytest.mark.parametrize("ragged", [False, True])
def test_report_of_a_layer(ragged: bool) -> None:
    """The numbers of two calls, over valid steps only."""
    layer = make("gru", 24, 5, return_state=True)
    x, lengths, _ = inputs(layer, [9, 2, 0, 5])
    batch = [x[b, :n] for b, n in enumerate(lengths)] if ragged else x
    report = seqkit.precision_report(layer, "int8", batch, None if ragged else lengths)
    inside = np.arange(9) < lengths[:, None]
    y = layer(x, lengths, return_state=False)[inside].astype(np.float64)
    error = layer.quantize("int8")(x, lengths, return_state=False)[inside] - y
    assert (report.results, report.outputs, report.agreement) == (16, 24, None)
    np.testing.assert_allclose(report.max_error, np.abs(error).max(), rtol=1e-6)
    np.testing.assert_allclose(report.rms_error, np.sqrt((error**2).mean()), rtol=1e-6)
    np.testing.assert_allclose(report.relative_error, np.sqrt((error**2).mean() / (y**2).mean()), rtol=1e-6)
    assert str(report).startswith("gru in int8, 16 results of 24 numbers: largest error ")


def test_report_of_a_classifier() -> None:
    layers = [seqkit.LSTM(16, input_shape=(12, 3)), seqkit.Dense(60, activation="softmax")]
    model = seqkit.Sequential(layers, seed=0)
    x = np.random.default_rng(6).standard_normal((900, 12, 3), dtype=np.float32)
    report = seqkit.precision_report(model, "int8", x)
    same = model.predict(x).argmax(axis=1) == model.quantize("int8").predict(x).argmax(axis=1)
    assert report.agreement == same.mean()
    assert 0.9 < report.agreement < 1
    assert f"agrees in {100 * same.mean():.4g} %" in str(report)


def test_report_leaves_states_alone() -> None:
    layer = make("gru", 6, 3, stateful=True)
    x, _, _ = inputs(layer, [4, 4])
    layer(x)
    expected = copy.deepcopy(layer)(x)
    seqkit.precision_report(layer, "bfloat16", x)
    np.testing.assert_array_equal(layer(x), expected)


def test_report_of_nothing() -> None:
    with pytest.raises(ConfigError, match="no results to compare"):
        seqkit.precision_report(make("gru", 4, 3), "int8", np.zeros((2, 0, 3), np.float32))


def test_a_recurrent_layer_of_a_class_has_it_too() -> None:
    layer = fill(Recurrent(TwoStages, 11).build(2, seed=0))
    assert layer.quantize("int8").precision == "int8"
