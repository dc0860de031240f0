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


@pytest.mark.parametrize("name", ORACLES)
def test_two_parts_are_the_whole(name: str, x: np.ndarray) -> None:
    """Forward, and back into both parts and the state between them; with sequences that end in either."""
    layer, dy = seqkit.create(name).build(3, dtype="float64"), np.random.default_rng(1).standard_normal((4, 3))
    y, cache = layer.forward(x, LENGTHS)
    dx, (dstart, *_) = layer.backward(dy, cache)
    first, between = layer.forward(x[:, :5], LENGTHS.clip(max=5))
    second, end = layer.forward(x[:, 5:], (LENGTHS - 5).clip(min=0), between.state)
    assert np.array_equal(second[[0, 3]], y[[0, 3]])
    assert np.array_equal(first[[1, 2]], y[[1, 2]])
    assert all(np.array_equal(a, b) for a, b in zip(end.state, cache.state, strict=True))
    late, dbetween = layer.backward(dy, end)
    early, (dfirst, *_) = layer.backward(np.where(LENGTHS[:, None] > 5, 0, dy), between, dbetween)
    assert dx is not None
    np.testing.assert_allclose(np.concatenate([early, late], axis=1), dx, rtol=1e-14)  # type: ignore[list-item]
    np.testing.assert_allclose(dfirst, dstart, rtol=1e-14)


@pytest.mark.parametrize("name", ORACLES)
def test_truncated_training_is_of_whole_sequences(name: str, x: np.ndarray) -> None:
    """The loss of a sequence is that of its pool, not of the pool of its last window."""
    losses = []
    for tbptt in (None, (4, 4)):
        model = seqkit.Sequential([seqkit.create(name), seqkit.Dense(1)], seed=0, dtype="float64")
        model.compile(seqkit.SGD(1e-300), "mse")
        history = model.fit(x[[0, 3]], np.ones(2), lengths=[7, 12], tbptt=tbptt, shuffle=False, batch_size=1)
        losses.append(history.history["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-14)


def test_nan_is_the_largest_in_a_stream_as_in_a_call() -> None:
    layer, x, state = seqkit.MaxPool().build(2), np.array([[[1.0, np.nan], [np.nan, 2.0], [3.0, 5.0]]]), None
    for t in range(3):
        y, state = layer.step(x[:, t], state)
        assert np.array_equal(y, layer(x[:, : t + 1]), equal_nan=True)


def test_of_equal_values_the_earlier_call_has_the_largest() -> None:
    layer = seqkit.MaxPool().build(1, dtype="float64")
    _, first = layer.forward(np.array([[[5.0], [1.0]]]))
    _, second = layer.forward(np.array([[[5.0], [5.0]]]), state=first.state)
    dx, (dlargest, _) = layer.backward(np.array([[2.0]]), second)
    assert (dx.ravel().tolist(), dlargest.tolist()) == ([0.0, 0.0], [[2.0]])  # type: ignore[union-attr]
