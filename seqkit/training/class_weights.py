"""Weights of classes, for classes of unequal size.

Legend: B batch, T time, N samples or valid steps, C classes, K outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from seqkit.errors import ConfigError
from seqkit.options import positive_number
from seqkit.sequences import valid_steps
from seqkit.training.batches import Batch, Part
from seqkit.training.loss import Loss


class ClassWeights:
    """Multiplies the weight of every sample (or step) by that of its class.

    Parameters
    ----------
    weights : mapping of int to float
        Weight of every class; a class that is not there weighs 1.
    per_step : bool
        Whether there is one target per step.

    Examples
    --------
    >>> import numpy as np
    >>> batch = Batch(np.zeros((3, 1)), None, np.array([0, 1, 1]), None)
    >>> ClassWeights({0: 4.0}, per_step=False).apply(batch).sample_weight.tolist()
    [4.0, 1.0, 1.0]
    """

    def __init__(self, weights: Mapping[int, float], per_step: bool) -> None:
        wrong = next((key for key in weights if isinstance(key, bool) or not isinstance(key, (int, np.integer))), None)
        if wrong is not None:
            raise ConfigError(f"class_weight: classes are integers, got {wrong!r}.")
        items = sorted((int(key), positive_number(value, "class_weight", zero=True)) for key, value in weights.items())
        self._classes = np.array([key for key, _ in items], np.int64)
        self._weights = np.array([value for _, value in items])
        self._per_step = per_step

    @classmethod
    def of(cls, given: Mapping[int, float] | str | None, part: Part, per_step: bool, loss: Loss) -> Self | None:
        """What `class_weight` of `fit` means for these samples.

        "balanced" is ``N / (C n_c)`` for the n_c samples or steps of class c, as in scikit-learn.
        """
        if given is None:
            return None
        if loss.whole_sequences:
            raise ConfigError(
                f"class_weight: the loss {loss.name} is one of whole sequences, which have no class; use sample_weight."
            )
        if isinstance(given, Mapping):
            return cls(given, per_step)
        if given != "balanced":
            raise ConfigError(f"class_weight must be a dict of class to weight or 'balanced', got {given!r}.")
        whole = cls({}, per_step)
        ids = np.concatenate([whole._valid_ids(batch, part) for batch in part.batches(1024)])
        classes, counts = np.unique(ids, return_counts=True)
        return cls(dict(zip(classes.tolist(), (len(ids) / len(classes) / counts).tolist(), strict=True)), per_step)

    def apply(self, batch: Batch) -> Batch:
        """The batch with weights that count its classes."""
        ids = self._ids(batch.y)
        place = np.minimum(np.searchsorted(self._classes, ids), max(len(self._classes) - 1, 0))
        factor = np.ones(ids.shape)
        if self._classes.size:
            factor = np.where(self._classes[place] == ids, self._weights[place], factor)
        own = batch.sample_weight
        if own is not None and own.ndim < factor.ndim:
            own = own[:, None]
        return batch._replace(sample_weight=factor if own is None else factor * own)

    def _ids(self, y: Any) -> np.ndarray:
        """Class ids (B,) or (B, T) of targets that are ids, or K values of which the largest counts."""
        y, leading = np.asarray(y), 2 if self._per_step else 1
        if y.ndim == leading + 1:
            return y[..., 0] if y.shape[-1] == 1 else y.argmax(axis=-1)
        if y.ndim == leading:
            return y
        raise ConfigError(f"class_weight needs one class for every {'step' if self._per_step else 'sample'} of y.")

    def _valid_ids(self, batch: Batch, part: Part) -> np.ndarray:
        ids, steps = self._ids(batch.y), part.samples.steps_of(batch.lengths)
        return ids.ravel() if ids.ndim == 1 or steps is None else ids[valid_steps(steps, *ids.shape)]
