"""Layers and models in low precision, and the report of what it costs."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest
from checks.low_subjects import PRECISIONS, TwoStages, inputs, make

import seqkit
from seqkit.errors import ConfigError, NotBuiltError
from seqkit.recurrent import Recurrent
from seqkit.testing.data import fill

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
