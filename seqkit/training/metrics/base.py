"""The contract of a metric.

A metric is computed from sums: `sums` gives those of one batch as an array, `join` adds them to
the sums of the batches before, `result` makes one number of the sums of a whole epoch.  So a
root or a ratio is exact over the epoch and not a mean of the batches' roots and ratios.  A
metric itself remembers nothing.

Legend: B batch, T time, N vectors or valid steps, K outputs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from seqkit.steps import Steps
from seqkit.training.losses import class_ids, same_shape

Function = Callable[[Any, np.ndarray, Any], float]


class Metric(ABC):
    """Base class; one of your own defines `sums` and `result`.

    Examples
    --------
    >>> import numpy as np
    >>> class Largest(Metric):
    ...     '''Largest error of an epoch.'''
    ...     name = "largest_error"
    ...     def sums(self, y_true, y_pred, lengths=None):
    ...         return np.abs(y_pred[:, 0] - y_true).max()
    ...     def join(self, total, sums):
    ...         return np.maximum(total, sums)
    ...     def result(self, sums):
    ...         return float(sums)
    >>> Largest()(np.array([1.0, 2.0]), np.array([[1.5], [1.0]]))
    1.0
    """

    name: str

    @property
    def label(self) -> str:
        """What the metric is called in the history."""
        return self.name

    def __call__(self, y_true: Any, y_pred: np.ndarray, lengths: Any = None) -> float:
        """The value of one batch alone.

        Parameters
        ----------
        y_true : array_like
            Targets: of the shape of `y_pred`, or, where they are class ids, without its last axis.
        y_pred : ndarray, (B, K) or (B, T, K)
            Predictions.
        lengths : array_like of int, (B,), optional
            True lengths of the sequences.
        """
        return self.result(np.asarray(self.sums(y_true, np.asarray(y_pred), lengths)))

    @abstractmethod
    def sums(self, y_true: Any, y_pred: np.ndarray, lengths: Any = None) -> np.ndarray:
        """What one batch adds, in float64."""

    def join(self, total: np.ndarray, sums: np.ndarray) -> np.ndarray:
        """The sums of two parts of an epoch taken together."""
        return total + sums

    @abstractmethod
    def result(self, sums: np.ndarray) -> float:
        """The value for these sums."""

    def config(self) -> dict[str, Any]:
        """Constructor arguments as plain values that JSON can hold."""
        return {}


class Mean(Metric):
    """A sum and the number of its terms, divided."""

    name = "mean"

    def sums(self, y_true: Any, y_pred: np.ndarray, lengths: Any = None) -> np.ndarray:
        values = self._terms(y_true, y_pred, lengths)
        return np.array([values.sum(dtype=np.float64), values.size])

    def _terms(self, y_true: Any, y_pred: np.ndarray, lengths: Any) -> np.ndarray:
        """The numbers (N,) whose mean is meant."""
        raise NotImplementedError

    def result(self, sums: np.ndarray) -> float:
        return float(sums[0] / max(sums[1], 1))


class MeanOf(Mean):
    """The mean of what a function ``(y_true, y_pred, lengths) -> float`` gives for the batches.

    Each batch counts as often as it has vectors or valid steps, as is right for a function that
    gives a mean over them.
    """

    def __init__(self, function: Function) -> None:
        self.function = function

    @property
    def label(self) -> str:
        """The name of the function."""
        return getattr(self.function, "__name__", type(self.function).__name__)

    def sums(self, y_true: Any, y_pred: np.ndarray, lengths: Any = None) -> np.ndarray:
        count = Steps.of(y_pred.shape[:-1], lengths, y_pred.dtype, self.label).count
        return np.array([self.function(y_true, y_pred, lengths) * count, count], np.float64)


def rows_of(y_true: Any, y_pred: np.ndarray, lengths: Any, owner: str) -> tuple[np.ndarray, np.ndarray]:
    """Targets and predictions of all valid steps, (N, K) and (N, K) in float64."""
    steps = Steps.of(y_pred.shape[:-1], lengths, np.dtype(np.float64), owner)
    return same_shape(y_true, y_pred, steps), steps.rows(y_pred, what="y_pred")


def classes_of(y_true: Any, y_pred: np.ndarray, lengths: Any, owner: str) -> tuple[np.ndarray, np.ndarray]:
    """Class ids (N,) and predictions (N, K) of all valid steps.

    Targets are ids, or K values of which the largest is that of the class.  With one output the
    classes are 0 and 1, and the prediction is for class 1.
    """
    steps = Steps.of(y_pred.shape[:-1], lengths, y_pred.dtype, owner)
    pred = steps.rows(y_pred, what="y_pred")
    if y_pred.shape[-1] == 1:
        return (same_shape(y_true, y_pred, steps)[:, 0] > 0.5).astype(np.int64), pred
    if np.shape(y_true) == y_pred.shape:
        return same_shape(y_true, y_pred, steps).argmax(axis=1), pred
    return class_ids(y_true, y_pred, steps), pred


def predicted_classes(pred: np.ndarray, from_logits: bool = False) -> np.ndarray:
    """Class ids (N,) of predictions (N, K): the largest, or for one output whether its probability is above 0.5."""
    least = 0.0 if from_logits else 0.5
    return (pred[:, 0] > least).astype(np.int64) if pred.shape[1] == 1 else pred.argmax(axis=1)
