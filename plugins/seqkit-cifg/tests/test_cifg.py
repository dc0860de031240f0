"""The cell against the conformance kit, against an LSTM with tied gates, and against what the paper says of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import seqkit
from seqkit.testing import parametrize_layer_checks

UNITS, FEATURES = 5, 3


@parametrize_layer_checks("cifg")
def test_conformance(check: Callable[[], None]) -> None:
    check()


def tied() -> tuple[seqkit.Recurrent, seqkit.Recurrent]:
    """A CIFG layer and an LSTM with the same weights whose input gate is 1 - f: sigmoid(-z) is 1 - sigmoid(z)."""
    layer, lstm = (
        seqkit.create(name, UNITS, return_sequences=True).build(FEATURES, seed=0, dtype="float64")
        for name in ("cifg", "lstm")
    )
    rng = np.random.default_rng(1)
    for name, array in layer.params.items():
        layer.params[name] = values = rng.normal(size=array.shape)
        f, g, o = np.split(values, 3)
        lstm.params[name] = np.concatenate([-f, f, g, o])
    return layer, lstm


def test_is_an_lstm_with_tied_gates() -> None:
    layer, lstm = tied()
    x = np.random.default_rng(2).normal(size=(4, 9, FEATURES))
    lengths = np.array([9, 4, 0, 1])
    (y, cache), (expected, lstm_cache) = layer.forward(x, lengths), lstm.forward(x, lengths)
    np.testing.assert_allclose(y, expected, rtol=0, atol=1e-14)

    dy = np.random.default_rng(3).normal(size=y.shape)
    dx, _ = layer.backward(dy, cache)
    expected_dx, _ = lstm.backward(dy, lstm_cache)
    np.testing.assert_allclose(dx, expected_dx, rtol=0, atol=1e-13)
    for name, grad in layer.grads.items():
        i, f, g, o = np.split(lstm.grads[name], 4)
        np.testing.assert_allclose(grad, np.concatenate([f - i, g, o]), rtol=0, atol=1e-12, err_msg=name)


def test_the_cell_stays_within_bounds() -> None:
    """A mean of values of tanh: |c| < 1 after any number of steps, which an LSTM's cell need not keep."""
    layer, lstm = tied()
    x = 5 * np.random.default_rng(4).normal(size=(8, 200, FEATURES))
    assert abs(layer.trace(x, ["c"])["c"]).max() < 1
    lstm.params["bias"] = np.repeat([5.0, 5.0, 1.0, 0.0], UNITS)
    assert abs(lstm.trace(x, ["c"])["c"]).max() > 1


def test_three_quarters_of_the_parameters_of_an_lstm() -> None:
    count, lstm = (
        sum(array.size for array in seqkit.create(name, UNITS).build(FEATURES).params.values())
        for name in ("cifg", "lstm")
    )
    assert 4 * count == 3 * lstm


def test_the_forget_gate_starts_open() -> None:
    bias = seqkit.create("cifg", UNITS).build(FEATURES).params["bias"]
    np.testing.assert_array_equal(bias, np.repeat([1.0, 0.0, 0.0], UNITS))
    closed = seqkit.create("cifg", UNITS, unit_forget_bias=False).build(FEATURES)
    assert not closed.params["bias"].any()
