"""Low precision: its definition and its bits.

``checks/low_precision.py`` has the definition on float64 arrays.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checks.low_precision import ROUNDINGS, Rounding, assert_defined, bfloat16, int8
from checks.low_subjects import PRECISIONS, inputs, make

import seqkit
from seqkit import _core
from seqkit.errors import ConfigError
from seqkit.testing.data import fill

TOLERANCE = 3e-6


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
    packed = layer.execution.packed(layer.params).runs[0]
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
