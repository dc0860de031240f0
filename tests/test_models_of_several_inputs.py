"""Sequential whose first layer has several inputs: fit, evaluate, predict, files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import seqkit
from seqkit.errors import ConfigError, NonFiniteError, ShapeError
from seqkit.sequences import pad

RNG = np.random.default_rng(4)
IDS = [RNG.integers(0, 9, n) for n in (3, 5, 1, 4, 2, 5, 3)]
X = [RNG.normal(size=(n, 2)).astype(np.float32) for n in (6, 2, 4, 7, 1, 3, 3)]
Y = np.array([0, 1, 1, 0, 2, 1, 0])
STEPS = [RNG.normal(size=(len(row), 1)).astype(np.float32) for row in X]


def model() -> seqkit.Sequential:
    """Ids beside numbers, of lengths of their own; a class for both together."""
    nodes = {
        "vectors": (seqkit.Embedding(9, 4), "ids"),
        "a": seqkit.LSTM(5),
        "b": (seqkit.GRU(5), "x"),
        "both": (seqkit.Concatenate(), "a", "b"),
    }
    made = seqkit.Sequential([seqkit.Graph(nodes, inputs=("ids", "x")), seqkit.Dense(3, activation="softmax")], seed=3)
    made.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
    return made


def stepwise() -> seqkit.Sequential:
    """Two sequences of the same steps, and a number for every step."""
    nodes = {
        "b": (seqkit.GRU(5, return_sequences=True), "x"),
        "c": (seqkit.Dense(5), "z"),
        "both": (seqkit.Add(), "b", "c"),
    }
    made = seqkit.Sequential([seqkit.Graph(nodes, inputs=("z", "x")), seqkit.Dense(1)], seed=3)
    made.compile("adam", "mse")
    return made


def test_an_update_is_that_of_the_layers_by_hand() -> None:
    """One batch: the loss and every gradient are those of forward and backward on padded arrays."""
    one = model()
    one.compile("sgd", "sparse_categorical_crossentropy")
    one.build((1, 2))
    before = {name: value.copy() for name, value in one.params.items()}
    ids, id_lengths = pad(IDS, "ids")
    x, lengths = pad(X, "x")
    y, caches = one.forward((ids, x), (id_lengths, lengths))
    loss, dy = one.loss(Y, y)
    one.zero_grads()
    one.backward(dy, caches)
    grads = {name: grad.copy() for name, grad in one.grads.items()}
    history = one.fit((IDS, X), Y, batch_size=7, shuffle=False, verbose=0)
    assert history.history["loss"] == [pytest.approx(loss)]
    for name, value in one.params.items():
        np.testing.assert_allclose(value, before[name] - 0.01 * grads[name], rtol=1e-5, atol=1e-7)


def test_lists_arrays_and_batches_give_the_same() -> None:
    one = model()
    whole = one.predict((IDS, X))
    ids, id_lengths = pad(IDS, "ids")
    x, lengths = pad(X, "x")
    x[np.arange(x.shape[1]) >= lengths[:, None]] = np.nan
    assert np.array_equal(one.predict((ids, x), lengths=(id_lengths, lengths)), whole)
    assert np.array_equal(one.predict((IDS, x), batch_size=2, lengths=(None, lengths)), whole)
    assert one.evaluate((IDS, X), Y, batch_size=3) == pytest.approx(one.evaluate((IDS, X), Y))


def test_it_learns_and_comes_back(tmp_path: Path) -> None:
    one = model()
    one.compile(seqkit.Adam(0.05), "sparse_categorical_crossentropy", ["accuracy"])
    history = one.fit((IDS, X), Y, epochs=25, batch_size=3, validation_data=((IDS[:2], X[:2]), Y[:2]), verbose=0)
    assert history.history["accuracy"][-1] == 1.0
    assert history.history["val_accuracy"][-1] == 1.0
    one.save(tmp_path / "m.safetensors")
    again = seqkit.load(tmp_path / "m.safetensors")
    assert np.array_equal(again.predict((IDS, X)), one.predict((IDS, X)))


def test_training_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    straight, broken = model(), model()
    straight.fit((IDS, X), Y, epochs=4, batch_size=3, verbose=0)
    broken.fit((IDS, X), Y, epochs=2, batch_size=3, verbose=0, callbacks=seqkit.Checkpoint(tmp_path))
    other = model()
    other.fit((IDS, X), Y, epochs=4, batch_size=3, verbose=0, resume=tmp_path)
    assert np.array_equal(other.predict((IDS, X)), straight.predict((IDS, X)))
    with pytest.raises(ConfigError, match="training data"):
        model().fit((IDS, [2 * row for row in X]), Y, epochs=4, batch_size=3, verbose=0, resume=tmp_path)


def test_targets_for_every_step() -> None:
    """Beside lists of both inputs; the loss is that of the valid steps."""
    one, z = stepwise(), [RNG.normal(size=(len(row), 3)) for row in X]
    predicted = one.predict((z, X))
    assert [row.shape for row in predicted] == [(len(row), 1) for row in X]
    expected = np.concatenate(predicted) - np.concatenate(STEPS)
    assert one.evaluate((z, X), STEPS) == pytest.approx(float((expected**2).mean()), rel=1e-6)
    with pytest.raises(ShapeError, match=r"y\[1\] has 3 steps but x\[1\] has 2"):
        one.evaluate((z, X), [STEPS[0], STEPS[2][:3], *STEPS[2:]])


def test_one_array_is_every_input() -> None:
    one, x = stepwise(), RNG.normal(size=(3, 4, 2)).astype(np.float32)
    assert np.array_equal(one.predict(x), one.predict((x, x)))


def test_a_step_reads_a_tuple_and_streams_do() -> None:
    """Also where the inputs have as many features, so that they would fit into one array."""
    one, x, z = stepwise(), RNG.normal(size=(3, 4, 2)), RNG.normal(size=(3, 4, 2))
    expected, state = one.predict((z, x)), None
    streams = one.streams(3)
    late, *early = [streams.open() for _ in range(3)]
    for t in range(4):
        y, state = one.step((z[:, t], x[:, t]), state)
        assert np.array_equal(y, expected[:, t])
        assert np.array_equal(streams.feed(early, (z[1:, t], x[1:, t])), expected[1:, t])
    both = streams.feed([late, early[0]], (z[[0, 0], 0], x[[0, 0], 0]))
    assert np.array_equal(both[0], expected[0, 0])
    with pytest.raises(ShapeError, match="expected 1 rows"):
        streams.feed([late], (z[:1, 1], x[:, 1]))


def test_batches_are_of_similar_length_in_all_inputs() -> None:
    assert model()._samples((IDS, X), Y, None, None).lengths.tolist() == [9, 7, 5, 11, 3, 8, 6]


def test_what_does_not_fit_is_told() -> None:
    with pytest.raises(ShapeError, match=r"x\[1\] has 2 samples but x\[0\] has 7"):
        model().fit((IDS, X[:2]), Y)
    with pytest.raises(ShapeError, match=r"x: x is a tuple of 3 arrays, expected 2"):
        model().predict((IDS, X, X))
    with pytest.raises(ShapeError, match="give inputs as a tuple"):
        model().fit([pad(IDS, "ids")[0], pad(X, "x")[0]], Y)
    with pytest.raises(ConfigError, match="the model has several inputs"):
        model().fit((IDS, X), Y, tbptt=(2, 2))
    broken = [X[0], np.full_like(X[1], np.nan), *X[2:]]
    with pytest.raises(NonFiniteError, match=r"the first NaN or infinite values are in x\[1\]"):
        model().fit((IDS, broken), Y, verbose=0)
