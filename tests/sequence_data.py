"""Small tasks of random sequences for the tests of estimators."""

from __future__ import annotations

from typing import Any

import numpy as np


def ragged(count: int = 40, features: int = 2, seed: int = 0) -> list[np.ndarray]:
    """Sequences of 3 to 12 steps; every feature has a mean and a scale of its own."""
    rng = np.random.default_rng(seed)
    unit, mean = 10.0 ** np.arange(features), np.arange(features) - 3.0
    return [mean + unit * rng.standard_normal((steps, features)) for steps in rng.integers(3, 13, size=count)]


def means(X: Any) -> np.ndarray:
    """What a regressor has to learn: the mean of the first feature."""
    return np.array([row[:, 0].mean() for row in X])


def names(X: Any, classes: tuple[str, ...] = ("low", "high")) -> np.ndarray:
    """What a classifier has to learn: in which part of all means the mean of the first feature lies."""
    order = means(X).argsort().argsort()
    return np.array(classes)[order * len(classes) // len(order)]
