"""The estimators as their users call them: shapes and classes found, data scaled, a network made and trained."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from .common import ESTIMATORS

N, STEPS, FEATURES = 100, 40, 3
EPOCHS = 5


class Estimators:
    """100 sequences of 40 steps and 3 features; one convolution, 16 units, 5 epochs."""

    params = (ESTIMATORS,)
    param_names = ("estimator",)
    repeat = (3, 20, 2.0)

    def setup(self, estimator: str) -> None:
        self.estimator, self.x, self.y = fitted(estimator)

    def time_fit(self, estimator: str) -> None:
        self.estimator.fit(self.x, self.y)

    def time_predict(self, estimator: str) -> None:
        self.estimator.predict(self.x)


@cache
def fitted(name: str) -> tuple[Any, np.ndarray, np.ndarray]:
    """An estimator that has been trained once, and its data."""
    try:
        from seqkit import estimators

        make = getattr(estimators, name)
    except (ImportError, AttributeError) as error:
        raise NotImplementedError(f"there is no {name} here: {error}") from None
    rng = np.random.default_rng(0)
    x = rng.standard_normal((N, STEPS, FEATURES))
    y = x[:, -5:, 0].mean(axis=1)
    y = np.where(y > 0, "up", "down") if name == "SequenceClassifier" else y
    network = {"units": 16, "filters": 32, "kernel_size": 7}  # the same work whatever the defaults become
    return make(**network, epochs=EPOCHS, random_state=0).fit(x, y), x, y
