"""Dropout, zoneout, weight dropout and learned initial states: masks against Philox in NumPy, layers against the
reference given the masks, and what masks must not depend on."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checks import CHECKS
from checks.philox import factors, philox, uniform
from checks.subjects import REGULARIZED, maker

import seqkit
from seqkit import _core
from seqkit._core import noise
from seqkit.equations import run_reference
from seqkit.errors import ConfigError
from seqkit.layers.dropout import Dropout
from seqkit.masks import INPUT, RECURRENT, WEIGHT, ZONEOUT
from seqkit.testing.data import Data, assert_close, assert_same_bits, run

SEED = 0x9E3779B97F4A7C15  # all 64 bits matter
RNG = np.random.default_rng(0)

# ---- the generator ------------------------------------------------------------------------------

# Random123, kat_vectors: philox4x32 with 10 rounds; counter, key, result.
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def words(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize("known", KNOWN)
def test_known_answers(known: tuple[str, str, str]) -> None:
    counter, key, expected = map(words, known)
    assert [int(word) for word in philox(counter, key)] == expected
    block, time, *row = counter
    if row[1] < 2**31 and block < 2**31:  # rows and groups of the engine are signed
        found = noise.numbers(key[0] | key[1] << 32, row[0] | row[1] << 32, time, block // 16)
        assert found[block % 16 :: 16].tolist() == expected


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(1, 1), (3, 64), (5, 200), (2, 1030)])
def test_masks_are_those_of_the_counters(shape: tuple[int, int], dtype: str) -> None:
    rows, units = shape
    first = 2**32 - 2  # the row number passes 32 bits
    found = _core.draw(_core.Noise(SEED, 3, 0.3), first, 7, shape, dtype)
    expected = factors(SEED, 3, 0.3, first + np.arange(rows), [7], units)[:, 0]
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, expected.astype(dtype))


def test_numbers_look_independent() -> None:
    """Mean, variance, and correlations along rows, times, units and streams, of a million numbers."""
    shape = (20, 50, 1000)
    rows, times, units = np.ogrid[tuple(map(slice, shape))]
    u, other = (uniform(SEED, stream, rows, times, units) / 2**32 for stream in (0, 1))
    deviation = 1 / np.sqrt(u.size)
    assert abs(u.mean() - 0.5) < 4 * deviation / np.sqrt(12)
    assert abs(u.var() - 1 / 12) < 4 * deviation / np.sqrt(180)
    centred = (u - 0.5) * np.sqrt(12)
    pairs = [(centred[1:], centred[:-1]), (centred[:, 1:], centred[:, :-1])]
    pairs += [(centred[..., n:], centred[..., :-n]) for n in (1, 4, 16, 64)]
    pairs.append((centred, (other - 0.5) * np.sqrt(12)))
    for a, b in pairs:
        assert abs((a * b).mean()) < 4.5 / np.sqrt(a.size)


@pytest.mark.parametrize("rate", [0.0, 1e-9, 0.05, 0.5, 1 - 2**-53])
def test_rates(rate: float) -> None:
    mask = _core.draw(_core.Noise(1, 0, rate), 0, 0, (100, 1000), "float64")
    assert set(np.unique(mask)) <= {0.0, 1 / (1 - rate)}
    assert abs((mask == 0).mean() - rate) < 4 * np.sqrt(rate * (1 - rate) / mask.size) + 1e-9


# ---- recurrent layers against the reference, given the masks --------------------------------------

OPTIONS = {"dropout": 0.3, "recurrent_dropout": 0.4, "weight_dropout": 0.25, "zoneout": {"h": 0.2, "c": 0.5}}


def without_c(options: dict[str, Any], cell: str) -> dict[str, Any]:
    return options if cell == "lstm" else options | {"zoneout": 0.2}


def expected_outputs(layer: Any, data: Data, first_row: int, backwards: bool) -> np.ndarray:
    """The reference on weights thinned by the masks of every row, (B, T, H)."""
    units, features = layer.units, layer.input_size
    batch, time, _ = data.x.shape
    rows = first_row + np.arange(batch)
    thinned = factors(SEED, WEIGHT, layer.weight_dropout, [first_row], [0], layer.params["weight_hh"].size)
    weight = layer.params["weight_hh"] * thinned.reshape(layer.params["weight_hh"].shape)
    inputs = factors(SEED, INPUT, layer.dropout, rows, [0], features)[:, 0]
    recurrent = factors(SEED, RECURRENT, layer.recurrent_dropout, rows, [0], units)[:, 0]
    rates = layer.zoneout if isinstance(layer.zoneout, dict) else dict.fromkeys(layer.cell.states, layer.zoneout)
    y = np.zeros((batch, time, units))
    for b in range(batch):
        length = int(data.lengths[b])
        kept = {}
        for n, state in enumerate(layer.cell.states):
            new = factors(SEED, ZONEOUT + n, rates[state], [rows[b]], range(length), units, scale=1.0)
            kept[state] = 1 - (new[:, ::-1] if backwards else new)
        params = dict(layer.params) | {
            "weight_ih": layer.params["weight_ih"] * inputs[b],
            "weight_hh": weight * recurrent[b],
        }
        one, state = data.x[b : b + 1, :length], tuple(s[b : b + 1] for s in data.state)
        y[b : b + 1, :length], _ = run_reference(layer.cell, params, one, None, state, backwards, kept)
    return y


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("cell", ["lstm", "gru", "simple_rnn"])
def test_layers_given_the_masks(cell: str, backwards: bool) -> None:
    layer = maker(cell, 18, 5, go_backwards=backwards, **without_c(OPTIONS, cell))("float64")
    layer.restore_random_state({"seed": SEED, "row": 2**32 - 3})
    data = Data.draw(layer)
    y, _ = layer.forward(data.x, data.lengths, data.state, training=True)
    expected = expected_outputs(layer, data, 2**32 - 3, backwards)
    for b, length in enumerate(data.lengths):
        found = y[b, :length][::-1] if backwards else y[b, :length]  # outputs come in the order of reading
        assert_close(found, expected[b, :length], 1e-12, f"sequence {b}")
    assert layer.random_state() == {"seed": SEED, "row": 2**32 - 3 + len(data.x)}


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_zoneout_in_inference_is_the_expectation(cell: str) -> None:
    rates = {"h": 0.2, "c": 0.5} if cell == "lstm" else {"h": 0.2}
    layer = maker(cell, 18, 5, zoneout=rates)("float64")
    data = Data.draw(layer)
    y, cache = layer.forward(data.x, data.lengths, data.state, training=False)
    expected, final = run_reference(layer.cell, layer.params, data.x, data.lengths, data.state, zoneout=rates)
    assert_close(y, expected, 1e-12, "y")
    y_t, state = layer.step(data.x[:, 0], data.state)
    one, after = run_reference(layer.cell, layer.params, data.x[:, :1], None, data.state, zoneout=rates)
    assert_close(y_t, one[:, 0], 1e-12, "step")
    for found, wanted in [*zip(cache.state, final, strict=True), *zip(state, after, strict=True)]:
        assert_close(found, wanted, 1e-12, "state")


@pytest.mark.parametrize("name", list(REGULARIZED))
@pytest.mark.parametrize(
    "check",
    [
        "check_gradients",
        "check_gradients_in_single_precision",
        "check_gradients_accumulate",
        "check_without_input_gradient",
        "check_nan_in_padding",
        "check_more_padding",
        "check_threads",
        "check_layout",
        "check_inputs_are_kept",
    ],
)
def test_checks(check: str, name: str) -> None:
    CHECKS[check](REGULARIZED[name])


# ---- what masks must not depend on ----------------------------------------------------------------


def trained(layer: Any, data: Data) -> dict[str, np.ndarray]:
    layer.restore_random_state({"seed": SEED, "row": 40})
    return run(layer, data)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_batches_of_any_size_draw_the_same(cell: str) -> None:
    options = without_c(OPTIONS, cell) | {"weight_dropout": 0.0}
    layer = maker(cell, 20, 5, **options)("float32")
    data = Data.draw(layer, RNG.permutation(32) % 9)
    whole = trained(layer, data)
    layer.restore_random_state({"seed": SEED, "row": 40})
    parts = [
        layer.forward(part.x, part.lengths, part.state)
        for part in (data.rows(range(n, n + 8)) for n in range(0, 32, 8))
    ]
    for n, (y, _) in enumerate(parts):
        np.testing.assert_array_equal(y, whole["y"][8 * n : 8 * n + 8, : y.shape[1]])


@pytest.mark.parametrize("name", list(REGULARIZED))
def test_segments_of_time_draw_the_same(name: str) -> None:
    """A pass in segments has the bits of one over the whole time, gradients included."""
    whole = REGULARIZED[name]("float32")
    data = Data.draw(whole, np.array([99, 3, 0, 70, 99, 42, 95, 88]))
    cut = REGULARIZED[name]("float32", checkpoint=10)
    assert cut.forward(data.x, data.lengths)[1].direction.segments > 3
    assert_same_bits(run(cut, data), run(whole, data), "segments")


def test_a_single_sequence_on_two_threads() -> None:
    """Threads that share the units of one row draw each its own."""
    layer = seqkit.LSTM(256, zoneout=0.3, return_sequences=True).build(8, seed=0)
    x = RNG.standard_normal((1, 50, 8), dtype=np.float32)
    outputs = []
    for threads in (1, 2):
        layer.restore_random_state({"seed": 1, "row": 0})
        with seqkit.threads(threads):
            y, cache = layer.forward(x)
            layer.zero_grads()
            dx, _ = layer.backward(np.ones_like(y), cache)
        outputs.append({"y": y, "dx": dx} | {name: grad.copy() for name, grad in layer.grads.items()})
    assert_same_bits(outputs[1], outputs[0], "threads")


def test_copies_and_pickles_go_on_with_the_same_numbers() -> None:
    layer = seqkit.Bidirectional(seqkit.LSTM(6, dropout=0.3, zoneout=0.3, return_sequences=True)).build(4, seed=0)
    x = RNG.standard_normal((3, 5, 4), dtype=np.float32)
    layer.forward(x)
    others = [copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))]
    fresh = seqkit.Bidirectional(seqkit.LSTM(6, dropout=0.3, zoneout=0.3, return_sequences=True)).build(4, seed=0)
    fresh.restore_random_state(layer.random_state())
    assert layer.random_state()["backward.row"] == 3
    assert layer.random_state()["backward.seed"] != layer.random_state()["forward.seed"]
    expected = layer.forward(x)[0]
    for other in [*others, fresh]:
        np.testing.assert_array_equal(other.forward(x)[0], expected)


def test_saved_models_go_on_with_the_same_numbers(tmp_path: Path) -> None:
    layers = [seqkit.GRU(4, zoneout=0.3, return_sequences=True), seqkit.Dropout(0.5), seqkit.Dense(1)]
    model = seqkit.Sequential(layers, seed=0).build(3)
    x = RNG.standard_normal((2, 5, 3), dtype=np.float32)
    model.forward(x)
    model.save(tmp_path / "model")
    loaded = seqkit.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.forward(x)[0], model.forward(x)[0])


def test_layers_without_masks_have_no_random_state() -> None:
    assert seqkit.LSTM(3, initial_state="learned").build(2).random_state() == {}
    assert seqkit.Dense(3).build(2).random_state() == {}


# ---- learned initial states ------------------------------------------------------------------------


def test_learned_states_are_where_sequences_start() -> None:
    layer = maker("lstm", 7, 4, initial_state="learned")("float64")
    data = Data.draw(layer)
    start = tuple(np.tile(layer.params[f"initial_{state}"], (len(data.x), 1)) for state in ("h", "c"))
    expected, _ = run_reference(layer.cell, layer.params, data.x, data.lengths, start)
    y, cache = layer.forward(data.x, data.lengths)
    assert_close(y, expected, 1e-12, "y")
    _, dstate = layer.backward(data.dy, cache)
    for state, gradient in zip(("h", "c"), dstate, strict=True):
        assert_close(layer.grads[f"initial_{state}"], gradient.sum(axis=0), 1e-12, state)
    layer.zero_grads()
    layer.backward(data.dy, layer.forward(data.x, data.lengths, data.state)[1])
    assert (layer.grads["initial_h"] == 0).all()  # not used where a state is given
    y_t, _ = layer.step(data.x[:, 0])
    np.testing.assert_array_equal(y_t, layer.step(data.x[:, 0], start)[0])
    streams = layer.streams(2)
    stream = streams.open()
    np.testing.assert_array_equal(streams.feed([stream], data.x[:1, 0]), y_t[:1])
    values = layer.trace(data.x, ["c"], data.lengths)["c"]
    assert_close(values[0, 0], layer.step(data.x[:, 0], start)[1][1][0], 1e-12, "trace")


def test_learned_states_are_learned() -> None:
    model = seqkit.Sequential([seqkit.GRU(4, initial_state="learned"), seqkit.Dense(1)], seed=0)
    model.compile(optimizer="adam", loss="mse")
    model.fit(RNG.normal(size=(32, 5, 2)), RNG.normal(size=32), epochs=2, verbose=0)
    assert (model.layers[0].params["initial_h"] != 0).all()


# ---- options ---------------------------------------------------------------------------------------


def test_config_goes_round() -> None:
    layer = seqkit.LSTM(3, zoneout={"c": 0.5}, weight_dropout=0.2, initial_state="learned")
    again = seqkit.LSTM(**layer.config())
    assert again.config() == layer.config()
    assert (again.zoneout, again.weight_dropout, again.initial_state) == ({"c": 0.5}, 0.2, "learned")
    low = layer.build(4, seed=0).quantize("bfloat16")
    assert low.zoneout == {"c": 0.5}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"zoneout": 1.0}, "lstm: zoneout must be a number of at least 0 and below 1, got 1.0"),
        ({"zoneout": {"z": 0.1}}, "lstm: zoneout names 'z', which is no state of the cell; it has h, c"),
        ({"weight_dropout": -0.1}, "lstm: weight_dropout must be a number of at least 0"),
        ({"initial_state": "learnt"}, "lstm: initial_state named 'learnt'; did you mean 'learned'"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        seqkit.LSTM(3, **options)


# ---- the dropout layer -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("noise_shape", "axes"), [(None, ()), ((None, 1, None), (1,)), ((None, None, 1), (2,)), ((None, 1, 1), (1, 2))]
)
def test_dropout_given_the_mask(noise_shape: Any, axes: tuple[int, ...], dtype: str) -> None:
    features = 1100  # more than a piece
    layer = Dropout(0.4, SEED, noise_shape).build(features, dtype=dtype)
    layer.restore_random_state({"seed": SEED, "row": 5})
    x, dy = (RNG.standard_normal((4, 6, features)).astype(dtype) for _ in range(2))
    lengths = np.array([6, 0, 3, 5])
    y, cache = layer.forward(x, lengths)
    dx, _ = layer.backward(dy, cache)
    times, units = [0] * 6 if 1 in axes else range(6), 1 if 2 in axes else features
    mask = np.broadcast_to(factors(SEED, 0, 0.4, range(5, 9), times, units), x.shape).astype(dtype)
    mask = mask * (np.arange(6) < lengths[:, None])[..., None]
    np.testing.assert_array_equal(y, x * mask)
    np.testing.assert_array_equal(dx, dy * mask)


def test_dropout_of_batches_and_threads() -> None:
    x = np.ones((32, 40, 300), np.float32)
    whole, parts = (Dropout(0.5, seed=3).build(300) for _ in range(2))
    y, _ = whole.forward(x)
    np.testing.assert_array_equal(np.concatenate([parts.forward(x[n : n + 8])[0] for n in range(0, 32, 8)]), y)
    whole.restore_random_state({"seed": 3, "row": 0})
    with seqkit.threads(1):
        np.testing.assert_array_equal(whole.forward(x)[0], y)


@pytest.mark.parametrize("noise_shape", [(1, None, None), (None, 2, None), (None, 1), (None, None, None, 1)])
def test_wrong_noise_shapes(noise_shape: Any) -> None:
    with pytest.raises(ConfigError, match="dropout: noise_shape must be"):
        Dropout(0.5, noise_shape=noise_shape)


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, True])
def test_wrong_seeds(seed: Any) -> None:
    with pytest.raises(ConfigError, match="dropout: seed must be an integer"):
        Dropout(0.5, seed=seed)
