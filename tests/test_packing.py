"""Packed weights: where they are used again, and where they must not be."""

from __future__ import annotations

import numpy as np
import pytest

import seqkit
from seqkit import _core
from seqkit.layers.bidirectional import Bidirectional


def layer_and_input(units: int = 21) -> tuple[seqkit.LSTM, np.ndarray]:
    layer = seqkit.LSTM(units, return_sequences=True).build(5, seed=1)
    return layer, np.random.default_rng(2).standard_normal((3, 7, 5), dtype=np.float32)


def change(layer: seqkit.LSTM, factor: float = 0.5) -> None:
    with layer.params.editing() as arrays:
        for array in arrays.values():
            array *= np.float32(factor)


def addresses(layer: seqkit.LSTM) -> list[int]:
    weights = layer.execution.packed(layer.params, both=True)
    return [array.ctypes.data for array in (*weights.runs, *weights.transposed, weights.bias)]


def test_memory_of_weights_is_used_again() -> None:
    layer, _ = layer_and_input()
    before = addresses(layer)
    change(layer)
    assert addresses(layer) == before


@pytest.mark.parametrize("part", ["weights", "runs", "one run", "one transposed", "bias", "parameters"])
def test_weights_that_somebody_holds_stay_as_they_are(part: str) -> None:
    layer, _ = layer_and_input()
    weights = layer.execution.packed(layer.params, both=True)
    parts = {
        "weights": weights,
        "runs": weights.runs,
        "one run": weights.runs[-1],
        "one transposed": weights.transposed[0][:3],
        "bias": weights.bias,
        "parameters": weights.parameters,
    }
    held = parts[part]
    bits = [array.tobytes() for array in (*weights.runs, *weights.transposed, weights.bias)]
    first = weights.bias.ctypes.data
    del parts, weights
    change(layer)
    assert layer.execution.packed(layer.params, both=True).bias.ctypes.data != first
    if isinstance(held, _core.Weights):
        assert [array.tobytes() for array in (*held.runs, *held.transposed, held.bias)] == bits


def test_a_backward_pass_uses_the_weights_of_its_forward_pass() -> None:
    """Also where weights have changed, and have been packed, several times meanwhile."""
    layer, x = layer_and_input()
    expected = backward(layer, layer.forward(x, training=True))
    waiting = layer.forward(x, training=True)
    for _ in range(3):
        change(layer)
        layer.forward(x, training=True)
    for found, wanted in zip(backward(layer, waiting), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


def backward(layer: seqkit.LSTM, forward: tuple[np.ndarray, object]) -> list[np.ndarray]:
    y, cache = forward
    layer.zero_grads()
    dx, _ = layer.backward(np.cos(np.arange(y.size, dtype=np.float32)).reshape(y.shape), cache)
    return [dx, *(grad.copy() for grad in layer.grads.values())]


def test_training_after_inference_with_the_same_weights() -> None:
    """Inference packs one way only."""
    layer, x = layer_and_input()
    expected = backward(layer, layer.forward(x, training=True))
    change(layer, 1.0)
    layer(x)
    for found, wanted in zip(backward(layer, layer.forward(x, training=True)), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("units", [3, 21, 130, 300])
def test_threads_pack_the_same_bits(units: int) -> None:
    layer, _ = layer_and_input(units)
    found = []
    for threads in (1, 2, 3):
        change(layer, 1.0)
        with seqkit.threads(threads):
            weights = layer.execution.packed(layer.params, both=True)
        found.append([array.tobytes() for array in (*weights.runs, *weights.transposed, weights.bias)])
    assert found[0] == found[1] == found[2]


def test_gradients_go_to_the_arrays_that_are_given() -> None:
    """Where the arrays are others than last time, so are the targets."""
    layer = Bidirectional(seqkit.LSTM(6)).build(5, seed=1)
    x = np.random.default_rng(2).standard_normal((3, 7, 5), dtype=np.float32)
    one = layer.forward_layer
    run = [layer.forward(x, training=True) for _ in range(2)]
    dy = np.ones_like(run[0][0])
    layer.backward(dy, run[0][1])
    expected = {name: grad.copy() for name, grad in one.grads.items()}
    one.grads = {name: np.zeros_like(grad) for name, grad in one.grads.items()}
    layer.backward(dy, run[1][1])
    for name, grad in one.grads.items():
        np.testing.assert_array_equal(grad, expected[name])
