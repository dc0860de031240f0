"""Tags of single steps."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sequence_data import ragged
from sklearn.model_selection import cross_val_score

from seqkit.errors import DataError, ShapeError
from seqkit.estimators import SequenceTagger

SMALL: dict[str, Any] = {"units": 4, "filters": 3, "kernel_size": 3, "epochs": 4, "random_state": 0}
X = ragged(30)
Y = [np.array(["cold", "mild", "warm"])[np.digitize(row[:, 0], [-3.5, -2.5])] for row in X]


def scores(tagger: SequenceTagger, row: np.ndarray) -> np.ndarray:
    steps = np.concatenate(X)
    return np.asarray(tagger.model_.predict([(row - steps.mean(axis=0)) / steps.std(axis=0)])[0], np.float64)


def test_tags_are_the_most_probable() -> None:
    tagger = SequenceTagger(**SMALL).fit(X, Y)
    for row, tags, probabilities in zip(X, tagger.predict(X), tagger.predict_proba(X), strict=True):
        expected = scores(tagger, row)
        assert np.allclose(probabilities, expected, rtol=1e-4, atol=1e-6)
        assert tags.tolist() == np.array(["cold", "mild", "warm"])[expected.argmax(axis=1)].tolist()


def test_a_crf_finds_the_best_of_all_paths() -> None:
    tagger = SequenceTagger(**SMALL, crf=True).fit(X, Y)
    loss: Any = tagger.model_.loss
    rng = np.random.default_rng(0)
    for name in loss.params:
        loss.params[name] = rng.normal(size=loss.params[name].shape)
    transitions, start, end = (np.asarray(loss.params[name], np.float64) for name in ("transitions", "start", "end"))
    short = [row[:5] for row in X[:6]]
    for row, tags in zip(short, tagger.predict(short), strict=True):
        emissions = scores(tagger, row)

        def value(path: tuple[int, ...], emissions: np.ndarray = emissions) -> float:
            moves = sum(transitions[a, b] for a, b in pairwise(path))
            return float(start[path[0]] + end[path[-1]] + emissions[np.arange(len(path)), path].sum() + moves)

        best = max(product(range(3), repeat=len(row)), key=value)
        assert tags.tolist() == tagger.classes_[list(best)].tolist()
    assert not hasattr(tagger, "predict_proba")


def test_neighbours_help_a_crf() -> None:
    """Tags that alternate, seen through noise: only their neighbours tell them."""
    rng = np.random.default_rng(0)
    tags = [(np.arange(20) + first) % 2 for first in rng.integers(0, 2, size=60)]
    rows = [(row + rng.normal(0, 1.5, 20))[:, None] for row in tags]
    options = SMALL | {"filters": 0, "units": 2, "bidirectional": False, "epochs": 15, "dropout": 0.0}
    alone, together = (SequenceTagger(**options, crf=crf).fit(rows[:40], tags[:40]) for crf in (False, True))
    assert together.score(rows[40:], tags[40:]) > alone.score(rows[40:], tags[40:]) + 0.05


def test_the_score_counts_steps() -> None:
    tagger = SequenceTagger(**SMALL).fit(X, Y)
    right = [np.sum(ours == theirs) for ours, theirs in zip(tagger.predict(X), Y, strict=True)]
    lengths = [len(row) for row in X]
    assert tagger.score(X, Y) == pytest.approx(sum(right) / sum(lengths))
    weights = np.arange(30.0)
    assert tagger.score(X, Y, weights) == pytest.approx(np.dot(right, weights) / np.dot(lengths, weights))


def test_arrays_and_lists_give_the_same() -> None:
    cube, tags = np.stack([row[:3] for row in X]), np.stack([row[:3] for row in Y])
    array, listed = SequenceTagger(**SMALL).fit(cube, tags), SequenceTagger(**SMALL).fit(list(cube), list(tags))
    assert np.array_equal(array.predict_proba(cube), listed.predict_proba(cube))


def test_cross_validation_keeps_tags_beside_their_steps() -> None:
    assert len(cross_val_score(SequenceTagger(**SMALL), X, Y, cv=3)) == 3


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([*Y[:29], Y[29][:-1]], r"SequenceTagger: y\[29\] has \d+ tags, expected \d+, one for each step"),
        (Y[:-1], "inconsistent numbers of samples"),
        ([np.full(len(row), "x") for row in X], "y has one class, 'x'"),
        ([np.ones((len(row), 2)) for row in X], "y should be a 1d array"),
        (np.ones(30), "y should be a 1d array"),
        (None, "requires y to be passed"),
    ],
)
def test_tags_that_cannot_be_learned(y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SequenceTagger(**SMALL).fit(X, y)


def test_a_strange_tag_is_named() -> None:
    tagger = SequenceTagger(**SMALL, warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match="class 'hot' is not among those known"):
        tagger.fit(X, [np.where(row == "warm", "hot", row) for row in Y])


def test_weights_of_the_score_are_checked() -> None:
    X, y = [np.ones((3, 1)), np.zeros((2, 1))], [["a", "b", "a"], ["b", "b"]]
    tagger = SequenceTagger(units=2, epochs=1, random_state=0).fit(X, y)
    right = np.mean(np.array(y[1]) == tagger.predict(X)[1])
    assert tagger.score(X, y, [0, 2]) == right
    with pytest.raises(DataError, match="not zero for every weight"):
        tagger.score(X, y, [0, 0])
    with pytest.raises(ShapeError, match=r"expected \(2,\)"):
        tagger.score(X, y, [1, 1, 1])


@pytest.mark.parametrize("crf", [False, True])
def test_crf_for_the_next_fit_does_not_change_what_was_learned(crf: bool) -> None:
    X, y = [np.ones((3, 1)), np.zeros((2, 1))], [["a", "b", "a"], ["b", "b"]]
    tagger = SequenceTagger(units=2, epochs=1, random_state=0, crf=crf).fit(X, y)
    before = np.concatenate(tagger.predict(X))
    np.testing.assert_array_equal(np.concatenate(tagger.set_params(crf=not crf).predict(X)), before)
