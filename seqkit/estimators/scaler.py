"""Scaling of the features of sequences.

Legend: n sequences, T_i steps, F features, N steps of all sequences together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.validation import check_is_fitted

from seqkit.estimators.inputs import as_sequence_list, as_weights, is_sequences
from seqkit.options import by_name

SCALERS = {"standard": StandardScaler, "minmax": MinMaxScaler}


@dataclass(eq=False, repr=False)
class SequenceScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Scales every feature with statistics over all steps of all sequences, never over padding.

    ``x' = (x - m) / s`` with m and s the mean and the standard deviation of the feature, or its
    minimum and its range; s is 1 for a feature that does not vary.

    Parameters
    ----------
    method : {"standard", "minmax"}
        Mean 0 and standard deviation 1, or from 0 to 1.

    Attributes
    ----------
    rows_ : StandardScaler or MinMaxScaler
        scikit-learn's scaler of all steps as the rows of one table.

    See Also
    --------
    sklearn.preprocessing.StandardScaler : The same for rows of a table.

    Examples
    --------
    >>> import numpy as np
    >>> scaler = SequenceScaler().fit([np.array([[1.0], [3.0]]), np.array([[5.0]])])
    >>> scaler.rows_.mean_.tolist(), int(scaler.rows_.n_samples_seen_)
    ([3.0], 3)
    >>> scaler.transform([np.array([[3.0]])])[0].tolist()
    [[0.0]]
    """

    method: str = "standard"

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn the statistics of sequences.

        Parameters
        ----------
        X : array_like, data frame or list of arrays
            Sequences, see :mod:`seqkit.estimators.inputs`.
        y : None
            Not used.
        sample_weight : array_like, (n,), optional
            Weights of the sequences in mean and deviation; one of weight 0 is as if it were not there.
        """
        if hasattr(self, "rows_"):
            del self.rows_
        return self.partial_fit(X, sample_weight=sample_weight)

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Learn from more sequences what all of them together would have given; arguments as for :meth:`fit`."""
        scaler = by_name(SCALERS, self.method, "method")
        first = not hasattr(self, "rows_")
        sequences = as_sequence_list(X, self, reset=first)
        weights = as_weights(sample_weight, len(sequences), self)
        lengths = [len(row) for row in sequences]
        of_steps = np.repeat(np.ones(len(sequences)) if weights is None else weights, lengths)
        steps, of_steps = np.concatenate(sequences)[of_steps > 0], of_steps[of_steps > 0]
        if first:
            self.rows_ = scaler()
        if weights is None or self.method == "minmax":
            self.rows_.partial_fit(steps)
        else:
            self.rows_.partial_fit(steps, sample_weight=of_steps)
        return self

    def transform(self, X: Any) -> Any:
        """Scaled sequences in float64: a list for a list, an array of its shape for an array."""
        check_is_fitted(self)
        return self._each(X, self.rows_.transform)

    def inverse_transform(self, X: Any) -> Any:
        """Sequences as they were before :meth:`transform`."""
        check_is_fitted(self)
        return self._each(X, self.rows_.inverse_transform)

    def _each(self, X: Any, change: Callable[[np.ndarray], np.ndarray]) -> Any:
        rows = [change(row) for row in as_sequence_list(X, self)]
        if not is_sequences(X):
            return np.stack(rows)[:, :, 0]
        return np.stack(rows) if isinstance(X, np.ndarray) and X.ndim == 3 else rows
