"""Activation functions of feed-forward layers, with their exact gradients.

Legend: F features (last axis).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from seqkit.errors import ConfigError
from seqkit.options import by_name


class Activation(NamedTuple):
    """A function of the pre-activation z and its gradient, written in terms of the output y or, where that does not
    determine it, of z."""

    forward: Callable[[np.ndarray], np.ndarray]
    """z to y, shape (..., F)."""
    backward: Callable[[np.ndarray, np.ndarray], np.ndarray]
    """dy, y (or z) to dz, shape (..., F)."""
    of_input: bool = False
    """Whether `backward` takes z in place of y."""

    def kept(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        """What `backward` needs."""
        return z if self.of_input else y


def _linear(z: np.ndarray) -> np.ndarray:
    return z


def _linear_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    return dy


def _relu(z: np.ndarray) -> np.ndarray:
    return np.maximum(z, 0)


def _where(inside: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """``np.where(inside, dy, 0)`` without a branch for every number, which processors cannot foresee."""
    whole = np.dtype(f"int{8 * dy.itemsize}")
    return (dy.view(whole) & -inside.astype(whole)).view(dy.dtype)


def _relu_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _where(y > 0, dy)


def _sigmoid(z: np.ndarray) -> np.ndarray:
    small = np.exp(-np.abs(z))  # never overflows
    return np.where(z >= 0, 1, small) / (1 + small)


def _sigmoid_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    return dy * y * (1 - y)


def _tanh_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    return dy * (1 - y * y)


def _softmax(z: np.ndarray) -> np.ndarray:
    powers = np.exp(z - z.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _softmax_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    return y * (dy - (dy * y).sum(axis=-1, keepdims=True))


def _log_softmax(z: np.ndarray) -> np.ndarray:
    centred = z - z.max(axis=-1, keepdims=True)
    return centred - np.log(np.exp(centred).sum(axis=-1, keepdims=True))


def _log_softmax_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    return dy - np.exp(y) * dy.sum(axis=-1, keepdims=True)


def _elu(z: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    return np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0)))


def _elu_backward(dy: np.ndarray, y: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    return np.where(y > 0, dy, dy * (y + alpha))


_SCALE, _ALPHA = 1.0507009873554805, 1.6732632423543772  # of Klambauer et al., 2017


def _selu(z: np.ndarray) -> np.ndarray:
    return _SCALE * np.where(z > 0, z, _ALPHA * np.expm1(np.minimum(z, 0)))


def _selu_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    return dy * np.where(y > 0, _SCALE, y + _SCALE * _ALPHA)


def _exp_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    return dy * y


def _softplus(z: np.ndarray) -> np.ndarray:
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def _softplus_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    return dy * -np.expm1(-y)


def _softsign(z: np.ndarray) -> np.ndarray:
    return z / (1 + np.abs(z))


def _softsign_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    return dy * (1 - np.abs(y)) ** 2


def _hard_sigmoid(z: np.ndarray) -> np.ndarray:
    return np.clip(z / 6 + 0.5, 0, 1)


def _hard_sigmoid_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _where((y > 0) & (y < 1), dy / 6)


def _relu6(z: np.ndarray) -> np.ndarray:
    return np.clip(z, 0, 6)


def _relu6_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _where((y > 0) & (y < 6), dy)


def _leaky_relu(z: np.ndarray, alpha: float = 0.01) -> np.ndarray:
    return np.where(z > 0, z, alpha * z)


def _leaky_relu_backward(dy: np.ndarray, y: np.ndarray, alpha: float = 0.01) -> np.ndarray:
    return np.where(y > 0, dy, alpha * dy)


def _hard_tanh(z: np.ndarray) -> np.ndarray:
    return np.clip(z, -1, 1)


def _hard_tanh_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _where(np.abs(y) < 1, dy)


def _log_sigmoid(z: np.ndarray) -> np.ndarray:
    return -_softplus(-z)


def _log_sigmoid_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    return dy * -np.expm1(y)


def _soft_shrink(z: np.ndarray) -> np.ndarray:
    return z - np.clip(z, -0.5, 0.5)


def _shrink_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _where(y != 0, dy)


def _hard_shrink(z: np.ndarray) -> np.ndarray:
    return np.where(np.abs(z) > 0.5, z, 0)


def _sparse_sigmoid(z: np.ndarray) -> np.ndarray:
    return np.clip(0.5 * z + 0.5, 0, 1)


def _sparse_sigmoid_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    return _where((y > 0) & (y < 1), 0.5 * dy)


# ---- functions whose output does not determine the gradient ----------------------------------------


def _silu(z: np.ndarray) -> np.ndarray:
    return z * _sigmoid(z)


def _silu_backward(dy: np.ndarray, z: np.ndarray) -> np.ndarray:
    s = _sigmoid(z)
    return dy * s * (1 + z * (1 - s))


_erf = np.vectorize(math.erf, otypes=[np.float64])  # NumPy has none


def _normal(z: np.ndarray) -> np.ndarray:
    """The normal distribution's probability of a number below z."""
    return (0.5 * (1 + _erf(z.astype(np.float64) / math.sqrt(2)))).astype(z.dtype)


def _exact_gelu(z: np.ndarray) -> np.ndarray:
    return z * _normal(z)


def _exact_gelu_backward(dy: np.ndarray, z: np.ndarray) -> np.ndarray:
    return dy * (_normal(z) + z * np.exp(-z * z / 2) / math.sqrt(2 * math.pi))


def _mish(z: np.ndarray) -> np.ndarray:
    return z * np.tanh(_softplus(z))


def _mish_backward(dy: np.ndarray, z: np.ndarray) -> np.ndarray:
    t = np.tanh(_softplus(z))
    return dy * (t + z * (1 - t * t) * _sigmoid(z))


def _hard_silu(z: np.ndarray) -> np.ndarray:
    return z * _hard_sigmoid(z)


def _hard_silu_backward(dy: np.ndarray, z: np.ndarray) -> np.ndarray:
    return dy * (_hard_sigmoid(z) + np.where(np.abs(z) < 3, z / 6, 0))


def _tanh_shrink(z: np.ndarray) -> np.ndarray:
    return z - np.tanh(z)


def _tanh_shrink_backward(dy: np.ndarray, z: np.ndarray) -> np.ndarray:
    return dy * np.tanh(z) ** 2


def _squareplus(z: np.ndarray) -> np.ndarray:
    return 0.5 * (z + np.sqrt(z * z + 4))


def _squareplus_backward(dy: np.ndarray, z: np.ndarray) -> np.ndarray:
    return dy * 0.5 * (1 + z / np.sqrt(z * z + 4))


def _sparse_plus(z: np.ndarray) -> np.ndarray:
    return np.clip(0.5 * z + 0.5, 0, 1) ** 2 + np.maximum(z - 1, 0)


def _sparse_plus_backward(dy: np.ndarray, z: np.ndarray) -> np.ndarray:
    return dy * _sparse_sigmoid(z)


# Functions with names, no lambdas: a model must be picklable.
ACTIVATIONS = MappingProxyType(
    {
        "linear": Activation(_linear, _linear_backward),
        "relu": Activation(_relu, _relu_backward),
        "sigmoid": Activation(_sigmoid, _sigmoid_backward),
        "tanh": Activation(np.tanh, _tanh_backward),
        "softmax": Activation(_softmax, _softmax_backward),
        "log_softmax": Activation(_log_softmax, _log_softmax_backward),
        "elu": Activation(_elu, _elu_backward),
        "selu": Activation(_selu, _selu_backward),
        "exp": Activation(np.exp, _exp_backward),
        "softplus": Activation(_softplus, _softplus_backward),
        "softsign": Activation(_softsign, _softsign_backward),
        "hard_sigmoid": Activation(_hard_sigmoid, _hard_sigmoid_backward),
        "relu6": Activation(_relu6, _relu6_backward),
        "leaky_relu": Activation(_leaky_relu, _leaky_relu_backward),
        "hard_tanh": Activation(_hard_tanh, _hard_tanh_backward),
        "log_sigmoid": Activation(_log_sigmoid, _log_sigmoid_backward),
        "soft_shrink": Activation(_soft_shrink, _shrink_backward),
        "hard_shrink": Activation(_hard_shrink, _shrink_backward),
        "sparse_sigmoid": Activation(_sparse_sigmoid, _sparse_sigmoid_backward),
        "silu": Activation(_silu, _silu_backward, of_input=True),
        "exact_gelu": Activation(_exact_gelu, _exact_gelu_backward, of_input=True),
        "mish": Activation(_mish, _mish_backward, of_input=True),
        "hard_silu": Activation(_hard_silu, _hard_silu_backward, of_input=True),
        "tanh_shrink": Activation(_tanh_shrink, _tanh_shrink_backward, of_input=True),
        "squareplus": Activation(_squareplus, _squareplus_backward, of_input=True),
        "sparse_plus": Activation(_sparse_plus, _sparse_plus_backward, of_input=True),
    }
)


PARAMETRIC = ("leaky_relu", "elu")
"""Activations that take an alpha: what is below 0 is that much smaller, and may not change its sign."""


def get(choice: str | Mapping[str, Any] | None) -> Activation:
    """The activation called so; None is "linear".

    Parameters
    ----------
    choice : str, mapping or None
        A name, or ``{"name": "leaky_relu", "alpha": 0.2}`` with a positive number of one's own.

    Raises
    ------
    ConfigError
        If there is none; the message lists the names.

    Examples
    --------
    >>> import numpy as np
    >>> get("softmax").forward(np.array([[0.0, np.log(3.0)]])).round(3).tolist()
    [[0.25, 0.75]]
    """
    if not isinstance(choice, Mapping):
        return by_name(ACTIVATIONS, "linear" if choice is None else choice, "activation")
    name, alpha = choice.get("name"), choice.get("alpha")
    found: Any = by_name(ACTIVATIONS, str(name), "activation")
    number = isinstance(alpha, (int, float)) and not isinstance(alpha, bool) and 0 < alpha < math.inf
    if set(choice) != {"name", "alpha"} or name not in PARAMETRIC or not number:
        raise ConfigError(f"activation: only {' and '.join(PARAMETRIC)} take an alpha above 0, got {dict(choice)!r}.")
    return Activation(partial(found.forward, alpha=alpha), partial(found.backward, alpha=alpha))
