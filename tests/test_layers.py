"""Feed-forward layers: values against plain loops, gradients against finite differences.

Batches are ragged (lengths 0, 1, in between and full) with NaN in the padding, so whatever
reads a padded step fails.  Legend: B batch, T time, F features, U units.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit.errors import ConfigError, DataError, DTypeError, NotBuiltError, ShapeError
from seqkit.layer import Layer
from seqkit.layers.dense import Dense
from seqkit.layers.dropout import Dropout
from seqkit.layers.embedding import Embedding
from seqkit.layers.last_step import LastStep
from seqkit.layers.repeat_vector import RepeatVector

B, T, F, U = 5, 4, 3, 2
LENGTHS = np.array([2, 0, 4, 1, 3])
ACTIVATIONS = ["linear", "relu", "sigmoid", "tanh", "softmax"]

Slope = Callable[[Callable[[], float], np.ndarray], np.ndarray]


def sequences(seed: int = 0) -> np.ndarray:
    """Random (B, T, F) with NaN past the end of every sequence."""
    x = np.random.default_rng(seed).normal(size=(B, T, F))
    x[np.arange(T) >= LENGTHS[:, None]] = np.nan
    return x


def activate(name: str, z: np.ndarray) -> np.ndarray:
    """The definitions, for one vector."""
    return {
        "linear": lambda: z,
        "relu": lambda: np.array([max(value, 0.0) for value in z]),
        "sigmoid": lambda: 1 / (1 + np.exp(-z)),
        "tanh": lambda: np.sinh(z) / np.cosh(z),
        "softmax": lambda: np.exp(z) / np.exp(z).sum(),
    }[name]()


def check_gradients(layer: Layer, x: np.ndarray, slope: Slope, lengths: np.ndarray | None, ids: bool = False) -> None:
    """Gradients of sum(w * y), w random, against central differences; NaN in the padding of dy."""
    y, cache = layer.forward(x, lengths)
    w = np.random.default_rng(9).normal(size=y.shape)
    dy = w.copy()
    if lengths is not None and y.ndim == 3:
        dy[np.arange(T) >= lengths[:, None]] = np.nan

    def objective() -> float:
        return float((w * layer.forward(x, lengths)[0]).sum())

    for _ in range(2):  # gradients add up
        dx, dstate = layer.backward(dy, cache)
    assert dstate == ()
    for name, grad in layer.grads.items():
        with layer.params.editing() as arrays:
            numeric = slope(objective, arrays[name])
        np.testing.assert_allclose(grad, 2 * numeric, atol=1e-8)
    if ids:
        assert dx is None
        return
    inside = np.ones(x.shape, bool) if lengths is None else np.isfinite(x)
    expected = np.where(inside, slope(objective, x), 0.0)
    np.testing.assert_allclose(dx, expected, atol=1e-8)
    assert layer.backward(dy, cache, input_grad=False)[0] is None


def check_batch_does_not_matter(layer: Layer, x: np.ndarray, lengths: np.ndarray) -> None:
    """Every sequence alone, without padding, gives the same bits as in the batch."""
    y, _ = layer.forward(x, lengths, training=False)
    for row, length in enumerate(lengths):
        alone, _ = layer.forward(x[row : row + 1, :length], training=False)
        whole = y[row : row + 1, :length] if y.ndim == 3 else y[row : row + 1]
        np.testing.assert_array_equal(whole, alone)


class TestDense:
    def layer(self, activation: str | None = None, **options: Any) -> Dense:
        layer = Dense(U, activation, bias_initializer="random_normal", **options)
        return layer.build(F, seed=3, dtype="float64")

    @pytest.mark.parametrize("activation", [None, *ACTIVATIONS])
    def test_equation(self, activation: str | None) -> None:
        layer, x = self.layer(activation), sequences()
        y, _ = layer.forward(x, LENGTHS)
        w, b = layer.params["weight"], layer.params["bias"]
        for row in range(B):
            for t in range(T):
                z = np.array([sum(w[u, f] * x[row, t, f] for f in range(F)) + b[u] for u in range(U)])
                expected = activate(activation or "linear", z) if t < LENGTHS[row] else np.zeros(U)
                np.testing.assert_allclose(y[row, t], expected, rtol=1e-12)

    @pytest.mark.parametrize("activation", ACTIVATIONS)
    @pytest.mark.parametrize("lengths", [None, LENGTHS])
    def test_gradients(self, activation: str, lengths: np.ndarray | None, slope: Slope) -> None:
        x = sequences() if lengths is not None else np.random.default_rng(1).normal(size=(B, T, F))
        check_gradients(self.layer(activation), x, slope, lengths)

    @pytest.mark.parametrize("use_bias", [True, False])
    def test_vectors(self, use_bias: bool, slope: Slope) -> None:
        layer, x = self.layer(use_bias=use_bias), np.random.default_rng(2).normal(size=(B, F))
        assert set(layer.params) == ({"weight", "bias"} if use_bias else {"weight"})
        expected = (x[:, None, :] * layer.params["weight"]).sum(axis=2)
        if use_bias:
            expected = expected + layer.params["bias"]
        np.testing.assert_allclose(layer(x), expected, rtol=1e-13)
        check_gradients(layer, x, slope, None)

    def test_batch_does_not_matter(self) -> None:
        x = np.random.default_rng(6).normal(size=(B, T, 33)).astype(np.float32)
        check_batch_does_not_matter(Dense(7).build(33, seed=0), x, LENGTHS)

    def test_step_equals_sequence(self) -> None:
        layer, x = self.layer("tanh"), np.random.default_rng(4).normal(size=(B, T, F))
        for t in range(T):
            y_t, state = layer.step(x[:, t])
            assert state == ()
            np.testing.assert_array_equal(y_t, layer(x)[:, t])

    def test_strides_and_types(self) -> None:
        layer, x = self.layer(), np.random.default_rng(4).normal(size=(B, T, F))
        expected = layer(x)
        np.testing.assert_array_equal(layer(np.asfortranarray(x)), expected)
        np.testing.assert_array_equal(layer(x.transpose(1, 0, 2).copy().transpose(1, 0, 2)), expected)
        np.testing.assert_array_equal(layer(np.repeat(x, 2, axis=2)[..., ::2]), expected)
        whole = np.arange(B * F).reshape(B, F)
        np.testing.assert_array_equal(layer(whole), layer(whole.astype(np.float64)))

    def test_inputs_stay_as_they_are(self) -> None:
        layer, x = self.layer("relu"), sequences()
        before = x.copy()
        y, cache = layer.forward(x, LENGTHS)
        dy = np.ones_like(y)
        layer.backward(dy, cache)
        np.testing.assert_array_equal(x, before)
        assert (dy == 1).all()

    def test_no_cache_outside_training(self) -> None:
        assert self.layer().forward(sequences(), LENGTHS, training=False)[1] is None

    def test_extreme_inputs_don_t_overflow(self) -> None:
        for activation in ("sigmoid", "softmax"):
            layer = Dense(2, activation, kernel_initializer="ones").build(1, dtype="float64")
            layer.params["weight"] = [[1.0], [-1.0]]
            expected = [[1.0, 0.0]]
            np.testing.assert_array_equal(layer(np.array([[1e4]])), expected)

    def test_config_rebuilds_an_equal_layer(self) -> None:
        layer = Dense(4, "tanh", False, "orthogonal", "ones", input_shape=(None, 3))
        again = Dense.from_config(layer.config())
        assert again.config() == layer.config()
        assert repr(again) == repr(layer)
        assert again.input_shape == (None, 3)
        assert set(again.build(3).params) == {"weight"}
        twin = Dense.from_config(layer.config()).build(3, seed=1)
        np.testing.assert_array_equal(twin.params["weight"], layer.build(3, seed=1).params["weight"])

    def test_errors(self) -> None:
        with pytest.raises(ConfigError, match="dense: units must be a positive integer, got 0"):
            Dense(0)
        with pytest.raises(ConfigError, match="no activation named 'rleu'; did you mean 'relu'"):
            Dense(1, "rleu")
        with pytest.raises(NotBuiltError, match="dense"):
            Dense(1).forward(np.ones((1, 2)))
        layer = self.layer()
        with pytest.raises(ShapeError, match=r"dense: x has shape \(5, 4\), expected \(5, 3\)"):
            layer.forward(np.ones((5, 4)))
        with pytest.raises(ShapeError, match=r"dense: lengths\[0\] is 9, expected 0 to 4"):
            layer.forward(np.ones((1, T, F)), np.array([9]))
        with pytest.raises(ShapeError, match="only sequences have lengths"):
            layer.forward(np.ones((1, F)), np.array([1]))
        with pytest.raises(ShapeError, match="4 dimensions"):
            layer.forward(np.ones((1, 1, 1, F)))
        with pytest.raises(DTypeError, match="real numbers"):
            layer.forward(np.full((1, F), "a"))
        _, cache = layer.forward(np.ones((2, F)))
        with pytest.raises(ShapeError, match=r"dy has shape \(2, 3\), expected \(2, 2\)"):
            layer.backward(np.ones((2, 3)), cache)
        assert (layer.grads["weight"] == 0).all()


class TestDropout:
    def test_scales_and_drops(self) -> None:
        layer = Dropout(0.25).build(50, seed=0, dtype="float64")
        x = np.random.default_rng(0).normal(size=(40, 10, 50))
        y, _ = layer.forward(x)
        dropped = y == 0
        assert dropped.mean() == pytest.approx(0.25, abs=0.02)
        np.testing.assert_allclose(y[~dropped], x[~dropped] / 0.75, rtol=1e-15)

    def test_gradient_uses_the_same_mask(self) -> None:
        layer = Dropout(0.5).build(F, seed=0, dtype="float64")
        y, cache = layer.forward(np.ones((B, T, F)))
        dy = np.random.default_rng(1).normal(size=y.shape)
        np.testing.assert_array_equal(layer.backward(dy, cache)[0], dy * y)

    def test_outside_training_nothing_happens(self) -> None:
        layer, x = Dropout(0.9).build(F, dtype="float64"), np.random.default_rng(1).normal(size=(B, T, F))
        np.testing.assert_array_equal(layer(x), x)
        np.testing.assert_array_equal(layer.step(x[:, 0])[0], x[:, 0])
        check_batch_does_not_matter(layer, sequences(), LENGTHS)

    def test_padding_does_not_change_the_mask(self) -> None:
        short, long = (Dropout(0.5, seed=4).build(F, dtype="float64") for _ in range(2))
        x = sequences()
        wide = np.concatenate([x, np.full((B, 3, F), np.nan)], axis=1)
        y, _ = short.forward(x, LENGTHS)
        y_wide, _ = long.forward(wide, LENGTHS)
        np.testing.assert_array_equal(y_wide[:, :T], y)
        assert np.isfinite(y_wide).all()
        assert (y_wide[:, T:] == 0).all()

    def test_gradient_of_padding_is_zero(self) -> None:
        layer = Dropout(0.5).build(F, seed=0, dtype="float64")
        _, cache = layer.forward(sequences(), LENGTHS)
        dx, _ = layer.backward(sequences(3), cache)  # NaN in the padding of dy too
        outside = np.arange(T) >= LENGTHS[:, None]
        assert (dx[outside] == 0).all()
        assert np.isfinite(dx).all()

    def test_seeds(self) -> None:
        def masks(seed: int | None, build_seed: int) -> np.ndarray:
            return Dropout(0.5, seed=seed).build(F, seed=build_seed).forward(np.ones((B, T, F)))[0]

        np.testing.assert_array_equal(masks(None, 1), masks(None, 1))
        np.testing.assert_array_equal(masks(5, 1), masks(5, 2))
        assert (masks(None, 1) != masks(None, 2)).any()
        layer = Dropout(0.5).build(F, seed=1)
        assert (layer.forward(np.ones((B, T, F)))[0] != layer.forward(np.ones((B, T, F)))[0]).any()

    def test_shared_generator_is_left_alone(self) -> None:
        shared = np.random.default_rng(0)
        layer = Dropout(0.5).build(F, seed=shared)
        state = shared.bit_generator.state
        layer.forward(np.ones((B, T, F)))
        assert shared.bit_generator.state == state

    @pytest.mark.parametrize("rate", [1.0, -0.1, np.nan, "0.5", True])
    def test_rate_is_checked(self, rate: Any) -> None:
        with pytest.raises(ConfigError, match="dropout: rate must be a number of at least 0 and below 1"):
            Dropout(rate)

    def test_config(self) -> None:
        config = {"rate": 0.3, "seed": 2, "noise_shape": [None, 1, None]}
        assert Dropout.from_config(Dropout(0.3, 2, (None, 1, None)).config()).config() == config


class TestEmbedding:
    V = 6

    def layer(self) -> Embedding:
        return Embedding(self.V, F).build(seed=2, dtype="float64")

    def ids(self) -> np.ndarray:
        ids = np.random.default_rng(5).integers(0, self.V, size=(B, T))
        ids[np.arange(T) >= LENGTHS[:, None]] = -999  # never looked at
        return ids

    def test_rows_of_the_table(self) -> None:
        layer, ids = self.layer(), self.ids()
        y, _ = layer.forward(ids, LENGTHS)
        for row in range(B):
            for t in range(T):
                expected = layer.params["weight"][ids[row, t]] if t < LENGTHS[row] else np.zeros(F)
                np.testing.assert_array_equal(y[row, t], expected)

    def test_gradients(self, slope: Slope) -> None:
        ids = self.ids()
        assert len(np.unique(ids[ids >= 0])) < (ids >= 0).sum()  # some ids come twice
        check_gradients(self.layer(), ids, slope, LENGTHS, ids=True)

    def test_batch_does_not_matter(self) -> None:
        check_batch_does_not_matter(self.layer(), self.ids(), LENGTHS)

    def test_list_of_ids(self) -> None:
        layer = Embedding(self.V, F)
        first, second = layer([np.array([1, 5, 2]), np.array([3])])
        np.testing.assert_array_equal(first, layer.params["weight"][[1, 5, 2]])
        np.testing.assert_array_equal(second, layer.params["weight"][[3]])

    def test_step(self) -> None:
        layer = self.layer()
        np.testing.assert_array_equal(layer.step(np.array([4, 0]))[0], layer.params["weight"][[4, 0]])

    def test_all_empty(self) -> None:
        layer = self.layer()
        y, cache = layer.forward(np.zeros((2, 3), int), np.array([0, 0]))
        layer.backward(np.ones_like(y), cache)
        assert (y == 0).all()
        assert (layer.grads["weight"] == 0).all()

    def test_errors(self) -> None:
        layer = self.layer()
        for wrong in (self.V, -1):
            with pytest.raises(DataError, match=rf"embedding: x holds the id {wrong}, expected 0 to 5"):
                layer.forward(np.array([[0, wrong]]))
        with pytest.raises(DTypeError, match="ids must be integers, got dtype float64"):
            layer.forward(np.array([[0.0]]))
        with pytest.raises(ShapeError, match=r"x has shape \(1, 1, 1\), expected ids"):
            layer.forward(np.array([[[0]]]))
        with pytest.raises(ConfigError, match="input_size must be 1"):
            Embedding(3, 2).build(3)

    def test_config(self) -> None:
        layer = Embedding(3, 2, "random_normal")
        assert Embedding.from_config(layer.config()).config() == layer.config()


class TestLastStep:
    def test_last_valid_step(self) -> None:
        x = sequences()
        y = LastStep().build(F, dtype="float64").forward(x, LENGTHS)[0]
        expected = [x[row, length - 1] if length else np.zeros(F) for row, length in enumerate(LENGTHS)]
        np.testing.assert_array_equal(y, expected)

    @pytest.mark.parametrize("lengths", [None, LENGTHS])
    def test_gradients(self, lengths: np.ndarray | None, slope: Slope) -> None:
        x = sequences() if lengths is not None else np.random.default_rng(1).normal(size=(B, T, F))
        check_gradients(LastStep().build(F, dtype="float64"), x, slope, lengths)

    def test_batch_does_not_matter(self) -> None:
        check_batch_does_not_matter(LastStep().build(F, dtype="float64"), sequences(), LENGTHS)

    def test_lists_and_steps(self) -> None:
        layer = LastStep().build(1, dtype="float64")
        assert layer([np.array([[1.0], [2.0]]), np.array([[3.0]])]).tolist() == [[2.0], [3.0]]
        assert layer.step(np.array([[4.0]]))[0].tolist() == [[4.0]]
        assert layer(np.ones((2, 0, 1))).tolist() == [[0.0], [0.0]]

    def test_errors(self) -> None:
        layer = LastStep().build(F)
        with pytest.raises(ShapeError, match=r"last_step: x has shape \(2, 3\), expected \(batch, time, features\)"):
            layer.forward(np.ones((2, F)))
        _, cache = layer.forward(np.ones((2, T, F)))
        with pytest.raises(ShapeError, match=r"dy has shape \(3, 3\), expected \(2, 3\)"):
            layer.backward(np.ones((3, F)), cache)


class TestRepeatVector:
    def test_values_and_gradients(self) -> None:
        layer, x = RepeatVector(3).build(F, dtype="float64"), np.random.default_rng(0).normal(size=(B, F))
        y, cache = layer.forward(x)
        np.testing.assert_array_equal(y, np.stack([x, x, x], axis=1))
        dy = np.random.default_rng(1).normal(size=y.shape)
        np.testing.assert_allclose(layer.backward(dy, cache)[0], dy[:, 0] + dy[:, 1] + dy[:, 2], rtol=1e-14)

    def test_it_is_no_step_of_a_stream(self) -> None:
        with pytest.raises(ConfigError, match="one vector gives a whole sequence"):
            RepeatVector(3).build(F).step(np.zeros((1, F)))
        with pytest.raises(ShapeError, match=r"repeat_vector: x has shape \(2, 3, 3\), expected \(batch, 3\)"):
            RepeatVector(3).build(F).forward(np.zeros((2, 3, F)))

    def test_sequences_to_others_of_another_length(self) -> None:
        """The lengths of the input are none of the output."""
        layers = [seqkit.LSTM(5), RepeatVector(4), seqkit.GRU(3, return_sequences=True), Dense(2)]
        model = seqkit.Sequential(layers, seed=0, dtype="float64")
        rng = np.random.default_rng(0)
        x, y = [rng.normal(size=(n, F)) for n in (6, 1, 3, 9)], rng.normal(size=(4, 4, 2))
        found = model.predict(x)
        assert found.shape == (4, 4, 2)
        for row, sequence in enumerate(x):
            np.testing.assert_array_equal(model.predict(sequence[None])[0], found[row])
        model.compile("adam", "mse")
        np.testing.assert_allclose(model.evaluate(x, y), ((found - y) ** 2).mean(), rtol=1e-12)
        history = model.fit(x, y, epochs=20, verbose=0).history["loss"]
        assert history[-1] < history[0]
