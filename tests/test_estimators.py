"""Estimators of sequences: what they predict, how they are trained, what scikit-learn's tools do with them."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

import joblib
from sequence_data import means, names, ragged
from sklearn.base import clone
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.class_weight import compute_sample_weight

import seqkit
from seqkit.errors import ConfigError, DataError, ShapeError
from seqkit.estimators import SequenceClassifier, SequenceRegressor, SequenceScaler

SMALL: dict[str, Any] = {"units": 4, "filters": 3, "kernel_size": 3, "epochs": 3, "random_state": 0}
WHOLE: dict[str, Any] = {**SMALL, "epochs": 12, "batch_size": 1000, "dropout": 0.0}
X = ragged()
LABELS, VALUES = names(X), means(X)


def by_hand(estimator: Any, rows: list[np.ndarray]) -> np.ndarray:
    """What the model gives for sequences that NumPy scaled as the training data say."""
    steps = np.concatenate(X)
    return np.asarray(estimator.model_.predict([(row - steps.mean(axis=0)) / steps.std(axis=0) for row in rows]))


def classifier(**options: Any) -> SequenceClassifier:
    return SequenceClassifier(**SMALL | options).fit(X, LABELS)


def regressor(**options: Any) -> SequenceRegressor:
    return SequenceRegressor(**SMALL | options).fit(X, VALUES)


# what is predicted


def test_probabilities_and_classes_are_the_models() -> None:
    other, estimator = ragged(seed=1), classifier()
    expected = by_hand(estimator, other)
    assert np.allclose(estimator.predict_proba(other), expected, rtol=1e-5, atol=1e-7)
    assert estimator.predict(other).tolist() == np.array(["high", "low"])[expected.argmax(axis=1)].tolist()
    assert np.allclose(estimator.predict_log_proba(other), np.log(expected), rtol=1e-4, atol=1e-6)


def test_numbers_are_the_models_in_units_of_the_targets() -> None:
    other, estimator = ragged(seed=1), regressor()
    expected = by_hand(estimator, other)[:, 0] * VALUES.std() + VALUES.mean()
    assert np.allclose(estimator.predict(other), expected, rtol=1e-5, atol=1e-6)


def test_without_scaling_the_model_sees_the_numbers() -> None:
    estimator = classifier(scale=False)
    assert np.array_equal(estimator.predict_proba(X).argmax(axis=1), estimator.model_.predict(X).argmax(axis=1))
    assert estimator.scaler_ is None


def test_the_network_is_what_the_options_say() -> None:
    kinds = [layer.name for layer in classifier().model_.layers]
    assert kinds == ["conv1d", "bidirectional", "max_pool", "dropout", "dense"]
    plain = classifier(filters=0, bidirectional=False, pooling="last", dropout=0.0, layers=2, cell="lstm")
    assert [layer.name for layer in plain.model_.layers] == ["lstm", "lstm", "dense"]
    assert [layer.name for layer in classifier(pooling="mean").model_.layers][2] == "mean_pool"


def convolutions(estimator: Any) -> list[tuple[int, ...]]:
    """Filters and steps of each convolution, from its weights."""
    layers = [layer for layer in estimator.model_.layers if layer.name == "conv1d"]
    assert all(layer.activation == "relu" and layer.padding == "same" for layer in layers)
    return [layer.params["weight"].shape for layer in layers]  # (filters, steps, features below)


def test_one_number_or_one_for_each_convolution() -> None:
    several = classifier(filters=(5, 3, 4), kernel_size=(8, 5, 2))
    assert convolutions(several) == [(5, 8, 2), (3, 5, 5), (4, 2, 3)]
    assert convolutions(classifier(filters=[5, 3], kernel_size=4)) == [(5, 4, 2), (3, 4, 5)]
    assert convolutions(classifier(filters=np.array([5, 3]), kernel_size=np.int64(4))) == [(5, 4, 2), (3, 4, 5)]
    assert convolutions(classifier(filters=5, kernel_size=(4, 2))) == [(5, 4, 2), (5, 2, 5)]
    assert convolutions(SequenceClassifier(filters=6, units=2, epochs=1).fit(X, LABELS)) == [(6, 8, 2), (6, 5, 6)]
    assert convolutions(classifier(filters=(), kernel_size=(8, 5))) == convolutions(classifier(filters=0)) == []
    assert np.array_equal(classifier(filters=(3,)).predict_proba(X), classifier(filters=3).predict_proba(X))
    assert np.allclose(several.predict_proba(X), by_hand(several, X), rtol=1e-5, atol=1e-7)


def test_several_numbers_each_of_its_own_size() -> None:
    targets = np.stack([VALUES, 1000 * VALUES[::-1] + 5], axis=1)
    estimator = SequenceRegressor(**SMALL).fit(X, targets)
    expected = by_hand(estimator, X) * targets.std(axis=0) + targets.mean(axis=0)
    assert np.allclose(estimator.predict(X), expected, rtol=1e-5, atol=1e-4)
    assert estimator.fit(X, targets[:, :1]).predict(X).shape == (40, 1)


@pytest.mark.parametrize(("loss", "center"), [("mse", np.mean), ("mae", np.median)])
def test_losses_have_their_centers(loss: str, center: Callable[[np.ndarray], float]) -> None:
    """Of inputs that are all the same the best prediction is the mean, or the median."""
    targets = np.array([0.0, 0.0, 0.0, 1.0, 10.0])
    estimator = SequenceRegressor(**WHOLE | {"loss": loss, "epochs": 150}).fit(np.ones((5, 4, 1)), targets)
    assert np.allclose(estimator.predict(np.ones((1, 4, 1))), center(targets), atol=0.2)


def test_what_is_learned() -> None:
    """Loss, not accuracy: it has to know how sure to be."""
    options: dict[str, Any] = {"units": 16, "epochs": 30, "random_state": 0}
    train, test = ragged(100, seed=2), ragged(60, seed=3)
    center = float(np.median(means(train)))
    truth = [np.where(means(rows) > center, "high", "low") for rows in (train, test)]
    sure = SequenceClassifier(**options).fit(train, truth[0]).predict_proba(test)
    assert log_loss(truth[1], sure, labels=["high", "low"]) < 0.35
    assert SequenceRegressor(**options).fit(train, means(train)).score(test, means(test)) > 0.9


# training


def test_the_same_seed_gives_the_same_bits_and_another_does_not() -> None:
    first, again, other = classifier(), classifier(), classifier(random_state=1)
    assert np.array_equal(first.predict_proba(X), again.predict_proba(X))
    assert not np.array_equal(first.predict_proba(X), other.predict_proba(X))
    given = [classifier(random_state=np.random.RandomState(5)).predict_proba(X) for _ in range(2)]
    assert np.array_equal(*given)
    unseeded = [classifier(random_state=None).predict_proba(X) for _ in range(2)]
    assert not np.array_equal(*unseeded)


def test_fitting_again_begins_anew() -> None:
    estimator = classifier()
    before = estimator.predict_proba(X)
    assert np.array_equal(estimator.fit(X, LABELS).predict_proba(X), before)


def test_a_warm_start_goes_on_from_the_weights() -> None:
    estimator = classifier(warm_start=True, epochs=6)
    first, start = estimator.history_.history["loss"], estimator.model_.params["0.weight"].copy()
    estimator.set_params(epochs=1, learning_rate=1e-9).fit(X, LABELS)
    assert np.allclose(estimator.model_.params["0.weight"], start, atol=1e-6)
    assert estimator.history_.history["loss"][0] < first[0]
    with pytest.raises(DataError, match="class 'else' is not among those known"):
        estimator.fit(X, np.where(LABELS == "low", "else", LABELS))


def test_partial_fit_is_an_epoch_of_the_models_own() -> None:
    estimator = SequenceClassifier(**SMALL | {"dropout": 0.0})
    parts = slice(0, 25), slice(25, 40)
    for part in (*parts, parts[0]):
        estimator.partial_fit(X[part], LABELS[part], classes=["low", "high"])
    steps = np.concatenate(X[parts[0]])
    twin = SequenceClassifier(**SMALL | {"dropout": 0.0, "epochs": 1}).fit(X[parts[0]], LABELS[parts[0]]).model_
    seed = int(np.random.RandomState(0).randint(2**31 - 1))
    for part in (parts[1], parts[0]):
        rows = [(row - steps.mean(axis=0)) / steps.std(axis=0) for row in X[part]]
        twin.fit(rows, (LABELS[part] == "low").astype(int), 16, 1, 0, seed=seed)
    for name, values in estimator.model_.params.items():
        assert np.allclose(values, twin.params[name], rtol=1e-4, atol=1e-6)


def test_partial_fit_may_see_a_class_later() -> None:
    estimator = SequenceClassifier(**SMALL)
    low = [row for row, label in zip(X, LABELS, strict=True) if label == "low"]
    estimator.partial_fit(low, ["low"] * len(low), classes=LABELS)
    assert estimator.partial_fit(X, LABELS).predict_proba(X).shape == (40, 2)
    with pytest.raises(DataError, match="y has one class, 'low'"):
        SequenceClassifier(**SMALL).partial_fit(low, ["low"] * len(low))


def test_training_stops_early_with_the_best_weights() -> None:
    noise = np.random.default_rng(0).permutation(LABELS)
    estimator = SequenceClassifier(**SMALL | {"epochs": 200, "patience": 4, "validation_fraction": 0.25, "units": 16})
    history = estimator.fit(X, noise).history_.history["val_loss"]
    assert len(history) == int(np.argmin(history)) + 1 + 4
    held = estimator._split(
        estimator._begin(X, noise, None, new=False)[0], int(np.random.RandomState(0).randint(2**31 - 1))
    )[1]
    assert np.bincount(held.y).tolist() == [5, 5]  # both classes have their share
    assert estimator.model_.evaluate(held.x, held.y) == pytest.approx(min(history), rel=1e-5)


# weights


@pytest.mark.parametrize(("kind", "targets"), [(SequenceClassifier, LABELS), (SequenceRegressor, VALUES)])
def test_weights_are_repetitions(kind: Any, targets: np.ndarray) -> None:
    """In one batch a weight of 2 is a sample twice, and one of 0 a sample that is not there."""
    weights = np.random.default_rng(0).integers(0, 4, size=40)
    repeated = np.repeat(np.arange(40), weights)
    weighted = kind(**WHOLE).fit(X, targets, sample_weight=0.7 * weights)
    plain = kind(**WHOLE).fit([X[row] for row in repeated], targets[repeated])
    of = "predict_proba" if kind is SequenceClassifier else "predict"
    assert np.allclose(getattr(weighted, of)(X), getattr(plain, of)(X), atol=1e-4)


@pytest.mark.parametrize("given", ["balanced", {"low": 40 / 2 / 10, "high": 40 / 2 / 30}])
def test_weights_of_classes_are_weights_of_samples(given: Any) -> None:
    labels = np.where(np.arange(40) < 10, "low", "high")
    options = WHOLE | {"scale": False, "learning_rate": 0.003}
    by_class = SequenceClassifier(**options, class_weight=given).fit(X, labels)
    by_sample = SequenceClassifier(**options).fit(X, labels, compute_sample_weight("balanced", labels))
    assert np.allclose(by_class.predict_proba(X), by_sample.predict_proba(X), atol=1e-5)
    assert not np.allclose(by_class.predict_proba(X), SequenceClassifier(**options).fit(X, labels).predict_proba(X))


# labels


@pytest.mark.parametrize("labels", [[3, -7, 12], [True, False], ["b", "a", "ä"], [0.0, 2.0]])
def test_labels_of_every_kind_come_back(labels: list[Any]) -> None:
    given = np.array(labels)[np.arange(40) % len(labels)]
    estimator = SequenceClassifier(**SMALL).fit(X, given)
    assert estimator.classes_.tolist() == sorted(labels)
    assert set(estimator.predict(X).tolist()) <= set(labels)
    assert estimator.fit(X, given.tolist()).predict(X).dtype.kind == given.dtype.kind


@pytest.mark.parametrize(
    ("kind", "y", "message"),
    [
        (SequenceClassifier, ["same"] * 40, "SequenceClassifier: y has one class, 'same'; at least 2 are needed"),
        (SequenceClassifier, LABELS[:-1], "inconsistent numbers of samples"),
        (SequenceClassifier, np.ones((40, 2)), "y should be a 1d array"),
        (SequenceClassifier, VALUES, "Unknown label type: continuous"),
        (SequenceRegressor, np.where(np.arange(40) == 3, np.nan, VALUES), "Input y contains NaN"),
    ],
)
def test_targets_that_cannot_be_learned(kind: Any, y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(**SMALL).fit(X, y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell": "dense"}, "'dense' is not a recurrent layer"),
        ({"pooling": "median"}, "no pooling named 'median'"),
        ({"filters": (3, 2), "kernel_size": (3, 5, 7)}, r"kernel_size=\(3, 5, 7\) does not fit filters=\(3, 2\)"),
        ({"filters": (3, 2, 1), "kernel_size": (3, 5)}, "does not fit .* give as many numbers of both, or one for all"),
        ({"filters": (3, 0)}, "conv1d: filters must be a positive integer, got 0"),
        ({"filters": [[3, 2], [3]]}, r"conv1d: filters must be a positive integer, got \[3, 2\]"),
        ({"epochs": 0}, "SequenceClassifier: epochs must be a positive integer, got 0"),
        ({"learning_rate": -1.0}, "SequenceClassifier: learning_rate must be a positive number"),
        ({"patience": 3, "validation_fraction": 0.999}, "SequenceClassifier: validation_fraction=0.999"),
        ({"class_weight": {"medium": 2.0}}, "class_weight has 'medium', which is none of"),
        ({"class_weight": "heavy"}, "class_weight must be a dict of class to weight or 'balanced'"),
    ],
)
def test_options_that_mean_nothing(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        classifier(**options)


def test_targets_keep_their_number() -> None:
    estimator = regressor(warm_start=True)
    with pytest.raises(ShapeError, match="y has 2 columns, expected 1"):
        estimator.fit(X, np.ones((40, 2)))


# scikit-learn's tools


def test_cross_validation_cuts_lists() -> None:
    folds = KFold(3)
    scores = cross_val_score(SequenceClassifier(**SMALL), X, LABELS, cv=folds)
    for score, (train, test) in zip(scores, folds.split(LABELS), strict=True):
        estimator = SequenceClassifier(**SMALL).fit([X[row] for row in train], LABELS[train])
        predicted = estimator.predict([X[row] for row in test])
        assert score == np.mean(predicted == LABELS[test])
    assert cross_val_predict(SequenceRegressor(**SMALL), X, VALUES, cv=folds).shape == (40,)


def test_search_over_options_of_a_pipeline() -> None:
    pipeline = make_pipeline(SequenceScaler(), SequenceClassifier(**SMALL, scale=False))
    grid = {"sequenceclassifier__units": [2, 4], "sequencescaler__method": ["standard", "minmax"]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, LABELS)
    assert len(search.cv_results_["params"]) == 4
    assert search.best_estimator_[1].units == search.best_params_["sequenceclassifier__units"]
    scaled = make_pipeline(SequenceScaler(), SequenceClassifier(**SMALL, scale=False)).fit(X, LABELS)
    assert np.allclose(scaled.predict_proba(X), classifier().predict_proba(X), atol=1e-6)


def test_copies_predict_the_same_bits() -> None:
    estimator = classifier()
    expected = estimator.predict_proba(X)
    assert np.array_equal(pickle.loads(pickle.dumps(estimator)).predict_proba(X), expected)
    assert np.array_equal(clone(estimator).fit(X, LABELS).predict_proba(X), expected)
    assert not hasattr(clone(estimator), "model_")


def test_another_process_fits_the_same_bits() -> None:
    with joblib.parallel_config(backend="loky", n_jobs=2):
        (there,) = joblib.Parallel()([joblib.delayed(SequenceClassifier.fit)(clone(classifier()), X, LABELS)])
    assert np.array_equal(there.predict_proba(X), classifier().predict_proba(X))


def test_a_missing_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError(name=missing)

    monkeypatch.setattr("seqkit.estimators.import_module", absent)
    missing = "sklearn.base"
    with pytest.raises(ConfigError, match=r"pip install 'seqkit\[sklearn\]'"):
        _ = seqkit.estimators.SequenceClassifier
    missing = "other"
    with pytest.raises(ModuleNotFoundError):
        _ = seqkit.estimators.SequenceClassifier
    with pytest.raises(AttributeError, match="has no attribute 'Oracle'; it has"):
        _ = seqkit.estimators.Oracle
