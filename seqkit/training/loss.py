"""What a loss is.

A loss says how far predictions are from targets, and gives the gradient of that.  Whoever keeps
to the following works everywhere in seqkit.

* ``loss(y_true, y_pred, sample_weight, lengths)`` returns the value and its gradient with respect
  to `y_pred`.  The value is a mean over ``terms(y_pred, lengths)`` things: vectors, valid steps, or
  whole sequences.  Steps past the end of a sequence are never read and get a gradient of 0.
* ``config()`` gives the arguments of the constructor as plain values.
* A loss may have parameters of its own, `params`, which are trained with the model's; a call then
  *adds* to `grads`, as the backward pass of a layer does.
* Where a target is not an array beside the input (a list of labels, say), ``prepare(targets)``
  makes one with an entry for every sample, and `per_sequence` tells that these belong to
  sequences, not to steps.

Legend: B batch, T time, N vectors or valid steps, K outputs (features or classes).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from seqkit.arrays import as_array
from seqkit.errors import DataError, DTypeError, ShapeError
from seqkit.parameters import Parameters
from seqkit.sequences import as_lengths, as_numbers
from seqkit.steps import Steps


class Loss(ABC):
    """Base class of all losses; see the module's text.

    Attributes
    ----------
    params : Parameters or None
        What the loss learns itself.
    grads : dict of str to ndarray
        Accumulated gradients, keys and shapes of `params`.
    """

    name: ClassVar[str]
    per_sequence: ClassVar[bool] = False
    """True for a loss with one target for a whole sequence, even where the model returns sequences."""
    whole_sequences: ClassVar[bool] = False
    """True for a loss whose steps depend on each other: a sequence is not cut, and its steps have no weights."""

    params: Parameters | None = None
    grads: Mapping[str, np.ndarray] = MappingProxyType({})

    @abstractmethod
    def __call__(
        self, y_true: Any, y_pred: np.ndarray, sample_weight: Any = None, lengths: Any = None
    ) -> tuple[float, np.ndarray]:
        """Value and its gradient with respect to `y_pred`, (B, K) or (B, T, K)."""

    def config(self) -> dict[str, Any]:
        """Constructor arguments as plain values that JSON can hold."""
        return {}

    def prepare(self, targets: Any) -> Any:
        """Targets of a whole data set as an array (or list) with one entry for every sample."""
        return targets

    def terms(self, y_pred: np.ndarray, lengths: Any = None) -> int:
        """N, the number of terms that the value for these predictions is a mean over."""
        leading = y_pred.shape[:1] if self.per_sequence else y_pred.shape[:-1]
        return math.prod(leading) if lengths is None or len(leading) == 1 else int(np.sum(lengths))


class RowLoss(Loss):
    """A loss of every vector or step alone; one of your own defines `_rows`, and `_targets` where they are no numbers.

    Examples
    --------
    >>> import numpy as np
    >>> class Quartic(RowLoss):
    ...     name = "quartic"
    ...     def _rows(self, true, pred):
    ...         return ((pred - true) ** 4).sum(axis=1), 4 * (pred - true) ** 3
    >>> value, dy = Quartic()([[1.0], [2.0]], np.array([[1.0], [4.0]]))
    >>> value, dy.tolist()
    (8.0, [[0.0], [16.0]])
    """

    def __call__(
        self, y_true: Any, y_pred: np.ndarray, sample_weight: Any = None, lengths: Any = None
    ) -> tuple[float, np.ndarray]:
        """Value and its gradient with respect to `y_pred`.

        Parameters
        ----------
        y_true : array_like
            Targets of the shape of `y_pred`; the last axis may be missing where K is 1.  Class
            ids, for a sparse loss: the shape of `y_pred` without its last axis.
        y_pred : ndarray, (B, K) or (B, T, K)
            Predictions, float32 or float64.
        sample_weight : array_like, (B,) or (B, T), optional
            Weight of every sample or step.
        lengths : array_like of int, (B,), optional
            True lengths of the sequences.

        Returns
        -------
        value : float
        dy : ndarray
            Of the shape and dtype of `y_pred`.

        Raises
        ------
        ShapeError
            If the shapes don't fit; nothing is ever broadcast.
        """
        y_pred = np.asarray(y_pred, dtype=np.result_type(y_pred, np.float32))
        steps = Steps.of(y_pred.shape[:-1], lengths, y_pred.dtype, self.name)
        values, slopes = self._rows(self._targets(y_true, y_pred, steps), steps.rows(y_pred, what="y_pred"))
        if sample_weight is None:
            share = steps.dtype.type(1.0) / max(steps.count, 1)
            return float(np.add.reduce(values * share, dtype=np.float64)), steps.spread(slopes * share)
        weights = self._weights(sample_weight, steps) / steps.count  # (N,)
        return float(np.add.reduce(values * weights, dtype=np.float64)), steps.spread(slopes * weights[:, None])

    @abstractmethod
    def _rows(self, true: np.ndarray, pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Targets and predictions (N, K) to values (N,) and their gradients (N, K)."""

    def _targets(self, y_true: Any, y_pred: np.ndarray, steps: Steps) -> np.ndarray:
        return same_shape(y_true, y_pred, steps)

    def _weights(self, sample_weight: Any, steps: Steps) -> np.ndarray:
        weights = as_numbers(sample_weight, steps.dtype, self.name, "sample_weight")
        if weights.shape == steps.leading[:1] and len(steps.leading) == 2:
            weights = np.broadcast_to(weights[:, None], steps.leading)
        if weights.shape != steps.leading:
            raise ShapeError(f"{self.name}: sample_weight has shape {weights.shape}, expected {steps.leading}.")
        return steps.pick(weights)


def same_shape(y_true: Any, y_pred: np.ndarray, steps: Steps) -> np.ndarray:
    """Targets that have the shape of the predictions, as rows (N, K)."""
    true = as_numbers(y_true, steps.dtype, steps.owner, "y")
    if y_pred.shape[-1] == 1 and true.shape == y_pred.shape[:-1]:
        true = true[..., None]
    if true.shape != y_pred.shape:
        raise ShapeError(
            f"{steps.owner}: y has shape {true.shape} but the model's output has {y_pred.shape}; they must be the "
            f"same. A layer with return_sequences=False (or LastStep) turns sequences into vectors."
        )
    return steps.pick(true)


def class_ids(y_true: Any, y_pred: np.ndarray, steps: Steps) -> np.ndarray:
    """Class ids that have the shape of the predictions without the last axis, as (N,)."""
    true = as_array(y_true, steps.owner, "y")
    if true.shape == (*y_pred.shape[:-1], 1):
        true = true[..., 0]
    if true.shape != y_pred.shape[:-1]:
        raise ShapeError(
            f"{steps.owner}: y has shape {true.shape} but the model's output has {y_pred.shape}; expected one class "
            f"id for each, {y_pred.shape[:-1]}."
        )
    ids = steps.pick(true)
    if ids.dtype.kind not in "iub" and not (ids.dtype.kind == "f" and (ids == np.round(ids)).all()):
        raise DTypeError(f"{steps.owner}: y must hold integer class ids, got dtype {ids.dtype}.")
    wrong = ids[(ids < 0) | (ids >= y_pred.shape[-1])]
    if wrong.size:
        raise DataError(
            f"{steps.owner}: y holds the class id {wrong[0]}, expected 0 to {y_pred.shape[-1] - 1}; the last layer "
            f"needs one unit for every class."
        )
    return ids.astype(np.int64)


def weights_of_sequences(sample_weight: Any, batch: int, owner: str) -> np.ndarray:
    """One weight for every sequence, (B,) float64; 1 where none are given."""
    if sample_weight is None:
        return np.ones(batch)
    weights = as_numbers(sample_weight, np.dtype(np.float64), owner, "sample_weight")
    if weights.shape != (batch,):
        raise ShapeError(f"{owner}: sample_weight has shape {weights.shape}, expected ({batch},), one per sequence.")
    return weights


def sequences_of(y_pred: Any, lengths: Any, owner: str) -> tuple[np.ndarray, np.ndarray]:
    """Scores (B, T, K) in one piece, float32 or float64, and lengths (B,), all of them T where none are given."""
    scores = np.asarray(y_pred)
    scores = np.ascontiguousarray(as_numbers(scores, np.result_type(scores, np.float32), owner, "y_pred"))
    if scores.ndim != 3:
        raise ShapeError(
            f"{owner}: y_pred has shape {scores.shape}, expected (batch, time, classes); layers before it need "
            f"return_sequences=True."
        )
    checked = as_lengths(lengths, scores.shape[0], scores.shape[1], owner)
    return scores, np.full(scores.shape[0], scores.shape[1]) if checked is None else checked


def rows_of(scores: Any, lengths: Any, owner: str) -> Sequence[np.ndarray]:
    """The valid (T_i, K) scores of every sequence of a batch or list."""
    if isinstance(scores, (list, tuple)):
        rows = [np.asarray(row) for row in scores]
        wrong = next((row for row in rows if row.ndim != 2), None)
        if wrong is not None:
            raise ShapeError(f"{owner}: a list must hold arrays (time_i, classes), got one of shape {wrong.shape}.")
        return rows
    array, valid = sequences_of(scores, lengths, owner)
    return [row[:length] for row, length in zip(array, valid, strict=True)]
