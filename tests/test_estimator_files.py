"""Estimators come back from files as they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sequence_data import means, names, ragged

import seqkit
from seqkit.errors import ConfigError, LoadError
from seqkit.estimators import SequenceClassifier, SequenceRegressor, SequenceTagger

SMALL: dict[str, Any] = {"units": 3, "filters": 2, "epochs": 2, "random_state": 0}
X = ragged(30)
TAGS = [np.where(row[:, 0] > -3, "up", "down") for row in X]
TARGETS = np.stack([means(X), means(X) ** 2], axis=1)
FITTED = {
    "text": SequenceClassifier(**SMALL).fit(X, names(X)),
    "numbers": SequenceClassifier(**SMALL, cell="gru", class_weight={5: 2.0}).fit(X, (names(X) == "low") * 5),
    "objects": SequenceClassifier(**SMALL).fit(X, names(X).astype(object)),
    "table": SequenceClassifier(**SMALL, scale=False).fit(np.stack([row[:3, 0] for row in X]), names(X)),
    "convolutions": SequenceClassifier(**SMALL | {"filters": (2, 3), "kernel_size": [2, 5]}).fit(X, names(X)),
    "regressor": SequenceRegressor(**SMALL, loss="huber").fit(X, TARGETS),
    "tagger": SequenceTagger(**SMALL, crf=True).fit(X, TAGS),
}


@pytest.mark.parametrize("name", FITTED)
def test_everything_comes_back(name: str, tmp_path: Path) -> None:
    estimator = FITTED[name]
    estimator.save(tmp_path / "model.safetensors")
    again = type(estimator).load(tmp_path / "model.safetensors")
    rows = np.stack([row[:3, 0] for row in X]) if name == "table" else X
    for ours, theirs in zip(estimator.predict(rows), again.predict(rows), strict=True):
        assert np.array_equal(ours, theirs)
    assert again.get_params() == estimator.get_params()
    assert vars(again).keys() == vars(estimator).keys()
    assert again.history_ == estimator.history_
    known = "target_mean_" if name == "regressor" else "classes_"
    assert getattr(again, known).tolist() == getattr(estimator, known).tolist()
    assert getattr(again, known).dtype == getattr(estimator, known).dtype


def test_training_goes_on_as_if_there_had_been_no_file(tmp_path: Path) -> None:
    estimator = SequenceClassifier(**SMALL).fit(X, names(X))
    estimator.save(tmp_path / "model.safetensors")
    again = SequenceClassifier.load(tmp_path / "model.safetensors")
    for one in (estimator, again):
        one.partial_fit(X[:20], names(X)[:20])
        one.scaler_.partial_fit(X[:5])
    assert np.array_equal(estimator.predict_proba(X), again.predict_proba(X))


def test_the_file_is_a_model(tmp_path: Path) -> None:
    FITTED["text"].save(tmp_path / "model.safetensors")
    model = seqkit.load(tmp_path / "model.safetensors")
    assert model.metadata["estimator"]["state"]["classes_"] == {"array": ["high", "low"], "dtype": "<U4"}
    scaled = FITTED["text"].scaler_.transform(X)
    assert np.array_equal(model.predict(scaled), FITTED["text"].model_.predict(scaled))


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    FITTED["regressor"].save(path)
    with pytest.raises(LoadError, match="not a SequenceClassifier but SequenceRegressor; load it with its own class"):
        SequenceClassifier.load(path)
    seqkit.Sequential([seqkit.Dense(1)], seed=0).build(2).save(path)
    with pytest.raises(LoadError, match="a model that no estimator saved"):
        SequenceClassifier.load(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda note: note.pop("state"),
        lambda note: note["options"].update(colour="red"),
        lambda note: note["state"]["classes_"].update(dtype="|V8"),
        lambda note: note["state"]["classes_"].update(array=["a", ["b"]]),
        lambda note: note["state"]["scaler_"].update(method="loud"),
        lambda note: note["state"].update({"__class__": 3}),
        lambda note: note["state"].update(predict=3),
    ],
)
def test_a_note_that_was_edited_is_refused(change: Any, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    FITTED["text"].save(path)
    model = seqkit.load(path)
    change(model.metadata["estimator"])
    model.save(path)
    with pytest.raises(LoadError, match="the estimator cannot be rebuilt"):
        SequenceClassifier.load(path)


def test_what_a_file_cannot_hold_is_said(tmp_path: Path) -> None:
    dates = np.array(["2020-01-01", "2021-01-01"], dtype="datetime64[D]")[np.arange(30) % 2]
    estimator = SequenceClassifier(**SMALL).fit(X, names(X))
    estimator.classes_ = np.unique(dates)
    with pytest.raises(ConfigError, match=r"classes_ is .* which a file cannot hold; pickle the estimator instead"):
        estimator.save(tmp_path / "model.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_a_generator_is_forgotten(tmp_path: Path) -> None:
    estimator = SequenceClassifier(**SMALL | {"random_state": np.random.RandomState(0)}).fit(X, names(X))
    estimator.save(tmp_path / "model.safetensors")
    assert SequenceClassifier.load(tmp_path / "model.safetensors").random_state is None
