"""Losses: how far predictions are from targets, and the gradient of that.

Every loss is a mean over samples, or over the valid steps of all sequences where the model
returns sequences:

    value = 1/N sum_n w_n l(y_true_n, y_pred_n)

N counts vectors or valid steps whatever their weights, so weights multiply and don't normalise
(Keras 3's "sum_over_batch_size").  Steps past the end of a sequence are never read and get a
gradient of 0.  With N = 0 the value is 0.

Legend: B batch, T time, N vectors or valid steps, K outputs (features or classes).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from seqkit.errors import ConfigError
from seqkit.options import by_name, positive_number
from seqkit.steps import Steps
from seqkit.training.crf import CRF
from seqkit.training.ctc import CTC
from seqkit.training.loss import Loss, RowLoss, class_ids, same_shape
from seqkit.training.pinball import Pinball

__all__ = [
    "CRF",
    "CTC",
    "LOSSES",
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "Huber",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Pinball",
    "RowLoss",
    "SparseCategoricalCrossentropy",
    "class_ids",
    "get",
    "same_shape",
]


class MeanSquaredError(RowLoss):
    """``l = 1/K sum_k (y_pred - y_true)^2``."""

    name = "mse"

    def _rows(self, true: np.ndarray, pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        error = pred - true
        return np.add.reduce(np.square(error), axis=1) / pred.shape[1], error * (2.0 / pred.shape[1])


class MeanAbsoluteError(RowLoss):
    """``l = 1/K sum_k |y_pred - y_true|``; the gradient at 0 is 0."""

    name = "mae"

    def _rows(self, true: np.ndarray, pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        error = pred - true
        return np.abs(error).mean(axis=1), np.sign(error) / pred.shape[1]


class Huber(RowLoss):
    """Mean over k of ``e^2 / 2`` where ``|e| <= delta``, else ``delta (|e| - delta / 2)``.

    Source: Huber, "Robust estimation of a location parameter", Annals of Mathematical
    Statistics 35, 1964.
    """

    name = "huber"

    def __init__(self, delta: float = 1.0) -> None:
        self.delta = positive_number(delta, f"{self.name}: delta")

    def config(self) -> dict[str, Any]:
        return {"delta": self.delta}

    def _rows(self, true: np.ndarray, pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        error = pred - true
        slope = np.clip(error, -self.delta, self.delta)
        return (slope * (error - 0.5 * slope)).mean(axis=1), slope / pred.shape[1]


class _CrossEntropy(RowLoss):
    """What the cross-entropies share: predictions are probabilities, or logits.

    Probabilities are kept above the smallest normal number, not above 1e-7 as in Keras: a
    confidently wrong prediction keeps its full gradient through a softmax or sigmoid.
    """

    def __init__(self, from_logits: bool = False) -> None:
        self.from_logits = bool(from_logits)

    def config(self) -> dict[str, Any]:
        return {"from_logits": self.from_logits}

    def _above_zero(self, probabilities: np.ndarray) -> np.ndarray:
        wrong = probabilities[(probabilities < 0.0) | (probabilities > 1.0)]
        if wrong.size:
            raise ConfigError(
                f"{self.name}: the model's output holds {wrong[0]:g}, expected probabilities from 0 to 1; end the "
                f"model with a softmax or sigmoid activation, or use {type(self).__name__}(from_logits=True)."
            )
        return np.maximum(probabilities, np.finfo(probabilities.dtype).tiny)


class CategoricalCrossentropy(_CrossEntropy):
    """``l = -sum_k y_true_k log p_k`` with p the prediction, or the softmax of the logits.

    Parameters
    ----------
    from_logits : bool
        Whether predictions are logits z; then ``log p = z - max z - log sum exp(z - max z)``,
        which neither overflows nor loses small probabilities.

    Examples
    --------
    >>> import numpy as np
    >>> value, dy = CategoricalCrossentropy(from_logits=True)([[1.0, 0.0]], np.array([[0.0, 0.0]]))
    >>> round(value, 6), dy.tolist()
    (0.693147, [[-0.5, 0.5]])
    """

    name = "categorical_crossentropy"

    def _rows(self, true: np.ndarray, pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if not self.from_logits:
            p = self._above_zero(pred)
            return -(true * np.log(p)).sum(axis=1), -true / p
        log_p = _log_softmax(pred)
        return -(true * log_p).sum(axis=1), np.exp(log_p) * true.sum(axis=1, keepdims=True) - true


class SparseCategoricalCrossentropy(_CrossEntropy):
    """The categorical cross-entropy for class ids: ``l = -log p_(y_true)``.

    Parameters
    ----------
    from_logits : bool
        As for :class:`CategoricalCrossentropy`.
    """

    name = "sparse_categorical_crossentropy"

    def _targets(self, y_true: Any, y_pred: np.ndarray, steps: Steps) -> np.ndarray:
        return class_ids(y_true, y_pred, steps)

    def _rows(self, true: np.ndarray, pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        at = np.arange(len(true)), true
        if self.from_logits:
            log_p = _log_softmax(pred)
            slopes = np.exp(log_p)
            slopes[at] -= 1
            return -log_p[at], slopes
        p = self._above_zero(pred)[at]
        slopes = np.zeros_like(pred)
        slopes[at] = -1 / p
        return -np.log(p), slopes


class BinaryCrossentropy(_CrossEntropy):
    """Mean over k of ``-y_true log p - (1 - y_true) log(1 - p)``.

    Parameters
    ----------
    from_logits : bool
        Whether predictions are logits z; then p is sigmoid(z) and
        ``l = max(z, 0) - z y_true + log(1 + exp(-|z|))``.
    """

    name = "binary_crossentropy"

    def _rows(self, true: np.ndarray, pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        outputs = pred.shape[1]
        if self.from_logits:
            small = np.exp(-np.abs(pred))
            values = np.maximum(pred, 0) - pred * true + np.log1p(small)
            return values.mean(axis=1), (np.where(pred >= 0, 1, small) / (1 + small) - true) / outputs
        p, q = self._above_zero(pred), self._above_zero(1 - pred)
        values = -true * np.log(p) - (1 - true) * np.log(q)
        return values.mean(axis=1), ((1 - true) / q - true / p) / outputs


def _log_softmax(z: np.ndarray) -> np.ndarray:
    shifted = z - z.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


_CLASSES = (
    MeanSquaredError,
    MeanAbsoluteError,
    Huber,
    Pinball,
    CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
    BinaryCrossentropy,
    CTC,
    CRF,
)
LOSSES: Mapping[str, type[Loss]] = MappingProxyType(
    {cls.name: cls for cls in _CLASSES}
    | {"mean_squared_error": MeanSquaredError, "mean_absolute_error": MeanAbsoluteError}
)


def get(loss: str | Loss) -> Loss:
    """A loss by name, with its defaults, or the object itself.

    Raises
    ------
    ConfigError
        If no loss has the name; the message lists them.
    """
    return loss if isinstance(loss, Loss) else by_name(LOSSES, loss, "loss")()
