"""Activation functions of feed-forward layers, with their exact gradients.

Legend: F features (last axis).
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from seqkit.options import by_name


class Activation(NamedTuple):
    """A function of the pre-activation z and its gradient, written in terms of the output y."""

    forward: Callable[[np.ndarray], np.ndarray]
    """z to y, shape (..., F)."""
    backward: Callable[[np.ndarray, np.ndarray], np.ndarray]
    """dy, y to dz, shape (..., F)."""


def _linear(z: np.ndarray) -> np.ndarray:
    return z


def _linear_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    return dy


def _relu(z: np.ndarray) -> np.ndarray:
    return np.maximum(z, 0)


def _relu_backward(dy: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.where(y > 0, dy, 0)


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


# Functions with names, no lambdas: a model must be picklable.
ACTIVATIONS = MappingProxyType(
    {
        "linear": Activation(_linear, _linear_backward),
        "relu": Activation(_relu, _relu_backward),
        "sigmoid": Activation(_sigmoid, _sigmoid_backward),
        "tanh": Activation(np.tanh, _tanh_backward),
        "softmax": Activation(_softmax, _softmax_backward),
    }
)


def get(name: str | None) -> Activation:
    """The activation called `name`; None is "linear".

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
    return by_name(ACTIVATIONS, "linear" if name is None else name, "activation")
