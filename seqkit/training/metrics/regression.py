"""Metrics of numbers.

Legend: N vectors or valid steps, K outputs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seqkit.training.metrics.base import Mean, Metric, rows_of


class RootMeanSquaredError(Mean):
    """``sqrt(1/(N K) sum (y_pred - y_true)^2)`` over all of an epoch.

    Examples
    --------
    >>> import numpy as np
    >>> RootMeanSquaredError()([0.0, 0.0], np.array([[1.0], [7.0]]))
    5.0
    """

    name = "rmse"

    def _terms(self, y_true: Any, y_pred: np.ndarray, lengths: Any) -> np.ndarray:
        true, pred = rows_of(y_true, y_pred, lengths, self.name)
        return np.square(pred - true)

    def result(self, sums: np.ndarray) -> float:
        return float(np.sqrt(super().result(sums)))


class R2(Metric):
    """``1 - sum (y_true - y_pred)^2 / sum (y_true - mean y_true)^2``, averaged over the outputs.

    Notes
    -----
    An output whose targets are constant counts 1 where it is exact and 0 where not, as in
    scikit-learn.  Batches are joined by the update of Chan, Golub and LeVeque, "Algorithms for
    computing the sample variance", The American Statistician 37, 1983, which does not cancel.

    Examples
    --------
    >>> import numpy as np
    >>> R2()([1.0, 2.0, 3.0], np.array([[1.0], [2.0], [4.0]]))
    0.5
    """

    name = "r2"

    def sums(self, y_true: Any, y_pred: np.ndarray, lengths: Any = None) -> np.ndarray:
        """N, mean of the targets, sum of their squared deviations, sum of squared errors: (4, K)."""
        true, pred = rows_of(y_true, y_pred, lengths, self.name)
        mean = true.sum(axis=0) / max(len(true), 1)
        deviations, errors = np.square(true - mean).sum(axis=0), np.square(true - pred).sum(axis=0)
        return np.stack([np.full_like(mean, len(true)), mean, deviations, errors])

    def join(self, total: np.ndarray, sums: np.ndarray) -> np.ndarray:
        count = total[0] + sums[0]
        share = sums[0] / np.maximum(count, 1)
        step = sums[1] - total[1]
        deviations = total[2] + sums[2] + np.square(step) * total[0] * share
        return np.stack([count, total[1] + step * share, deviations, total[3] + sums[3]])

    def result(self, sums: np.ndarray) -> float:
        deviations, errors = sums[2], sums[3]
        constant = deviations == 0
        ratio = np.where(constant, errors > 0, errors / np.where(constant, 1, deviations))
        return float(1 - ratio.mean())
