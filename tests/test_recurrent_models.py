"""Models with real recurrent layers: the first program, exact gradients, lists, streams, files.

Legend: S samples, T time, F features.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqkit import GRU, LSTM, Bidirectional, Dense, LastStep, Sequential, create, threads
from seqkit.errors import ShapeError
from seqkit.training.optimizers import SGD

S, T, F = 7, 5, 3

Slope = Callable[[Callable[[], float], np.ndarray], np.ndarray]


def model(*layers: Any, optimizer: Any = "adam", loss: Any = "mse", **options: Any) -> Sequential:
    made = Sequential(layers, **{"seed": 0, "dtype": "float64", **options})
    made.compile(optimizer=optimizer, loss=loss)
    return made


def test_first_program() -> None:
    """The program everybody starts with."""
    timesteps, features = 10, 2
    rng = np.random.default_rng(0)
    X = rng.normal(size=(128, timesteps, features))
    y = X[:, -3:, 0].sum(axis=1)

    model = Sequential(seed=1)
    model.add(LSTM(50, input_shape=(timesteps, features)))
    model.add(Dense(1))
    model.compile(optimizer="adam", loss="mse")
    history = model.fit(X, y, epochs=20, verbose=0)

    assert model.layers[0].built
    assert len(history.history["loss"]) == 20
    assert history.history["loss"][-1] < 0.8 * history.history["loss"][0]
    assert model.predict(X, verbose=0).shape == (128, 1)
    assert model.evaluate(X, y, verbose=0) < history.history["loss"][0]


@pytest.mark.parametrize("name", ["lstm", "gru", "peephole", "simple_rnn"])
def test_one_step_of_gradient_descent(name: str, slope: Slope, ragged: Any) -> None:
    recurrent = create(name, 3, return_sequences=True)
    m = model(recurrent, Dense(2, "tanh"), LastStep(), Dense(1), optimizer=SGD(0.5)).build(F)
    y, weight = np.arange(S) / S, np.random.default_rng(1).uniform(size=S)
    options = {"sample_weight": weight, "lengths": ragged.lengths}
    x = ragged.pad(ragged.rows)
    before = {key: array.copy() for key, array in m.params.items()}

    def loss() -> float:
        with m.params.editing():  # the values have changed
            pass
        return m.evaluate(x, y, **options)

    with m.params.editing() as arrays:
        gradients = {key: slope(loss, array) for key, array in arrays.items()}
    m.fit(x, y, batch_size=S, **options)
    for key, array in m.params.items():
        np.testing.assert_allclose(array, before[key] - 0.5 * gradients[key], atol=1e-9, err_msg=key)
        assert (array != before[key]).any()


@pytest.mark.parametrize("merge", ["concat", "sum"])
def test_lists_batches_and_files(merge: str, tmp_path: Path, ragged: Any) -> None:
    def stacked() -> Sequential:
        both = Bidirectional(GRU(5, return_sequences=True), merge)
        return model(both, LSTM(20), Dense(3, "softmax"), dtype="float32", loss="mae")

    rows, y = ragged.rows, np.random.default_rng(2).dirichlet(np.ones(3), size=S)
    listed, array = stacked(), stacked()
    one = listed.fit(rows, y, batch_size=3, epochs=2)
    two = array.fit(ragged.pad(rows), y, batch_size=3, epochs=2, lengths=ragged.lengths)
    assert one.history == two.history
    expected = listed.predict(rows)
    for size in (1, 2, 5):
        np.testing.assert_array_equal(listed.predict(rows, batch_size=size), expected)
        np.testing.assert_array_equal(
            array.predict(ragged.pad(rows), batch_size=size, lengths=ragged.lengths), expected
        )
    listed.save(tmp_path / "model")
    again = Sequential.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict(rows), expected)
    for m in (listed, again):
        m.fit(rows, y, shuffle=False)
    for key, values in listed.params.items():
        np.testing.assert_array_equal(again.params[key], values)


def test_threads_do_not_change_training(ragged: Any) -> None:
    weights = []
    for count in (1, 2):
        with threads(count):
            m = model(LSTM(40, return_sequences=True, dropout=0.2), LSTM(24), Dense(1), dtype="float32")
            m.fit(ragged.rows, np.arange(S), batch_size=5, epochs=3)
            weights.append(dict(m.params))
    for key, values in weights[0].items():
        np.testing.assert_array_equal(weights[1][key], values)


def test_step_equals_the_sequence() -> None:
    m = model(LSTM(6, return_sequences=True), GRU(4), Dense(2)).build(F)
    x, state = np.random.default_rng(8).normal(size=(S, T, F)), None
    for t in range(T):
        y_t, state = m.step(x[:, t], state)
        np.testing.assert_array_equal(y_t, m.predict(x[:, : t + 1]))


def test_stateful_batches_make_one_long_sequence() -> None:
    carried = model(LSTM(4, stateful=True)).build(F)
    whole = model(LSTM(4)).build(F)
    for key, array in carried.params.items():
        whole.params[key] = array
    x = np.random.default_rng(8).normal(size=(2, 3 * T, F))
    parts = np.concatenate(np.split(x, 3, axis=1))  # (6, T, F)
    for _ in range(2):
        np.testing.assert_array_equal(carried.predict(parts, batch_size=2)[4:], whole.predict(x))
        carried.reset_states()


def test_forgotten_return_sequences() -> None:
    m = Sequential([LSTM(4), GRU(4)]).build(F)
    with pytest.raises(ShapeError, match=r"gru: .* Layer 0 \(lstm\) gives one vector .* return_sequences=True"):
        m.predict(np.ones((2, T, F)))


@pytest.mark.parametrize("activation", ["linear", "relu", "sigmoid", "tanh", "softmax"])
def test_copies_and_pickles_go_on_training(activation: str) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(S, T, F)), rng.normal(size=(S, 2))
    whole = model(LSTM(4, dropout=0.3), Dense(2, activation))
    whole.fit(x, y, batch_size=3, seed=1)
    others = copy.deepcopy(whole), pickle.loads(pickle.dumps(whole))
    expected = whole.fit(x, y, batch_size=3, epochs=2, seed=2).history["loss"]
    for other in others:
        assert other.fit(x, y, batch_size=3, epochs=2, seed=2).history["loss"] == expected
