"""A class for every sequence.

Legend: n sequences, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d
from sklearn.utils.validation import check_consistent_length

from seqkit.errors import ConfigError
from seqkit.estimators.base import Head, SequenceEstimator
from seqkit.estimators.labels import codes_of, known_classes


@dataclass(eq=False, repr=False, kw_only=True)
class SequenceClassifier(ClassifierMixin, SequenceEstimator):
    """Classifies whole sequences; options and other attributes are those of
    :class:`~seqkit.estimators.base.SequenceEstimator`, with two convolutions by default.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
        Weight of every class in the loss, 1 for one that is not there; "balanced" is inverse to how
        often it occurs.

    Attributes
    ----------
    classes_ : ndarray, (K,)
        The classes, sorted.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.standard_normal((steps, 2)) for steps in rng.integers(5, 20, size=60)]
    >>> y = ["up" if x[:, 0].mean() > 0 else "down" for x in X]
    >>> classifier = SequenceClassifier(units=8, epochs=30, random_state=0).fit(X, y)
    >>> classifier.score(X, y) > 0.9, classifier.predict(X[:1]).tolist() == y[:1]
    (True, True)
    """

    filters: int | Sequence[int] = 64
    kernel_size: int | Sequence[int] = (8, 5)
    dropout: float = 0.5
    learning_rate: float = 0.003
    class_weight: Any = None

    def partial_fit(  # type: ignore[override]  # scikit-learn has classes in this place
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> Self:
        """Go on training for one epoch, on other sequences if need be.

        Parameters
        ----------
        X, y, sample_weight
            As for :meth:`fit`.
        classes : array_like, (K,), optional
            In the first call all classes, where not every one is in `y`.  Features are scaled as the first `X` says.
        """
        if classes is not None and not hasattr(self, "model_"):
            self._announced = np.asarray(classes)
        try:
            return super().partial_fit(X, y, sample_weight)
        finally:
            self.__dict__.pop("_announced", None)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of every sequence, (n,)."""
        best = self._outputs(X).argmax(axis=1)
        return self.classes_[best]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probability of every class for every sequence, (n, K)."""
        probabilities = self._outputs(X)
        return probabilities / probabilities.sum(axis=1, keepdims=True)

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Logarithms of :meth:`predict_proba`."""
        return np.log(np.maximum(self.predict_proba(X), np.finfo(np.float64).tiny))

    def _targets(self, y: Any, sequences: list[np.ndarray], weights: np.ndarray | None, reset: bool) -> np.ndarray:
        labels = column_or_1d(y, warn=True)
        check_consistent_length(sequences, labels)
        if reset:
            self.classes_ = known_classes(self.__dict__.get("_announced", labels), self._name)
        return codes_of(labels, self.classes_, self._name)

    def _head(self) -> Head:
        return Head(len(self.classes_), "softmax", "sparse_categorical_crossentropy")

    def _strata(self, y: np.ndarray) -> np.ndarray:
        return y

    def _class_weight(self) -> Mapping[int, float] | str | None:
        if not isinstance(self.class_weight, Mapping):
            return self.class_weight
        classes = self.classes_.tolist()
        strange = [key for key in self.class_weight if key not in classes]
        if strange:
            raise ConfigError(f"{self._name}: class_weight has {strange[0]!r}, which is none of {classes!r:.200}.")
        return {classes.index(key): weight for key, weight in self.class_weight.items()}
