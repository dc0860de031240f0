"""Layers of several inputs: the contract in seqkit/layer.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit.errors import ConfigError, ShapeError
from seqkit.inputs import Inputs


class Scaled(seqkit.Layer):
    """y = a + 3 b, so that the inputs cannot be confused."""

    name, inputs = "scaled", ("a", "b")

    def forward(
        self, x: Any, lengths: Any = None, state: Any = None, training: bool = True
    ) -> tuple[np.ndarray, Inputs]:
        given = Inputs.of(x, lengths, self.inputs, self.name)
        self.seen = given.lengths
        return given.arrays[0] + 3 * given.arrays[1], given

    def backward(self, dy: np.ndarray, cache: Any, dstate: Any = None, input_grad: bool = True) -> tuple[Any, Any]:
        return (cache.gradient((dy, 3 * dy)) if input_grad else None), ()


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def test_a_tuple_is_all_inputs_and_an_array_every_one() -> None:
    layer, a, b = Scaled(), numbers(2, 3, 4), numbers(2, 3, 4)[::-1]
    assert np.array_equal(layer((a, b)), a + 3 * b)
    assert np.array_equal(layer(a), a + 3 * a)
    assert (layer.input_size, layer.input_sizes) == (4, (4, 4))


def test_gradients_are_a_tuple_or_their_sum() -> None:
    layer, a, dy = Scaled().build((4, 4)), numbers(2, 3, 4), numbers(2, 3, 4) + 1
    da, db = layer.backward(dy, layer.forward((a, a))[1])[0]
    assert np.array_equal(da, dy)
    assert np.array_equal(db, 3 * dy)
    assert np.array_equal(layer.backward(dy, layer.forward(a)[1])[0], 4 * dy)


def test_each_input_may_be_a_list() -> None:
    layer, a = Scaled(), [numbers(3, 4), numbers(1, 4)]
    b = [numbers(2, 4), numbers(3, 4)]
    found = layer((a, b))
    assert [row.shape for row in found] == [(3, 4), (1, 4)]
    assert np.array_equal(found[1], a[1] + 3 * b[1][:1])
    assert [ends.tolist() for ends in layer.seen] == [[3, 1], [2, 3]]


def test_a_step_of_every_input() -> None:
    layer, a, b = Scaled().build(4), numbers(2, 4), numbers(2, 4) + 1
    assert np.array_equal(layer.step((a, b))[0], a + 3 * b)


@pytest.mark.parametrize(
    ("x", "lengths", "message"),
    [
        ((numbers(2, 3, 4),), None, "x is a tuple of 1 arrays, expected 2, for a, b"),
        ((numbers(2, 3, 4),) * 2, np.array([1, 2]), "lengths must be one of arrays or None, expected 2, for a, b, got"),
        ((numbers(2, 3, 4),) * 2, (None,), "expected 2, for a, b, got 1"),
        ((numbers(2, 3, 4), numbers(2, 3, 5)), None, "5 features but input_size is 4"),
    ],
)
def test_what_does_not_fit_is_told(x: Any, lengths: Any, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        Scaled().build(4)(x, lengths)


@pytest.mark.parametrize("size", [(4,), (4, 0), (4, 4, 4), (4, "4")])
def test_sizes_are_checked(size: Any) -> None:
    with pytest.raises(ConfigError, match="scaled: input_size must"):
        Scaled().build(size)


def test_a_layer_is_not_built_again_for_other_sizes() -> None:
    with pytest.raises(ConfigError, match="built for 4 and 5 features of float32, cannot be rebuilt for 5 and 4"):
        Scaled().build((4, 5)).build((5, 4))


class Halved(seqkit.Layer):
    """Every second step."""

    name = "halved"

    def output_lengths(self, lengths: np.ndarray) -> np.ndarray:
        return -(-lengths // 2)

    def forward(self, x: Any, lengths: Any = None, state: Any = None, training: bool = True) -> tuple[np.ndarray, Any]:
        return np.ascontiguousarray(x[:, ::2]), x.shape

    def backward(self, dy: np.ndarray, cache: Any, dstate: Any = None, input_grad: bool = True) -> tuple[Any, Any]:
        dx = np.zeros(cache, self.dtype)
        dx[:, ::2] = dy
        return dx, ()


def test_a_layer_that_changes_lengths_says_so() -> None:
    """The layer behind it, the loss and predictions see the new lengths."""
    x = [numbers(5, 2), numbers(2, 2), numbers(3, 2)]
    halves = [row[::2] for row in x]
    whole, half = (
        seqkit.Sequential([*first, seqkit.GRU(3, return_sequences=True), seqkit.Dense(1)], seed=1)
        for first in ([Halved()], [])
    )
    for model in (whole, half):
        model.compile("adam", "mse")
        model.build(2, seed=7)
    for name in half.params:
        number, _, key = name.partition(".")
        whole.params[f"{int(number) + 1}.{key}"] = half.params[name]
    found, expected = whole.predict(x), half.predict(halves)
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
    padded, lengths = seqkit.sequences.pad(x, "x")
    y, ends = seqkit.sequences.pad([row[:, :1] for row in halves], "y")
    assert whole.evaluate(padded, y, lengths=lengths) == half.evaluate(
        *[seqkit.sequences.pad(halves, "x")[0], y], lengths=ends
    )
