"""Metrics of classes.

Legend: B batch, T time, N vectors or valid steps, K outputs, C classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seqkit.errors import ConfigError
from seqkit.options import positive_integer
from seqkit.training.metrics.base import Mean, Metric, classes_of, predicted_classes


class Accuracy(Mean):
    """Share of right answers.

    With one output: its probability is above 0.5 where the target is.  With several: the largest is that of
    the class, given as an id or as one of K values.

    Parameters
    ----------
    from_logits : bool
        Whether one output is a logit, above 0 where its probability is above 0.5.

    Examples
    --------
    >>> import numpy as np
    >>> Accuracy()([1, 0], np.array([[0.2, 0.8], [0.4, 0.6]]))
    0.5
    """

    name = "accuracy"

    def __init__(self, from_logits: bool = False) -> None:
        self.from_logits = bool(from_logits)

    def config(self) -> dict[str, Any]:
        return {"from_logits": self.from_logits}

    def _terms(self, y_true: Any, y_pred: np.ndarray, lengths: Any) -> np.ndarray:
        true, pred = classes_of(y_true, y_pred, lengths, self.name)
        return true == predicted_classes(pred, self.from_logits)


class TopK(Mean):
    """Share of answers whose class is among the `k` largest outputs; an equal output does not push it out.

    Parameters
    ----------
    k : int
        How many outputs count.

    Examples
    --------
    >>> import numpy as np
    >>> TopK(2)([0, 2], np.array([[0.3, 0.2, 0.5], [0.3, 0.5, 0.2]]))
    0.5
    """

    name = "top_k"

    def __init__(self, k: int = 5) -> None:
        self.k = positive_integer(k, f"{self.name}: k")

    @property
    def label(self) -> str:
        """With the number, such as "top_5"."""
        return f"top_{self.k}"

    def config(self) -> dict[str, Any]:
        return {"k": self.k}

    def _terms(self, y_true: Any, y_pred: np.ndarray, lengths: Any) -> np.ndarray:
        true, pred = classes_of(y_true, y_pred, lengths, self.name)
        own = np.take_along_axis(pred, true[:, None], axis=1)
        return ((pred > own).sum(axis=1) < self.k) & (own[:, 0] == own[:, 0])  # NaN is no answer


class F1(Metric):
    """``F1 = 2 TP / (2 TP + FP + FN)``, the harmonic mean of precision and recall.

    Parameters
    ----------
    average : {"auto", "binary", "macro", "micro"}
        "binary": that of class 1, where there are two.  "macro": the mean of the F1 of all
        classes that occur among targets or answers.  "micro": of the sums over all classes.
        "auto" is "binary" with one output and "macro" with several.
    from_logits : bool
        Whether one output is a logit, above 0 where its probability is above 0.5.

    Notes
    -----
    Nothing right and nothing wrong is 0.  Source: van Rijsbergen, "Information retrieval", 1979.

    Examples
    --------
    >>> import numpy as np
    >>> F1()([1, 1, 0, 0], np.array([[0.9], [0.1], [0.8], [0.2]]))
    0.5
    """

    name = "f1"

    def __init__(self, average: str = "auto", from_logits: bool = False) -> None:
        if average not in ("auto", "binary", "macro", "micro"):
            raise ConfigError(f"{self.name}: average must be one of auto, binary, macro, micro, got {average!r}.")
        self.average, self.from_logits = average, bool(from_logits)

    def config(self) -> dict[str, Any]:
        return {"average": self.average, "from_logits": self.from_logits}

    def sums(self, y_true: Any, y_pred: np.ndarray, lengths: Any = None) -> np.ndarray:
        """Right answers, answers and targets of every class, (3, C); a fourth row says whether there is one output."""
        true, pred = classes_of(y_true, y_pred, lengths, self.name)
        single = pred.shape[1] == 1
        answers, classes = predicted_classes(pred, self.from_logits), 2 if single else pred.shape[1]
        counted = (true[true == answers], answers, true)
        counts = [np.bincount(ids, minlength=classes).astype(np.float64) for ids in counted]
        return np.stack([*counts, np.full(classes, float(single))])

    def join(self, total: np.ndarray, sums: np.ndarray) -> np.ndarray:
        return np.concatenate([total[:3] + sums[:3], total[3:]])

    def result(self, sums: np.ndarray) -> float:
        right, both = sums[0], sums[1] + sums[2]
        average = self.average
        if average == "auto":
            average = "binary" if sums[3, 0] else "macro"
        if average == "micro":
            return float(2 * right.sum() / max(both.sum(), 1))
        each = 2 * right / np.maximum(both, 1)
        if average == "macro":
            return float(each[both > 0].mean()) if both.any() else 0.0
        if len(each) != 2:
            raise ConfigError(f"{self.name}: average='binary' is for two classes, here are {len(each)}; use 'macro'.")
        return float(each[1])
