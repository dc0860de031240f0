"""Masked steps, against Keras' rule written as a loop over steps.

Legend: B batch, T time, F features.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit.errors import ConfigError, ShapeError

B, T, F = 6, 7, 3
Slope = Callable[[Callable[[], float], np.ndarray], np.ndarray]


def batch(dtype: str = "float64", value: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Sequences that are masked on the left, on the right, in between, everywhere, at random, and nowhere."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(B, T, F)).astype(dtype)
    mask = np.ones((B, T), bool)
    mask[0, :3], mask[1, 4:], mask[2, [1, 2, 5]], mask[3], mask[4] = False, False, False, False, rng.random(T) < 0.5
    x[~mask] = value
    x[5, 2, 0] = value  # one feature masks nothing
    return x, mask


def sequences(layer: Any, **options: Any) -> Any:
    return layer(4, return_sequences=True, **options)


def models() -> dict[str, Callable[[], list[Any]]]:
    return {
        "one": lambda: [sequences(seqkit.LSTM)],
        "last": lambda: [sequences(seqkit.GRU), seqkit.SimpleRNN(3)],
        "dense": lambda: [seqkit.Dense(5, "tanh"), sequences(seqkit.LSTM), seqkit.Dense(3), sequences(seqkit.GRU)],
        "backwards": lambda: [sequences(seqkit.GRU, go_backwards=True), sequences(seqkit.LSTM)],
        "both": lambda: [seqkit.Bidirectional(sequences(seqkit.LSTM), "mul"), sequences(seqkit.GRU)],
        "both at the end": lambda: [sequences(seqkit.GRU), seqkit.Bidirectional(seqkit.LSTM(3), "concat")],
        "none": list,
    }


def built(layers: list[Any], dtype: str = "float64", **options: Any) -> Any:
    layer = seqkit.Masked(layers, **options).build(F, seed=1, dtype=dtype)
    rng = np.random.default_rng(2)
    for name, array in layer.params.items():
        layer.params[name] = rng.normal(size=array.shape) * 0.6
    return layer


def by_steps(layer: Any, x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """One direction of one sequence, a step at a time: the state and the output stay where a step is masked."""
    backwards = layer.go_backwards
    layer.go_backwards = False
    y, state, outputs = np.zeros((1, layer.output_size)), None, []
    for t in range(T)[:: -1 if backwards else 1]:
        if mask[t]:
            y, state = layer.step(x[None, t], state)
        outputs.append(y[0])
    layer.go_backwards = backwards
    return np.array(outputs) if layer.return_sequences else outputs[-1]


def expected(layers: list[Any], x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """One sequence through all layers."""
    y = np.where(mask[:, None], x, 0)
    for layer in layers:
        if isinstance(layer, seqkit.Bidirectional):
            a, b = (by_steps(one, y, mask) for one in (layer.forward_layer, layer.backward_layer))
            if layer.returns_sequences:
                a, b = a * mask[:, None], b[::-1] * mask[:, None]
            y = a * b if layer.merge_mode == "mul" else np.concatenate([a, b], axis=-1)
        elif isinstance(layer, seqkit.Recurrent):
            y = by_steps(layer, y, mask)
        else:
            y = layer(y)
    return y


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", models())
def test_outputs(name: str, dtype: str) -> None:
    layer, (x, mask) = built(models()[name](), dtype, mask_value=-1.0), batch(dtype, -1.0)
    y, kept = layer(x), x.copy()
    assert y.dtype == dtype
    for row in range(B):
        tolerance = 1e-6 if dtype == "float32" else 1e-13
        np.testing.assert_allclose(y[row], expected(layer.layers, x[row], mask[row]), rtol=0, atol=tolerance)
        np.testing.assert_array_equal(layer(x[[row]])[0], y[row])  # the bits do not depend on neighbours
    np.testing.assert_array_equal(x, kept)


@pytest.mark.parametrize("name", models())
def test_gradients(name: str, slope: Slope) -> None:
    layer, (x, mask) = built(models()[name]()), batch()
    state = tuple(np.random.default_rng(5).normal(size=one.shape) for one in layer.forward(x)[1].state)
    for given in (None, state) if state else (None,):
        layer.zero_grads()
        y, cache = layer.forward(x, None, given)
        w = np.random.default_rng(3).normal(size=y.shape)
        weights = [np.random.default_rng(4).normal(size=one.shape) for one in cache.state]

        def objective(w: Any = w, weights: Any = weights, given: Any = given) -> float:
            y, cache = layer.forward(x, None, given)
            ends = zip(weights, cache.state, strict=True)
            return float((w * y).sum() + sum((a * b).sum() for a, b in ends))

        dx, dinitial = layer.backward(w, cache, tuple(weights) or None)
        for key, grad in layer.grads.items():
            array = layer.params[key].copy()

            def changed(key: str = key, array: np.ndarray = array) -> float:
                layer.params[key] = array
                return objective()

            np.testing.assert_allclose(grad, slope(changed, array), rtol=0, atol=1e-6, err_msg=key)
            layer.params[key] = array
        for part, found in zip(given or (), dinitial, strict=False):
            np.testing.assert_allclose(found, slope(objective, part), atol=1e-7)
        numeric = slope(objective, x)  # at a masked step it is that of a step that is not
        np.testing.assert_allclose(dx[mask], numeric[mask], atol=1e-7)
        assert not dx[~mask].any()


@pytest.mark.parametrize("name", ["one", "last", "dense"])
def test_streams(name: str) -> None:
    """Step by step, and in two halves, it is the same: what a masked step repeats is part of the state."""
    layer, (x, _) = built(models()[name]()), batch()
    whole, state = layer(x), None
    for t in range(T):
        y, state = layer.step(x[:, t], state)
        if layer.returns_sequences:
            np.testing.assert_array_equal(y, whole[:, t])
    half, cache = layer.forward(x[:, :4], None, None, training=False)
    rest, cache = layer.forward(x[:, 4:], None, cache.state, training=False)
    for a, b in zip(cache.state, state, strict=True):
        np.testing.assert_array_equal(a, b)
    if layer.returns_sequences:
        np.testing.assert_array_equal(np.concatenate([half, rest], axis=1), whole)


@pytest.mark.parametrize("name", models())
def test_lengths_mask_what_is_behind_them(name: str) -> None:
    layer, (x, mask) = built(models()[name]()), batch()
    lengths = np.array([7, 5, 6, 3, 0, 4])
    noisy = np.where((np.arange(T) < lengths[:, None])[..., None], x, np.nan)
    y, cache = layer.forward(noisy, lengths)
    for row, n in enumerate(lengths):
        alone = layer(x[[row], :n])[0]
        if layer.returns_sequences:
            np.testing.assert_array_equal(y[row, :n], alone)
            assert not y[row, n:].any()
        else:
            np.testing.assert_array_equal(y[row], alone)
    dx, _ = layer.backward(np.ones_like(y), cache)
    assert np.isfinite(dx).all()
    assert not dx[~mask | (np.arange(T) >= lengths[:, None])].any()


def test_ids() -> None:
    layers = [seqkit.Embedding(5, F), sequences(seqkit.LSTM), seqkit.Dense(2)]
    layer = seqkit.Masked(layers).build(1, seed=0, dtype="float64")
    ids = np.array([[0, 0, 1, 2], [3, 0, 4, 0], [1, 2, 3, 4]])
    y = layer(ids)
    for row, valid in enumerate([[1, 2], [3, 4], [1, 2, 3, 4]]):
        alone = layers[1](layers[0](np.array([valid])))
        np.testing.assert_array_equal(y[row, -1], layers[2](alone)[0, -1])
    np.testing.assert_array_equal(y[0, 0], layers[2].params["bias"])  # Dense sees the masked steps, too


def test_a_stateful_layer_starts_masked_steps_from_0_as_keras_does() -> None:
    layer, (x, mask) = built([sequences(seqkit.GRU, stateful=True)]), batch()
    first, second = layer(x), layer(x)
    assert not second[0, :3].any()
    assert np.abs(second[mask] - first[mask]).max() > 1e-3
    layer.reset_states()
    np.testing.assert_array_equal(layer(x), first)


class Doubled(seqkit.Wrapper):
    """A wrapper."""

    forward = backward = None  # type: ignore[assignment]


@pytest.mark.parametrize("last", [lambda: seqkit.Conv1D(2, 3, padding="causal"), seqkit.MeanPool, seqkit.MaxPool])
def test_streams_of_layers_that_see_all_steps(last: Any) -> None:
    layer, (x, _) = built([sequences(seqkit.GRU), last()]), batch()
    expected = [layer(x[:, : t + 1]) for t in range(x.shape[1])]
    state = None
    for t, whole in enumerate(expected):
        y, state = layer.step(x[:, t], state)
        assert np.array_equal(y, whole[:, -1] if whole.ndim == 3 else whole)


def test_what_is_refused() -> None:
    with pytest.raises(ConfigError, match="nothing can be masked behind it"):
        seqkit.Masked([seqkit.LSTM(3), seqkit.Dense(2)])
    with pytest.raises(ConfigError, match="layers such as"):
        seqkit.Masked(["lstm"])  # type: ignore[list-item]
    with pytest.raises(ConfigError, match="layers must be a sequence of layers"):
        seqkit.Masked(seqkit.LSTM(3))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="mask_value must be a finite number, got nan"):
        seqkit.Masked([seqkit.GRU(2)], mask_value=np.nan)
    with pytest.raises(ConfigError, match="would see masked steps"):
        seqkit.Masked([Doubled(seqkit.GRU(2))])
    with pytest.raises(ConfigError, match="gives two outputs"):
        seqkit.Masked([seqkit.Bidirectional(sequences(seqkit.GRU), None)])
    layer, (x, _) = built([sequences(seqkit.LSTM)]), batch()
    with pytest.raises(ShapeError, match="state must hold 2 arrays"):
        layer.forward(x, None, (np.zeros((B, 4)),))
    with pytest.raises(ShapeError, match=r"expected \(batch, time, features\)"):
        layer.forward(x[:, 0])


def test_empty_batches_and_sequences() -> None:
    layer = built([sequences(seqkit.LSTM), sequences(seqkit.GRU)])
    for shape in ((0, 5, F), (2, 0, F)):
        y, cache = layer.forward(np.zeros(shape))
        assert y.shape == (*shape[:2], 4)
        assert layer.backward(y, cache)[0].shape == shape
