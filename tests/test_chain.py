"""Recurrent layers one after the other: the same numbers as layer by layer, on threads of their own."""

from __future__ import annotations

import numpy as np
import pytest

import seqkit
from seqkit import _core
from seqkit.chain import chains


def stack(*layers: seqkit.Layer, features: int = 40) -> seqkit.Sequential:
    return seqkit.Sequential(layers, seed=5).build(features)


def one_by_one(model: seqkit.Sequential, x: np.ndarray, lengths: list[int] | None = None) -> np.ndarray:
    y = x
    with seqkit.threads(1):
        for layer in model.layers:
            y = layer(y, lengths) if y.ndim == 3 else layer(y)
    return y


MODELS = {
    "two": lambda: stack(seqkit.LSTM(96, return_sequences=True), seqkit.GRU(70, return_sequences=True)),
    "three": lambda: stack(*(seqkit.GRU(64, return_sequences=True) for _ in range(3))),
    "last step": lambda: stack(seqkit.LSTM(64, return_sequences=True), seqkit.LSTM(50), seqkit.Dense(3)),
    "dropout between": lambda: stack(
        seqkit.LSTM(64, return_sequences=True), seqkit.Dropout(0.5), seqkit.PeepholeLSTM(50, return_sequences=True)
    ),
    "backwards": lambda: stack(
        seqkit.LSTM(64, return_sequences=True), seqkit.GRU(64, return_sequences=True, go_backwards=True)
    ),
    "two stages": lambda: stack(
        seqkit.GRU(64, return_sequences=True, reset_after=False), seqkit.GRU(64, return_sequences=True)
    ),
}


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("length", [None, 211, 1])
@pytest.mark.parametrize("name", MODELS)
def test_same_bits_as_layer_by_layer(name: str, length: int | None, threads: int) -> None:
    model = MODELS[name]()
    x = np.random.default_rng(1).standard_normal((1, 400, 40), dtype=np.float32)
    lengths = None if length is None else [length]
    with seqkit.threads(threads):
        found = model.predict(x, lengths=lengths)
    np.testing.assert_array_equal(found, one_by_one(model, x, lengths))


@pytest.mark.skipif(not _core.openmp, reason="built without threads")
def test_when_a_pipeline_is_chosen() -> None:
    """One sequence through layers whose weights stay near; rows of a batch are shared out instead."""

    def pays(batch: int, units: int, threads: int) -> bool:
        layers = [seqkit.LSTM(units, return_sequences=True).build(size, seed=0) for size in (40, units)]
        x = np.zeros((batch, 400, 40), np.float32)
        calls = []
        for layer in layers:
            calls += layer._calls(seqkit.rows.Rows.of_array(x, None, layer.dtype, "x", x.shape[2]), False)
            x = np.zeros((batch, 400, units), np.float32)
        return _core.pipeline_pays(calls, threads)

    assert pays(1, 96, 2)
    assert not pays(1, 96, 1)
    assert not pays(2, 96, 2)
    assert not pays(1, 512, 2)
    assert not pays(1, 4, 2)


def test_stateful_layers_carry_their_states() -> None:
    model = stack(*(seqkit.LSTM(64, return_sequences=True, stateful=True) for _ in range(2)))
    x = np.random.default_rng(2).standard_normal((1, 600, 40), dtype=np.float32)
    with seqkit.threads(2):
        whole = model.predict(x, batch_size=1)
        model.reset_states()
        halves = [model.predict(x[:, :250], batch_size=1), model.predict(x[:, 250:], batch_size=1)]
    np.testing.assert_array_equal(np.concatenate(halves, axis=1), whole)


def test_training_keeps_every_layer_apart() -> None:
    """Gradients need each layer's own cache."""
    model = MODELS["two"]()
    x = np.random.default_rng(3).standard_normal((1, 50, 40), dtype=np.float32)
    y, caches = model.forward(x, training=True)
    assert len(caches) == 2
    model.backward(np.ones_like(y), caches)
    assert all(np.abs(grad).max() > 0 for grad in model.grads.values())


def test_chains_stop_at_vectors_and_other_layers() -> None:
    layers = [seqkit.LSTM(4), seqkit.GRU(4, return_sequences=True), seqkit.Bidirectional(seqkit.GRU(4)), seqkit.GRU(4)]
    assert [(place, len(run)) for place, run in chains(layers)] == [(0, 1), (1, 1), (2, 1), (3, 1)]
