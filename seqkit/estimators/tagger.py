"""A tag for every step of a sequence.

Legend: n sequences, T_i steps, K tags.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_consistent_length

from seqkit.errors import ShapeError
from seqkit.estimators.base import Head, SequenceEstimator
from seqkit.estimators.inputs import as_weights
from seqkit.estimators.labels import codes_of, known_classes
from seqkit.training.crf import CRF


@dataclass(eq=False, repr=False, kw_only=True)
class SequenceTagger(SequenceEstimator):
    """Gives every step of a sequence one of K tags; options and other attributes are those of
    :class:`~seqkit.estimators.base.SequenceEstimator`, but for the pooling, of which there is none.

    Parameters
    ----------
    crf : bool
        Whether tags depend on their neighbours: the network is trained with a conditional random
        field (:class:`seqkit.CRF`), and the best tags of a whole sequence are found together.

    Attributes
    ----------
    classes_ : ndarray, (K,)
        The tags, sorted.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.standard_normal((steps, 1)) for steps in rng.integers(5, 20, size=40)]
    >>> y = [np.where(x[:, 0].cumsum() > 0, "above", "below") for x in X]
    >>> tagger = SequenceTagger(units=8, epochs=30, random_state=0).fit(X, y)
    >>> tagger.score(X, y) > 0.9, len(tagger.predict(X[:1])[0]) == len(X[0])
    (True, True)
    """

    pooling: str | None = field(default=None, init=False)
    crf: bool = False

    def predict(self, X: Any) -> list[np.ndarray]:
        """Tags of every sequence: a list of (T_i,) arrays."""
        outputs = self._outputs(X)
        return [self.classes_[codes] for codes in self._codes(outputs)]

    @available_if(lambda self: not self.crf)
    def predict_proba(self, X: Any) -> list[np.ndarray]:
        """Probability of every tag at every step: a list of (T_i, K) arrays.

        With `crf` there is no such method: its scores are of whole sequences.
        """
        return [row / row.sum(axis=1, keepdims=True) for row in self._outputs(X)]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Share of all steps that get the right tag; weights are of sequences."""
        predicted = self.predict(X)
        true = self._tags(y, [len(row) for row in predicted])
        given = as_weights(sample_weight, len(true), self)
        weights = np.ones(len(true)) if given is None else given
        right = np.array([np.sum(ours == theirs) for ours, theirs in zip(predicted, true, strict=True)])
        return float(right @ weights / ([len(row) for row in true] @ weights))

    def _codes(self, outputs: list[np.ndarray]) -> list[np.ndarray]:
        loss = self.model_.loss  # not self.crf: that is what the next fit will do
        if isinstance(loss, CRF):
            return loss.decode(outputs)
        return [row.argmax(axis=1) for row in outputs]

    def _tags(self, y: Any, lengths: list[int]) -> list[np.ndarray]:
        """One array of tags for each sequence."""
        check_consistent_length(lengths, y)
        tags = [column_or_1d(row) for row in y]
        for number, (row, length) in enumerate(zip(tags, lengths, strict=True)):
            if len(row) != length:
                raise ShapeError(
                    f"{self._name}: y[{number}] has {len(row)} tags, expected {length}, one for each step."
                )
        return tags

    def _targets(
        self, y: Any, sequences: list[np.ndarray], weights: np.ndarray | None, reset: bool
    ) -> list[np.ndarray]:
        tags = self._tags(y, [len(row) for row in sequences])
        if reset:
            self.classes_ = known_classes(np.concatenate(tags), self._name)
        return [codes_of(row, self.classes_, self._name) for row in tags]

    def _head(self) -> Head:
        count = len(self.classes_)
        if self.crf:
            return Head(count, None, CRF(count))
        return Head(count, "softmax", "sparse_categorical_crossentropy")
