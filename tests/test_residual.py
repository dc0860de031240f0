"""Layers around another one that add a way around it, or bring it every step."""

from __future__ import annotations

import numpy as np
import pytest

import seqkit
from seqkit.errors import ConfigError

LENGTHS = np.array([4, 0, 7])


@pytest.fixture
def x() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((3, 7, 4))


def test_the_sum(x: np.ndarray) -> None:
    inner = seqkit.GRU(4, return_sequences=True).build(4, seed=0, dtype="float64")
    layer = seqkit.Residual(inner).build(4, dtype="float64")
    inside = (np.arange(7) < LENGTHS[:, None])[..., None]
    y = layer(np.where(inside, x, np.nan), lengths=LENGTHS)
    np.testing.assert_array_equal(y, np.where(inside, x + inner(x, lengths=LENGTHS), 0))


def test_of_several_inputs_the_first_goes_around(x: np.ndarray) -> None:
    """Its gradient gets the way around; that of the memory is the inner layer's."""
    inner = seqkit.MultiHeadAttention(2, 3).build((4, 4), seed=0, dtype="float64")
    layer = seqkit.Residual(inner).build((4, 4), dtype="float64")
    given, ends = (x[:, :5], x), (np.array([2, 5, 1]), LENGTHS)
    y, cache = layer.forward(given, ends)
    read, kept = inner.forward(given, ends)
    inside = (np.arange(5) < ends[0][:, None])[..., None]
    np.testing.assert_array_equal(y, np.where(inside, read + x[:, :5], 0))
    dquery, dmemory = layer.backward(y, cache)[0]
    expected = inner.backward(y, kept)[0]
    np.testing.assert_array_equal(dquery, expected[0] + y)
    np.testing.assert_array_equal(dmemory, expected[1])


def test_what_cannot_be_added() -> None:
    with pytest.raises(ConfigError, match=r"makes 3 features of 4.*let it give 4, or put a Dense\(3\) before"):
        seqkit.Residual(seqkit.Dense(3)).build(4)
    with pytest.raises(ConfigError, match=r"one vector for a sequence.*return_sequences=True"):
        seqkit.Residual(seqkit.LSTM(4))
    with pytest.raises(ConfigError, match="takes ids"):
        seqkit.Residual(seqkit.Embedding(3, 1))
    with pytest.raises(ConfigError, match=r"gives \(2, 3, 4\) for \(2, 5, 4\).*padding='same'"):
        seqkit.Residual(seqkit.Conv1D(4, 3))(np.zeros((2, 5, 4)))


def test_time_distributed_gives_vectors_and_no_padding(x: np.ndarray) -> None:
    seen = []

    class Seen(seqkit.Dense):
        def forward(self, x, lengths=None, state=None, training=True):
            seen.append(np.asarray(x))
            return super().forward(x, lengths, state, training)

    layer = seqkit.TimeDistributed(Seen(2)).build(4, seed=0, dtype="float64")
    y = layer(x, lengths=LENGTHS)
    np.testing.assert_array_equal(seen[0], np.concatenate([x[0, :4], x[2]]))
    plain = seqkit.Dense(2).build(4, dtype="float64")
    for key in plain.params:
        plain.params[key] = layer.params[f"layer.{key}"]
    np.testing.assert_array_equal(y, plain(x, lengths=LENGTHS))


def test_time_distributed_takes_layers_of_vectors() -> None:
    for layer in (seqkit.Embedding(3, 2), seqkit.Add()):
        with pytest.raises(ConfigError, match="a layer of vectors such as"):
            seqkit.TimeDistributed(layer)
