"""The forms in which estimators take sequences, and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sequence_data import names, ragged
from sklearn.base import BaseEstimator

from seqkit.errors import SeqkitError
from seqkit.estimators import SequenceClassifier
from seqkit.estimators.inputs import as_sequence_list, as_weights

X = ragged(30)
Y = names(X)
CUBE = np.stack([row[:3] for row in X])
SMALL: dict[str, Any] = {"units": 3, "filters": 2, "epochs": 2, "random_state": 0}


def objects(rows: Any) -> np.ndarray:
    array = np.empty(len(rows), dtype=object)
    array[:] = list(rows)
    return array


def proba(given: Any, asked: Any) -> np.ndarray:
    return SequenceClassifier(**SMALL).fit(given, Y).predict_proba(asked)


@pytest.mark.parametrize("form", [list, tuple, objects, lambda rows: [row.tolist() for row in rows]])
def test_all_forms_of_equal_sequences_give_the_same_bits(form: Any) -> None:
    assert np.array_equal(proba(CUBE, CUBE), proba(form(CUBE), form(CUBE)))
    assert np.array_equal(proba(X, X), proba(form(X), form(X)))


def test_a_table_is_sequences_of_one_feature() -> None:
    table = CUBE[:, :, 0]
    expected = proba(table[:, :, None], table[:, :, None])
    for form in (table, np.asfortranarray(table), table.tolist(), list(table), objects(table), list(table[:, :, None])):
        assert np.array_equal(proba(form, form), expected)
    assert np.array_equal(proba(table, list(table[:, :, None])), expected)  # learned as one, asked as the other


def test_neighbours_and_order_change_no_bit() -> None:
    estimator = SequenceClassifier(**SMALL).fit(X, Y)
    whole = estimator.predict_proba(X)
    assert np.array_equal(estimator.predict_proba(X[::-1])[::-1], whole)
    assert np.array_equal(np.concatenate([estimator.predict_proba([row]) for row in X]), whole)


def test_what_an_estimator_knows_of_its_input() -> None:
    def seen(rows: Any) -> tuple[int, int]:
        estimator = BaseEstimator()
        as_sequence_list(rows, estimator, reset=True)
        return estimator.n_features_in_, estimator.n_step_features_

    assert [seen(form) for form in (X, CUBE, objects(X))] == [(2, 2)] * 3
    assert seen(CUBE[:, :, 0]) == (3, 1)
    assert seen(list(CUBE[:, :, 0])) == (1, 1)


def test_names_of_columns_are_those_of_the_last_fit() -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.DataFrame(CUBE[:, :, 0], columns=["t0", "t1", "t2"])
    estimator = SequenceClassifier(**SMALL).fit(frame, Y)
    assert estimator.feature_names_in_.tolist() == ["t0", "t1", "t2"]
    with pytest.raises(ValueError, match="feature names"):
        estimator.predict(frame[["t2", "t1", "t0"]])
    assert not hasattr(estimator.fit(X, Y), "feature_names_in_")


def with_value(value: Any) -> list[Any]:
    rows = [row.copy() for row in X]
    rows[4][2, 1] = value
    return rows


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (with_value(np.nan), r"X\[4\] is nan at step 2, feature 1; NaN, infinity and numbers beyond 1e\+100"),
        (with_value(-np.inf), r"X\[4\] is -inf at step 2, feature 1"),
        (with_value(1e200), r"X\[4\] is 1e\+200 at step 2, feature 1"),
        (np.where(np.arange(3)[:, None] == 1, np.nan, CUBE), r"X\[0\] is nan at step 1, feature 0"),
        ([*X[:29], np.ones((3, 1))], r"X\[29\] has 1 features, expected 2"),
        ([*X[:29], np.ones((0, 2))], r"X\[29\] has shape \(0, 2\); a sequence needs at least one step"),
        ([*X[:29], np.ones((2, 2, 2))], r"X\[29\] has shape \(2, 2, 2\), expected \(steps, features\)"),
        ([*X[:29], np.ones((2, 2)) * 1j], r"X\[29\] holds complex numbers"),
        ([*X[:29], np.array([["a", "b"]])], r"X\[29\] does not hold numbers"),
        ([*X[:29], [[1.0, 2.0], [3.0]]], r"X\[29\] does not hold numbers"),
        (np.ones((30, 2, 3, 4)), r"X\[0\] has shape \(2, 3, 4\), expected \(steps, features\)"),
        ([], r"Expected 2D array|X holds no sequences"),
        (np.ones((0, 3, 2)), r"X holds no sequences"),
        (np.where(np.eye(30, 3) > 0, np.nan, 1.0), "Input X contains NaN"),
        (np.ones(30), "Expected 2D array, got 1D array"),
        ("text", "Expected 2D array|could not convert"),
    ],
)
def test_what_is_refused_is_named(rows: Any, message: str) -> None:
    with pytest.raises((SeqkitError, ValueError), match=message):
        SequenceClassifier(**SMALL).fit(rows, Y)


def test_other_features_than_learned_are_refused() -> None:
    estimator = SequenceClassifier(**SMALL).fit(X, Y)
    with pytest.raises(ValueError, match=r"SequenceClassifier: X\[0\] has 3 features, expected 2"):
        estimator.predict([np.ones((4, 3))])
    with pytest.raises(ValueError, match="X has 3 features, but SequenceClassifier is expecting 2 features"):
        estimator.predict(CUBE[:, :, 0])


def test_a_value_that_is_too_far_is_named() -> None:
    with pytest.raises(ValueError, match="standard deviations off the training data"):
        SequenceClassifier(**SMALL).fit(X, Y).predict([np.full((3, 2), 1e60)])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(29), r"sample_weight has shape \(29,\), expected \(30,\)"),
        (np.ones((30, 1)), r"sample_weight has shape \(30, 1\)"),
        (-np.ones(30), "finite numbers of at least 0"),
        (np.full(30, np.nan), "finite numbers of at least 0"),
        (np.zeros(30), "not zero for every weight"),
    ],
)
def test_weights_that_are_none(weights: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        as_weights(weights, 30, SequenceClassifier())
