"""Activations of feed-forward layers: their definitions, their gradients, and what floats do to them."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable

import numpy as np
import pytest

import seqkit
from seqkit import activations
from seqkit.errors import ConfigError

Slope = Callable[[Callable[[], float], np.ndarray], np.ndarray]
Z = np.random.default_rng(0).normal(size=(40, 5)) * 2.5


def definitions(z: np.ndarray) -> dict[str, np.ndarray]:
    sigmoid, softplus = 1 / (1 + np.exp(-z)), np.log(1 + np.exp(z))
    normal = np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in z.ravel()]).reshape(z.shape)
    softmax = np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True)
    return {
        "linear": z,
        "relu": np.where(z > 0, z, 0),
        "sigmoid": sigmoid,
        "tanh": (np.exp(2 * z) - 1) / (np.exp(2 * z) + 1),
        "softmax": softmax,
        "log_softmax": np.log(softmax),
        "elu": np.where(z > 0, z, np.exp(z) - 1),
        "selu": 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * (np.exp(z) - 1)),
        "exp": np.exp(z),
        "softplus": softplus,
        "softsign": z / (1 + np.abs(z)),
        "hard_sigmoid": np.where(z < -3, 0, np.where(z > 3, 1, (z + 3) / 6)),
        "relu6": np.where(z < 0, 0, np.where(z > 6, 6, z)),
        "leaky_relu": np.where(z < 0, z / 100, z),
        "hard_tanh": np.where(z < -1, -1, np.where(z > 1, 1, z)),
        "log_sigmoid": np.log(sigmoid),
        "soft_shrink": np.where(z > 0.5, z - 0.5, np.where(z < -0.5, z + 0.5, 0)),
        "hard_shrink": np.where((z > 0.5) | (z < -0.5), z, 0),
        "sparse_sigmoid": np.where(z < -1, 0, np.where(z > 1, 1, (z + 1) / 2)),
        "silu": z * sigmoid,
        "exact_gelu": z * normal,
        "mish": z * np.tanh(softplus),
        "hard_silu": z * np.where(z < -3, 0, np.where(z > 3, 1, (z + 3) / 6)),
        "tanh_shrink": z - np.tanh(z),
        "squareplus": (z + np.sqrt(z**2 + 4)) / 2,
        "sparse_plus": np.where(z < -1, 0, np.where(z > 1, z, (z + 1) ** 2 / 4)),
    }


def test_definitions() -> None:
    expected = definitions(Z)
    assert set(expected) == set(activations.ACTIVATIONS)
    for name, y in expected.items():
        kept = Z.copy()
        np.testing.assert_allclose(activations.get(name).forward(Z), y, rtol=1e-10, atol=1e-14, err_msg=name)
        np.testing.assert_array_equal(kept, Z)


@pytest.mark.parametrize("name", activations.ACTIVATIONS)
@pytest.mark.parametrize("make", ["activation", "dense"])
def test_gradients(name: str, make: str, slope: Slope) -> None:
    layer = seqkit.create("activation", name) if make == "activation" else seqkit.Dense(3, name)
    layer.build(5, seed=0, dtype="float64")
    x = Z[:6].copy()
    y, cache = layer.forward(x)
    w = np.random.default_rng(1).normal(size=y.shape)
    dx, _ = layer.backward(w, cache)
    np.testing.assert_allclose(dx, slope(lambda: float((w * layer.forward(x)[0]).sum()), x), atol=1e-7)


@pytest.mark.parametrize("name", sorted(set(activations.ACTIVATIONS) - {"exp"}))
def test_large_numbers_and_types(name: str) -> None:
    function = activations.get(name)
    for dtype in (np.float32, np.float64):
        z = np.array([[-1e4, -90.0, -20.0, 0.0, 20.0, 90.0, 1e4]], dtype)
        with np.errstate(over="raise", invalid="raise"):
            y = function.forward(z)
            dz = function.backward(np.ones_like(z), function.kept(z, y))
        assert y.dtype == dz.dtype == dtype
        assert np.isfinite(y).all()
        assert np.isfinite(dz).all()


def test_numbers_of_ones_own() -> None:
    layer = seqkit.Activation({"name": "leaky_relu", "alpha": 0.25}).build(2, dtype="float64")
    assert layer(np.array([[-2.0, 3.0]])).tolist() == [[-0.5, 3.0]]
    _y, cache = pickle.loads(pickle.dumps(layer)).forward(np.array([[-2.0, 3.0]]))
    assert layer.backward(np.ones((1, 2)), cache)[0].tolist() == [[0.25, 1.0]]
    elu = activations.get({"name": "elu", "alpha": 2.0})
    np.testing.assert_allclose(elu.forward(np.array([-1.0, 1.0])), [2 * np.expm1(-1), 1])
    np.testing.assert_allclose(elu.backward(np.ones(2), elu.forward(np.array([-1.0, 1.0]))), [2 * np.exp(-1), 1])


@pytest.mark.parametrize(
    "choice",
    [{"name": "relu", "alpha": 1.0}, {"name": "elu"}, {"name": "elu", "alpha": -1.0}, {"name": "elu", "alpha": True}],
)
def test_wrong_numbers(choice: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="take an alpha above 0"):
        activations.get(choice)
    with pytest.raises(ConfigError, match="no activation named"):
        activations.get({"name": "no", "alpha": 1.0})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["relu", "relu6", "hard_tanh"])
def test_nothing_passes_where_a_function_is_constant(name: str, dtype: str) -> None:
    """Whatever comes from behind, infinity and NaN too, and in any strides."""
    activation = activations.get(name)
    z = np.random.default_rng(0).normal(0, 4, (5, 8)).astype(dtype).T
    dy = np.random.default_rng(1).standard_normal(z.shape).astype(dtype)
    dy[::3, 1], dy[::2, 2] = np.inf, np.nan
    y = activation.forward(z)
    inside = (z > {"hard_tanh": -1}.get(name, 0)) & (z < {"relu": np.inf, "relu6": 6, "hard_tanh": 1}[name])
    dz = activation.backward(dy, activation.kept(z, y))
    np.testing.assert_array_equal(dz, np.where(inside, dy, 0))
    assert dz.dtype == dtype
    assert not np.signbit(dz[~inside]).any()
