"""Metrics of models that are trained by connectionist temporal classification.

Legend: B batch, T time, K classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seqkit.training.ctc import PADDING, ctc_greedy, padded_labels
from seqkit.training.edit_distance import edit_distance
from seqkit.training.metrics.base import Mean


class LabelErrorRate(Mean):
    """Edit distances between true and decoded labels, divided by the number of true labels.

    Labels are decoded by :func:`seqkit.ctc_greedy`.  With characters as labels it is the character
    error rate.

    Parameters
    ----------
    blank : int
        Class of the blank, as in the loss.

    Examples
    --------
    >>> import numpy as np
    >>> logits = np.eye(3)[[[1, 0, 2], [1, 1, 1]]]      # decoded: 1 2, and 1
    >>> LabelErrorRate()([[1, 2], [2, 2]], logits)
    0.5
    """

    name = "label_error_rate"

    def __init__(self, blank: int = 0) -> None:
        self.blank = blank

    def config(self) -> dict[str, Any]:
        return {"blank": self.blank}

    def sums(self, y_true: Any, y_pred: np.ndarray, lengths: Any = None) -> np.ndarray:
        labels = [row[row != PADDING] for row in padded_labels(y_true, self.name)]
        found = ctc_greedy(y_pred, lengths, self.blank)
        return np.array([sum(map(edit_distance, labels, found)), sum(map(len, labels))], np.float64)
