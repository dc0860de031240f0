"""Metrics: numbers to watch beside the loss.

A metric is called with targets, predictions and lengths and gives a mean over samples, or over
valid steps.  Every loss of :mod:`seqkit.training.losses` is one too, by its name.

Legend: B batch, T time, K outputs.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np

from seqkit.options import by_name
from seqkit.steps import Steps
from seqkit.training.losses import LOSSES, class_ids, same_shape

Metric = Callable[[Any, np.ndarray, Any], float]


def accuracy(y_true: Any, y_pred: np.ndarray, lengths: Any = None) -> float:
    """Share of right answers.

    With one output: it is above 0.5 where the target is.  With several: the largest is that of
    the class, given as an id or as one of K values.

    Parameters
    ----------
    y_true : array_like
        Targets: of the shape of `y_pred`, or class ids without its last axis.
    y_pred : ndarray, (B, K) or (B, T, K)
        Predictions.
    lengths : array_like of int, (B,), optional
        True lengths of the sequences.

    Examples
    --------
    >>> import numpy as np
    >>> accuracy([1, 0], np.array([[0.2, 0.8], [0.4, 0.6]]))
    0.5
    """
    steps = Steps.of(y_pred.shape[:-1], lengths, y_pred.dtype, "accuracy")
    pred = steps.rows(y_pred, what="y_pred")
    if y_pred.shape[-1] == 1:
        right = (pred > 0.5) == (same_shape(y_true, y_pred, steps) > 0.5)
    elif np.shape(y_true) == y_pred.shape:
        right = pred.argmax(axis=1) == same_shape(y_true, y_pred, steps).argmax(axis=1)
    else:
        right = pred.argmax(axis=1) == class_ids(y_true, y_pred, steps)
    return float(np.count_nonzero(right) / max(steps.count, 1))


def _of_loss(name: str) -> Metric:
    return lambda y_true, y_pred, lengths: LOSSES[name]()(y_true, y_pred, None, lengths)[0]


METRICS = MappingProxyType({"accuracy": accuracy, "acc": accuracy} | {name: _of_loss(name) for name in LOSSES})


def get(metric: str | Metric) -> tuple[str, Metric]:
    """A metric and its name, from its name or the function itself.

    Raises
    ------
    ConfigError
        If no metric has the name; the message lists them.
    """
    if callable(metric):
        return getattr(metric, "__name__", type(metric).__name__), metric
    return metric, by_name(METRICS, metric, "metric")
