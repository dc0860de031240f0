"""What estimators take: sequences in the forms in which people have them.

=====================================  ============================================
form                                   sequences
=====================================  ============================================
array (n, T, F)                        n of T steps with F features
list, tuple or object array            one of T_i steps for each entry, an array
                                       (T_i, F), or (T_i,) for one feature
array or data frame (n, T)             n of T steps with one feature
=====================================  ============================================

Lists are never padded: every sequence keeps its own length, and whatever cuts a list into parts,
as cross-validation does, keeps it beside its sequence.

Legend: n sequences, T_i steps, F features.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from seqkit.data.dataset import LARGEST, usable
from seqkit.errors import DataError, DTypeError, ShapeError


def as_sequence_list(X: Any, estimator: BaseEstimator, reset: bool = False) -> list[np.ndarray]:
    """Sequences as a list of arrays, checked.

    Sets, or compares with, what the estimator knows of its input: `n_features_in_`, which is F, or
    T for (n, T), as scikit-learn counts columns; `n_step_features_`, which is F for both; and, of
    data frames, `feature_names_in_`.

    Parameters
    ----------
    X : array_like, data frame, or list of arrays
        See the table of this module.
    estimator : BaseEstimator
        The one that the sequences are for.
    reset : bool
        Whether to set its attributes, as when it is fitted.

    Returns
    -------
    list of ndarray of float64, (T_i, F)

    Raises
    ------
    ShapeError
        If an array has another number of dimensions, or a sequence another number of features.
    DataError
        If there is no sequence, one has no steps, or a value is missing or infinite.
    DTypeError
        If something is no number.

    Examples
    --------
    >>> import numpy as np
    >>> estimator = BaseEstimator()
    >>> rows = as_sequence_list([np.ones((2, 3)), np.ones((5, 3))], estimator, reset=True)
    >>> [row.shape for row in rows], estimator.n_features_in_
    ([(2, 3), (5, 3)], 3)
    """
    if not is_sequences(X):
        table = validate_data(estimator, X, dtype=np.float64, reset=reset)
        _set_or_compare(estimator, 1, "X", reset)
        return list(table[:, :, None])
    owner = type(estimator).__name__
    rows = [_sequence(row, f"{owner}: X[{number}]") for number, row in enumerate(X)]
    if not rows:
        raise DataError(f"{owner}: X holds no sequences.")
    if reset:
        estimator.__dict__.pop("feature_names_in_", None)
        estimator.n_features_in_ = rows[0].shape[1]
    _set_or_compare(estimator, rows[0].shape[1], "X[0]", reset)
    for number, row in enumerate(rows):
        _set_or_compare(estimator, row.shape[1], f"X[{number}]", reset=False)
    return rows


def as_weights(sample_weight: Any, count: int, estimator: BaseEstimator) -> np.ndarray | None:
    """Weights of sequences, (n,); None stays None.

    Raises
    ------
    ShapeError
        If there is not one for each sequence.
    DataError
        If one is negative or not finite, or all are 0.
    """
    if sample_weight is None:
        return None
    owner = type(estimator).__name__
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != (count,):
        raise ShapeError(
            f"{owner}: sample_weight has shape {weights.shape}, expected ({count},), a weight for each sequence."
        )
    if not (usable(weights) & (weights >= 0)).all() or not weights.any():
        raise DataError(
            f"{owner}: sample_weight must hold finite numbers of at least 0, and not zero for every weight."
        )
    return weights


def is_sequences(X: Any) -> bool:
    """Whether `X` is an array (n, T, F) or has an array for each sequence; else it is a table (n, T).

    Examples
    --------
    >>> import numpy as np
    >>> is_sequences(np.ones((4, 3, 2))), is_sequences([np.ones(4), np.ones(3)]), is_sequences([[1, 2], [3, 4]])
    (True, True, False)
    """
    if isinstance(X, np.ndarray):
        return X.ndim > 2 or (X.dtype == object and X.ndim == 1 and any(np.ndim(row) for row in X))
    if not isinstance(X, (list, tuple)):
        return False
    if all(isinstance(row, (list, tuple)) for row in X):  # a table may come as lists of numbers
        return len({len(row) for row in X}) > 1 or any(np.ndim(value) for row in X for value in row[:1])
    return any(hasattr(row, "__array__") and np.ndim(row) for row in X)


def as_numbers(values: Any, what: str) -> np.ndarray:
    """An array, a table or one of its columns in float64; missing values are NaN.

    Raises
    ------
    DTypeError
        If something is no real number; of a table the error names the column.

    Examples
    --------
    >>> as_numbers([True, 2], "X").tolist()
    [1.0, 2.0]
    >>> as_numbers(np.array(["2020-01-01"], dtype="M8[D]"), "X")
    Traceback (most recent call last):
    seqkit.errors.DTypeError: X holds datetime64[D], expected real numbers.
    """
    names = list(getattr(values, "columns", ()))
    if names and all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
        return np.stack([as_numbers(values[name], f"{what}, column {name!r},") for name in names], axis=1)
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "cmM":
            return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DTypeError(f"{what} does not hold numbers ({error}).") from None
    raise DTypeError(
        f"{what} holds {'complex numbers' if array.dtype.kind == 'c' else array.dtype}, expected real numbers."
    )


def _sequence(row: Any, what: str) -> np.ndarray:
    """One sequence, (T_i, F)."""
    array = as_numbers(row, what)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2:
        raise ShapeError(f"{what} has shape {array.shape}, expected (steps, features).")
    if not array.size:
        raise DataError(f"{what} has shape {array.shape}; a sequence needs at least one step and one feature.")
    _check_finite(array, what)
    return array


def _check_finite(array: np.ndarray, what: str) -> None:
    wrong = np.argwhere(~usable(array))
    if wrong.size:
        step, feature = wrong[0].tolist()
        raise DataError(
            f"{what} is {array[step, feature]:g} at step {step}, feature {feature}; NaN, infinity and numbers beyond "
            f"{LARGEST:g} cannot be learned from: fill gaps, or cut the sequence there."
        )


def _set_or_compare(estimator: BaseEstimator, features: int, what: str, reset: bool) -> None:
    if reset:
        estimator.n_step_features_ = features
    elif features != estimator.n_step_features_:
        raise ShapeError(
            f"{type(estimator).__name__}: {what} has {features} features, expected {estimator.n_step_features_}."
        )
