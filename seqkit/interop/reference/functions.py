"""Functions that more than one library names."""

from __future__ import annotations

import math

import numpy as np


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), without overflow."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def relu(x: np.ndarray) -> np.ndarray:
    """max(x, 0)."""
    return np.maximum(x, 0)


def softplus(x: np.ndarray) -> np.ndarray:
    """log(1 + exp(x)), without overflow."""
    return np.logaddexp(x, 0)


def softsign(x: np.ndarray) -> np.ndarray:
    """x / (1 + abs(x))."""
    return x / (1 + np.abs(x))


def elu(x: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    """x from 0 on, alpha (exp(x) - 1) below."""
    return np.where(x >= 0, x, alpha * np.expm1(np.minimum(x, 0)))


def leaky_relu(x: np.ndarray, alpha: float) -> np.ndarray:
    """x from 0 on, alpha x below."""
    return np.where(x >= 0, x, alpha * x)


erf = np.vectorize(math.erf, otypes=[np.float64])
