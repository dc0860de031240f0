"""The scaler of sequences is scikit-learn's of all their steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sequence_data import ragged
from sklearn.base import clone
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from seqkit.errors import ConfigError
from seqkit.estimators import SequenceScaler

X = ragged(20, features=3)
OTHER = ragged(5, features=3, seed=1)
ORACLES: dict[str, Any] = {"standard": StandardScaler, "minmax": MinMaxScaler}
both = pytest.mark.parametrize("method", ORACLES)


@both
def test_statistics_are_of_all_steps(method: str) -> None:
    oracle = ORACLES[method]().fit(np.concatenate(X))
    for ours, row in zip(SequenceScaler(method).fit(X).transform(OTHER), OTHER, strict=True):
        assert np.allclose(ours, oracle.transform(row), rtol=1e-13)
    steps = np.concatenate(SequenceScaler(method).fit_transform(X))
    if method == "standard":
        assert np.allclose(steps.mean(axis=0), 0, atol=1e-12)
        assert np.allclose(steps.std(axis=0), 1)
    else:
        assert np.allclose((steps.min(axis=0), steps.max(axis=0)), np.array([[0], [1]]), atol=1e-12)


@both
def test_parts_give_what_the_whole_gives(method: str) -> None:
    parts = SequenceScaler(method).partial_fit(X[:7]).partial_fit(X[7:8]).partial_fit(X[8:])
    whole = SequenceScaler(method).fit(OTHER).fit(X)  # the first fit is forgotten
    for ours, theirs in zip(parts.transform(OTHER), whole.transform(OTHER), strict=True):
        assert np.allclose(ours, theirs, rtol=1e-12)


@both
def test_the_inverse_brings_back(method: str) -> None:
    scaler = SequenceScaler(method).fit(X)
    for row, back in zip(OTHER, scaler.inverse_transform(scaler.transform(OTHER)), strict=True):
        assert np.allclose(row, back, rtol=1e-12)


@both
def test_forms_come_out_as_they_came(method: str) -> None:
    cube = np.stack([row[:3] for row in X])
    scaler = SequenceScaler(method).fit(cube)
    assert np.array_equal(scaler.transform(cube), np.stack(scaler.transform(list(cube))))
    assert isinstance(scaler.transform(list(cube)), list)
    table = cube[:, :, 0]
    scaled = clone(scaler).fit_transform(table)
    assert scaled.shape == table.shape
    assert np.allclose(scaled.ravel(), ORACLES[method]().fit_transform(table.reshape(-1, 1)).ravel())


@both
def test_weights_are_repetitions(method: str) -> None:
    weights = np.arange(20) % 3
    weighted = SequenceScaler(method).fit(X, sample_weight=weights)
    repeated = SequenceScaler(method).fit([X[row] for row in np.repeat(np.arange(20), weights)])
    for ours, theirs in zip(weighted.transform(OTHER), repeated.transform(OTHER), strict=True):
        assert np.allclose(ours, theirs, rtol=1e-10)


def test_what_does_not_vary_becomes_zero() -> None:
    rows = [np.full((4, 1), 5.0), np.full((2, 1), 5.0)]
    for method in ORACLES:
        assert np.concatenate(SequenceScaler(method).fit_transform(rows)).tolist() == [[0.0]] * 6


def test_wrong_calls() -> None:
    with pytest.raises(ConfigError, match="no method named 'robust'"):
        SequenceScaler("robust").fit(X)
    with pytest.raises(ValueError, match="has 2 features, expected 3"):
        SequenceScaler().fit(X).partial_fit(ragged(2))
