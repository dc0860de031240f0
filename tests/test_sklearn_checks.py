"""scikit-learn's own checks of every estimator; what cannot pass is listed with its reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

import sklearn
from sklearn.utils.estimator_checks import parametrize_with_checks

from seqkit.estimators import SequenceClassifier, SequenceRegressor, SequenceScaler, SequenceTagger

SMALL = {"units": 8, "batch_size": 32, "random_state": 0}
WEIGHTS = "a sample of weight 2 is one sample of a batch, two samples are two: batches differ, as in MLPClassifier"
EXPECTED = {"check_sample_weight_equivalence_on_dense_data": WEIGHTS}
"""Checks that must fail, and why."""


class RowTagger(SequenceTagger):
    """A tagger as scikit-learn's checks know estimators: one label for a row, which every step is tagged with."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> RowTagger:
        return super().fit(X, spread(X, y), sample_weight)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> RowTagger:
        return super().partial_fit(X, spread(X, y), sample_weight)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        return super().score(X, spread(X, y), sample_weight)

    def predict(self, X: Any) -> Any:
        return np.array(super().predict(X))


def spread(X: Any, y: Any) -> Any:
    """A label for every step of a table; what is wrong stays as it is."""
    table, labels = np.asarray(X), np.asarray(y)
    return [np.repeat(label, table.shape[1]) for label in labels] if table.ndim == 2 and labels.ndim == 1 else y


ESTIMATORS = (
    SequenceClassifier(epochs=12, **SMALL),
    SequenceRegressor(epochs=30, learning_rate=0.03, **SMALL),
    SequenceScaler(),
    SequenceScaler("minmax"),
    RowTagger(epochs=2, crf=True, **SMALL),
)


def expected(estimator: Any) -> dict[str, str]:
    return EXPECTED if isinstance(estimator, (SequenceClassifier, SequenceRegressor)) else {}


@parametrize_with_checks(list(ESTIMATORS), expected_failed_checks=expected)
def test_check(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.skipif(not sklearn.__version__.startswith("1.9."), reason="other versions have other checks")
def test_the_page_tells_what_was_checked() -> None:
    """How many checks there are, and every exception, as docs/estimators.md has them."""
    page = (Path(__file__).parent.parent / "docs" / "estimators.md").read_text()
    (cases,) = (mark.args[1] for mark in test_check.pytestmark if mark.name == "parametrize")
    assert f"of {len(cases)} checks" in page
    assert all(f"`{name}`" in page for name in EXPECTED)
