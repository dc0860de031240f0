"""Truncated backpropagation through time against plain loops over steps, and against whole sequences."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit.errors import ConfigError, ShapeError
from seqkit.testing.data import fill
from seqkit.training import truncated
from seqkit.training.batches import Batch
from seqkit.training.callbacks import Checkpoint
from seqkit.training.losses import MeanSquaredError
from seqkit.training.optimizers import SGD

Arrays = dict[str, np.ndarray]
LENGTHS = np.array([3, 17, 0, 11, 12, 20, 1, 8, 20])
RATE = 0.3


def data(per_step: bool, seed: int = 3) -> Batch:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(len(LENGTHS), 20, 3))
    y = rng.normal(size=(len(LENGTHS), 20, 2) if per_step else (len(LENGTHS), 2))
    weights = rng.uniform(0.5, 2.0, y.shape[:-1])
    for array in (x, y, weights) if per_step else (x,):
        array[np.arange(20) >= LENGTHS[:, None]] = np.nan
    return Batch(x, LENGTHS, y, weights)


def model_of(per_step: bool, cell: str = "simple_rnn", **options: Any) -> seqkit.Sequential:
    layers = [seqkit.create(cell, 5, return_sequences=per_step, **options), seqkit.Dense(2)]
    model = seqkit.Sequential(layers, seed=0, dtype="float64").build(3)
    for layer in layers:
        fill(layer)
    return model


def train(model: seqkit.Sequential, batch: Batch, k1: int, k2: int) -> Iterator[tuple[float, Arrays]]:
    """Loss of every update, and the parameters after it."""
    loss, optimizer = MeanSquaredError(), SGD(RATE)
    for window in truncated.windows(model, batch, k1, k2):
        model.zero_grads()
        y_pred, caches = window.forward()
        value, dy = loss(window.batch.y, y_pred, window.batch.sample_weight, window.batch.lengths)
        window.backward(dy, caches)
        optimizer.step(model.params, model.grads)
        yield value, {name: array.copy() for name, array in model.params.items()}


def by_loops(params: Arrays, batch: Batch, k1: int, k2: int, per_step: bool) -> Iterator[tuple[float, Arrays]]:
    """The same for tanh units and a linear output: every sequence alone, step by step."""
    names = ("0.weight_ih", "0.weight_hh", "0.bias", "1.weight", "1.bias")
    params = {name: params[name].copy() for name in names}
    lengths = batch.lengths
    carried = {row: np.zeros(5) for row in range(len(lengths))}
    for begin in range(0, 20, k1):
        alive = [row for row, n in enumerate(lengths) if n > begin or begin == 0]
        targets = {
            row: [t for t in range(begin, min(begin + k1, lengths[row])) if per_step or t == lengths[row] - 1]
            or [-1] * int(not per_step and lengths[row] == 0)  # the output before the first step
            for row in alive
        }
        count, grads, value = sum(map(len, targets.values())), dict.fromkeys(names, 0.0), 0.0
        w, u, b, v, c = params.values()
        for row in alive:
            first, after = max(0, begin + k1 - k2), max(0, begin + 2 * k1 - k2)
            end = min(begin + k1, lengths[row])
            h = {first: carried[row]}
            for t in range(first, end):
                h[t + 1] = np.tanh(w @ batch.x[row, t] + u @ h[t] + b)
            carried[row] = h[min(after, end)]
            dh = np.zeros(5)
            for t in range(end - 1, first - 1 if end else -2, -1):
                if t in targets[row]:
                    at = (row, t) if per_step else row
                    error = v @ h[t + 1] + c - batch.y[at]
                    value += batch.sample_weight[at] * (error**2).mean() / count
                    d = batch.sample_weight[at] * error * 2 / len(error) / count
                    grads["1.weight"] += np.outer(d, h[t + 1])
                    grads["1.bias"] += d
                    dh = dh + v.T @ d
                if t < 0:
                    break
                dz = dh * (1 - h[t + 1] ** 2)
                grads["0.weight_ih"] += np.outer(dz, batch.x[row, t])
                grads["0.weight_hh"] += np.outer(dz, h[t])
                grads["0.bias"] += dz
                dh = u.T @ dz
        if count:
            params = {name: params[name] - RATE * grads[name] for name in names}
            yield value, params


@pytest.mark.parametrize("per_step", [True, False])
@pytest.mark.parametrize(("k1", "k2"), [(4, 4), (5, 5), (1, 1), (4, 6), (3, 9), (2, 7), (5, 100), (7, 12), (1, 3)])
def test_against_plain_loops(k1: int, k2: int, per_step: bool) -> None:
    model, batch = model_of(per_step), data(per_step)
    expected = list(by_loops(dict(model.params), batch, k1, k2, per_step))
    found = list(train(model, batch, k1, k2))
    assert len(found) == len(expected) > 0
    for (value, params), (wanted, arrays) in zip(found, expected, strict=True):
        assert value == pytest.approx(wanted, rel=1e-11)
        for name, array in arrays.items():
            np.testing.assert_allclose(params[name], array, rtol=1e-10, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("per_step", [True, False])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_one_window_is_the_whole_sequence(cell: str, per_step: bool) -> None:
    """The same bits as a step on whole sequences, of which one has no steps."""
    batch = data(per_step)
    model, whole = model_of(per_step, cell), model_of(per_step, cell)
    ((value, params),) = train(model, batch, 20, 25)
    y_pred, caches = whole.forward(batch.x, batch.lengths)
    wanted, dy = MeanSquaredError()(batch.y, y_pred, batch.sample_weight, batch.lengths if per_step else None)
    whole.backward(dy, caches)
    SGD(RATE).step(whole.params, whole.grads)
    assert value == wanted
    for name, array in whole.params.items():
        np.testing.assert_array_equal(params[name], array, err_msg=name)


@pytest.mark.parametrize("checkpoint", [1, 4])
def test_windows_in_segments(checkpoint: int) -> None:
    """The state that windows start with is the same where the layer keeps few of its states."""
    batch = data(True)
    batch = Batch(*(np.concatenate([array] * 15) for array in batch))  # 135 rows: every step is a block
    expected = list(train(model_of(True, "gru"), batch, 3, 8))
    found = list(train(model_of(True, "gru", checkpoint=checkpoint), batch, 3, 8))
    for (value, params), (wanted, arrays) in zip(found, expected, strict=True):
        assert value == wanted
        for name, array in arrays.items():
            np.testing.assert_array_equal(params[name], array, err_msg=name)


def test_what_cannot_be_cut() -> None:
    loss = MeanSquaredError()
    for layer, words in (
        (seqkit.Bidirectional(seqkit.GRU(3)), "bidirectional also reads from the end"),
        (seqkit.GRU(3, go_backwards=True), "gru also reads from the end"),
        (seqkit.LSTM(3, stateful=True), "lstm is stateful"),
    ):
        with pytest.raises(ConfigError, match=words):
            truncated.checked((4, 4), seqkit.Sequential([layer]), loss)
    model = model_of(True)
    assert truncated.checked([4, np.int64(8)], model, loss) == (4, 8)
    with pytest.raises(ConfigError, match="expected k2 >= k1"):
        truncated.checked((4, 3), model, loss)
    with pytest.raises(ConfigError, match="k1 must be a positive integer"):
        truncated.checked((0, 3), model, loss)
    for wrong in (5, (1, 2, 3)):
        with pytest.raises(ConfigError, match=r"expected \(k1, k2\)"):
            truncated.checked(wrong, model, loss)
    with pytest.raises(ConfigError, match="the loss crf is one of whole sequences"):
        truncated.checked((4, 4), model_of(True), seqkit.CRF(2))
    with pytest.raises(ShapeError, match="a target for each of the 20 steps"):
        next(truncated.windows(model, data(True)._replace(y=np.zeros((9, 2))), 4, 4))
    with pytest.raises(ShapeError, match="there is no time to cut"):
        next(truncated.windows(model, Batch(np.zeros((9, 3)), None, np.zeros((9, 2)), None), 4, 4))


# ---- in fit ------------------------------------------------------------------------------------


@pytest.mark.parametrize("per_step", [True, False])
def test_fit(per_step: bool) -> None:
    """The updates of all batches, window by window; the loss of an epoch is the mean over all targets."""
    batch = data(per_step)
    model = model_of(per_step)
    params, losses = dict(model.params), []
    for rows in (slice(0, 5), slice(5, 9)):
        part = Batch(*(array[rows] for array in batch))
        for value, changed in by_loops(params, part, 4, 6, per_step):
            params = changed
            losses.append(value)
    model.compile(SGD(RATE), "mse")
    x, lengths, y, weights = batch
    history = model.fit(x, y, 5, 2, shuffle=False, lengths=lengths, sample_weight=weights, tbptt=(4, 6))
    assert len(history.epoch) == 2
    again = model_of(per_step)
    again.compile(SGD(RATE), "mse")
    first = again.fit(x, y, 5, 1, shuffle=False, lengths=lengths, sample_weight=weights, tbptt=(4, 6))
    for name, array in params.items():
        np.testing.assert_allclose(again.params[name], array, rtol=1e-10, atol=1e-12, err_msg=name)
    assert first.history["loss"] == history.history["loss"][:1]
    assert min(losses) < first.history["loss"][0] < max(losses)


def test_fit_on_lists_and_with_resume(tmp_path: Path) -> None:
    """Lists train like arrays with lengths; training that was resumed goes on to the same bits."""
    x, lengths, y, _ = data(True)
    given = [row[:n] for row, n in zip(x, lengths, strict=True)], [row[:n] for row, n in zip(y, lengths, strict=True)]
    settings = {"batch_size": 4, "tbptt": (3, 5), "seed": 2}

    def fit(epochs: int, *samples: Any, **more: Any) -> seqkit.Sequential:
        model = model_of(True)
        model.compile("adam", "mse")
        model.fit(*samples, epochs=epochs, **settings, **more)
        return model

    whole = fit(4, *given)
    fit(2, *given, callbacks=[Checkpoint(tmp_path)])
    resumed = fit(4, *given, callbacks=[Checkpoint(tmp_path)], resume=tmp_path)
    for name, array in whole.params.items():
        np.testing.assert_array_equal(resumed.params[name], array, err_msg=name)


def test_fit_without_any_step() -> None:
    """Sequences of length 0 teach nothing, and are no error."""
    model = model_of(True)
    model.compile("sgd", "mse")
    history = model.fit(np.zeros((3, 4, 3)), np.zeros((3, 4, 2)), lengths=[0, 0, 0], tbptt=(2, 2))
    assert history.history["loss"] == [0.0]


def test_fit_takes_no_accumulation() -> None:
    model = model_of(True)
    model.compile("sgd", "mse")
    with pytest.raises(ConfigError, match="leave accumulate out"):
        model.fit(np.zeros((3, 4, 3)), np.zeros((3, 4, 2)), tbptt=(2, 2), accumulate=2)
