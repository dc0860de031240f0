"""Pooling over time: against NumPy on each sequence alone, in streams, and where two values are equal."""

from __future__ import annotations

import numpy as np
import pytest

import seqkit

ORACLES = {"mean_pool": lambda row: row.mean(axis=0), "max_pool": lambda row: row.max(axis=0)}
LENGTHS = np.array([7, 1, 0, 12])


@pytest.fixture
def x() -> np.ndarray:
    padded = (
        np.random.default_rng(0).standard_normal((4, 12, 3)) - 1.0
    )  # mostly negative: padding of 0 would be largest
    for row, length in zip(padded, LENGTHS, strict=True):
        row[length:] = np.nan
    return padded


@pytest.mark.parametrize("name", ORACLES)
def test_each_sequence_alone(name: str, x: np.ndarray) -> None:
    y = seqkit.create(name).build(3, dtype="float64")(x, lengths=LENGTHS)
    for row, length, found in zip(x, LENGTHS, y, strict=True):
        expected = ORACLES[name](row[:length]) if length else np.zeros(3)
        np.testing.assert_allclose(found, expected, rtol=1e-14)


@pytest.mark.parametrize("name", ORACLES)
def test_a_stream_has_what_is_known_so_far(name: str, x: np.ndarray) -> None:
    layer = seqkit.create(name).build(3)
    sequences = x[[0, 3], :7].astype(np.float32)
    state = None
    for t in range(7):
        y, state = layer.step(sequences[:, t], state)
        assert (y == layer(sequences[:, : t + 1])).all()


def test_the_first_of_equal_values_takes_the_gradient() -> None:
    layer = seqkit.MaxPool().build(1, dtype="float64")
    y, cache = layer.forward(np.array([[[1.0], [5.0], [5.0], [9.0]]]), np.array([3]))
    dx, _ = layer.backward(np.array([[2.0]]), cache)
    assert y.tolist() == [[5.0]]
    assert dx is not None
    assert dx[0, :, 0].tolist() == [0.0, 2.0, 0.0, 0.0]
