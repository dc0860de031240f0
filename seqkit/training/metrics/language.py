"""Metrics of models that predict the next symbol.

Legend: N vectors or valid steps, K symbols.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seqkit.training.losses import LOSSES, Loss
from seqkit.training.metrics.base import Mean


class _CrossEntropy(Mean):
    """Mean of ``-ln p`` of the true symbols, given as ids or as K probabilities."""

    def __init__(self, from_logits: bool = False) -> None:
        self.from_logits = bool(from_logits)

    def config(self) -> dict[str, Any]:
        return {"from_logits": self.from_logits}

    def sums(self, y_true: Any, y_pred: np.ndarray, lengths: Any = None) -> np.ndarray:
        kind = "categorical_crossentropy" if np.shape(y_true) == y_pred.shape else "sparse_categorical_crossentropy"
        loss: Loss = LOSSES[kind](from_logits=self.from_logits)  # type: ignore[call-arg]
        value, _ = loss(y_true, y_pred.astype(np.float64), None, lengths)
        terms = loss.terms(y_pred, lengths)
        return np.array([value * terms, terms])


class Perplexity(_CrossEntropy):
    """``exp(-1/N sum ln p(y_true))``: how many symbols the model hesitates between.

    Parameters
    ----------
    from_logits : bool
        Whether predictions are logits instead of probabilities.

    Examples
    --------
    >>> import numpy as np
    >>> round(Perplexity()([0, 1], np.array([[0.25, 0.75], [0.75, 0.25]])), 12)
    4.0
    """

    name = "perplexity"

    def result(self, sums: np.ndarray) -> float:
        with np.errstate(over="ignore"):
            return float(np.exp(super().result(sums)))


class BitsPerCharacter(_CrossEntropy):
    """``-1/N sum log2 p(y_true)``: the length of the text compressed with the model, per symbol.

    Parameters
    ----------
    from_logits : bool
        Whether predictions are logits instead of probabilities.

    Examples
    --------
    >>> import numpy as np
    >>> round(BitsPerCharacter()([0, 1], np.array([[0.25, 0.75], [0.75, 0.25]])), 12)
    2.0
    """

    name = "bits_per_character"

    def result(self, sums: np.ndarray) -> float:
        return super().result(sums) / float(np.log(2.0))
