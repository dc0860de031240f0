"""Numbers for every sequence.

Legend: n sequences, K numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_array
from sklearn.utils.validation import check_consistent_length

from seqkit.errors import ShapeError
from seqkit.estimators.base import Head, SequenceEstimator
from seqkit.options import by_name

LOSSES = {name: name for name in ("mse", "mae", "huber")}


@dataclass(eq=False, repr=False, kw_only=True)
class SequenceRegressor(RegressorMixin, SequenceEstimator):
    """Predicts one or several numbers of whole sequences; options and other attributes are those of
    :class:`~seqkit.estimators.base.SequenceEstimator`.

    Targets are scaled to mean 0 and standard deviation 1 for the network.

    Parameters
    ----------
    loss : {"mse", "mae", "huber"}
        What is made small: the mean squared error (the prediction is a mean), the mean absolute
        error (a median), or Huber's, squared up to one standard deviation of the target.

    Attributes
    ----------
    target_mean_, target_scale_ : ndarray, (K,)
        Mean and standard deviation of the targets, 1 where they don't vary.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.standard_normal((steps, 2)) for steps in rng.integers(5, 20, size=60)]
    >>> y = np.array([x[:, 0].mean() for x in X])
    >>> regressor = SequenceRegressor(units=8, epochs=30, random_state=0).fit(X, y)
    >>> regressor.score(X, y) > 0.9
    True
    """

    loss: str = "mse"

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def predict(self, X: Any) -> np.ndarray:
        """Numbers for every sequence, (n,), or (n, K) where the targets had two axes."""
        outputs = self._outputs(X)
        values = outputs * self.target_scale_ + self.target_mean_
        return values if self.target_columns_ else values[:, 0]

    def _targets(self, y: Any, sequences: list[np.ndarray], weights: np.ndarray | None, reset: bool) -> np.ndarray:
        values = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y", estimator=self)
        check_consistent_length(sequences, values)
        columns = values.reshape(len(values), -1)
        if reset:
            scaler = StandardScaler().fit(columns, sample_weight=weights)
            self.target_mean_, self.target_scale_ = scaler.mean_, scaler.scale_
            self.target_columns_ = values.ndim > 1
        if columns.shape[1] != len(self.target_mean_):
            raise ShapeError(f"{self._name}: y has {columns.shape[1]} columns, expected {len(self.target_mean_)}.")
        return (columns - self.target_mean_) / self.target_scale_

    def _head(self) -> Head:
        return Head(len(self.target_mean_), None, by_name(LOSSES, self.loss, "loss"))
