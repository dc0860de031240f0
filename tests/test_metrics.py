"""Metrics against their definitions, over one batch and over an epoch of ragged batches.

Legend: S samples, T time, K outputs.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit.errors import ConfigError
from seqkit.training import metrics
from seqkit.training.losses import BinaryCrossentropy, SparseCategoricalCrossentropy
from seqkit.training.metrics import F1, R2, Accuracy, BitsPerCharacter, Metric, Perplexity, RootMeanSquaredError, TopK

PRED = np.array([[0.1, 0.7, 0.2], [0.5, 0.2, 0.3], [0.2, 0.3, 0.5], [0.3, 0.4, 0.3]])


def f1_of(true: np.ndarray, answers: np.ndarray, kind: int) -> float:
    right = sum((t == kind) and (a == kind) for t, a in zip(true, answers, strict=True))
    precision, recall = right / max((answers == kind).sum(), 1), right / max((true == kind).sum(), 1)
    return 2 * precision * recall / (precision + recall) if right else 0.0


class TestOneBatch:
    def test_accuracy(self) -> None:
        accuracy = metrics.get("accuracy")
        assert accuracy([1, 0, 1, 1], PRED) == 0.75
        assert accuracy(np.eye(3)[[1, 0, 1, 1]], PRED) == 0.75
        pred = np.array([[0.9], [0.2], [0.6]])
        assert accuracy([1, 0, 0], pred) == pytest.approx(2 / 3)
        assert accuracy([[1], [0], [0]], pred) == pytest.approx(2 / 3)
        steps = np.array([[1, 0, 0, 0], [0, 0, 2, 1]])
        assert accuracy(steps, np.stack([PRED, PRED]), np.array([2, 3])) == pytest.approx(4 / 5)

    def test_top_k(self) -> None:
        assert [TopK(k)([0, 1, 0, 0], PRED) for k in (1, 2, 3)] == [0.0, 0.25, 1.0]
        assert TopK(2)([2, 2, 2, 2], PRED) == 1.0  # equal to another is not behind it
        assert TopK(2)(np.eye(3)[[0, 1, 0, 0]], PRED) == 0.25
        assert TopK(1)([0], np.array([[np.nan, 1.0]])) == 0.0
        assert TopK(5).label == "top_5"

    @pytest.mark.parametrize("average", ["macro", "micro"])
    def test_f1_of_classes(self, average: str) -> None:
        rng = np.random.default_rng(1)
        true, pred = rng.integers(0, 3, 50), rng.uniform(size=(50, 4))  # class 3 is only answered
        pred[:, 2] = 0.0  # class 2 is never answered
        answers = pred.argmax(axis=1)
        expected = {"macro": np.mean([f1_of(true, answers, k) for k in range(4)]), "micro": (true == answers).mean()}
        assert F1(average)(true, pred) == pytest.approx(expected[average], rel=1e-12)

    def test_f1_of_two_classes(self) -> None:
        rng = np.random.default_rng(2)
        true, pred = rng.integers(0, 2, 40), rng.uniform(size=(40, 1))
        answers = (pred[:, 0] > 0.5).astype(int)
        both = np.concatenate([1 - pred, pred], axis=1)
        each = [f1_of(true, answers, k) for k in (0, 1)]
        assert F1()(true, pred) == F1("binary")(true, both) == pytest.approx(each[1], rel=1e-12)
        assert F1("macro")(true, pred) == F1()(true, both) == pytest.approx(np.mean(each), rel=1e-12)
        assert F1()([0, 0], np.zeros((2, 1))) == 0.0

    def test_f1_leaves_out_classes_that_do_not_occur(self) -> None:
        assert F1("macro")([1, 0, 2, 1], PRED) == F1("macro")([1, 0, 2, 1], np.pad(PRED, ((0, 0), (0, 2)))) == 1.0

    def test_r2(self) -> None:
        rng = np.random.default_rng(3)
        true, pred = rng.normal(1e4, 1.0, size=(30, 2)), rng.normal(1e4, 1.0, size=(30, 2))
        expected = 1 - (np.square(true - pred).sum(axis=0) / np.square(true - true.mean(axis=0)).sum(axis=0)).mean()
        assert R2()(true, pred) == pytest.approx(expected, rel=1e-12)
        assert R2()([2.0, 2.0], np.array([[2.0], [2.0]])) == 1.0
        assert R2()([2.0, 2.0], np.array([[2.0], [3.0]])) == 0.0

    @pytest.mark.parametrize("from_logits", [False, True])
    def test_language(self, from_logits: bool) -> None:
        ids = np.array([2, 0, 1, 1])
        given = np.log(PRED) + 5.0 if from_logits else PRED
        nats = -np.log(PRED[np.arange(4), ids]).mean()
        assert Perplexity(from_logits)(ids, given) == pytest.approx(np.exp(nats), rel=1e-12)
        assert Perplexity(from_logits)(np.eye(3)[ids], given) == pytest.approx(np.exp(nats), rel=1e-12)
        assert BitsPerCharacter(from_logits)(ids, given) == pytest.approx(nats / np.log(2), rel=1e-12)

    def test_losses_are_metrics(self) -> None:
        name, metric = metrics.named("mae")
        assert name == "mae"
        assert metric([[1.0], [2.0]], np.array([[0.0], [4.0]]), None) == 1.5
        assert metric([[[1.0], [np.nan]]], np.array([[[0.5], [0.0]]]), np.array([1])) == 0.5

    def test_names(self) -> None:
        assert [metrics.named(name)[0] for name in ("acc", "top_k", "mean_squared_error")] == [
            "acc",
            "top_k",
            "mean_squared_error",
        ]
        assert metrics.named(TopK(3))[0] == "top_3"
        with pytest.raises(ConfigError, match=r"no metric named 'f2'\. Choose one of acc, accuracy,"):
            metrics.get("f2")
        with pytest.raises(ConfigError, match="average must be one of auto, binary, macro, micro, got 'weighted'"):
            F1("weighted")
        with pytest.raises(ConfigError, match="average='binary' is for two classes, here are 3"):
            F1("binary")([0, 1, 2, 0], PRED)


def peak(y_true: Any, y_pred: np.ndarray, lengths: Any) -> float:
    """A function that gives a mean over samples."""
    return float(np.max(y_pred, axis=1).mean())


class TestEpoch:
    """What `evaluate` and `fit` report equals the metric of all samples at once, whatever the batches."""

    def test_numbers_in_ragged_sequences(self) -> None:
        rng = np.random.default_rng(4)
        x = [rng.normal(size=(length, 3)) for length in (4, 1, 7, 2, 5)]
        y = [rng.normal(3.0, 2.0, size=(len(row), 2)) for row in x]
        model = seqkit.Sequential([seqkit.LSTM(4, return_sequences=True), seqkit.Dense(2)], seed=0, dtype="float64")
        watched: list[str | Metric] = ["rmse", R2(), "mae"]
        model.compile("sgd", "mse", metrics=watched)
        loss, rmse, r2, mae = model.evaluate(x, y, batch_size=2)  # type: ignore[misc]
        true, pred = np.concatenate(y), np.concatenate(model.predict(x))
        assert loss == pytest.approx(np.square(true - pred).mean(), rel=1e-12)
        assert rmse == pytest.approx(np.sqrt(np.square(true - pred).mean()), rel=1e-12)
        assert mae == pytest.approx(np.abs(true - pred).mean(), rel=1e-12)
        assert r2 == pytest.approx(R2()(true, pred), rel=1e-12)

    def test_classes(self) -> None:
        rng = np.random.default_rng(5)
        x, y = rng.normal(size=(23, 4)), rng.integers(0, 3, 23)
        model = seqkit.Sequential([seqkit.Dense(3, "softmax")], seed=0, dtype="float64")
        model.compile("sgd", "sparse_categorical_crossentropy", metrics=["f1", TopK(2), Perplexity(), "accuracy", peak])
        values = model.evaluate(x, y, batch_size=5)
        pred = model.predict(x)
        assert values[1:] == pytest.approx(  # type: ignore[index]
            [F1()(y, pred), TopK(2)(y, pred), Perplexity()(y, pred), (pred.argmax(1) == y).mean(), peak(y, pred, None)],
            rel=1e-12,
        )
        history = model.fit(x, y, batch_size=23, epochs=1)
        assert list(history.history) == ["loss", "f1", "top_2", "perplexity", "accuracy", "peak"]
        assert [column[0] for column in history.history.values()] == pytest.approx(values, rel=1e-12)

    def test_names_read_what_the_loss_reads(self) -> None:
        """Logits, where the loss takes logits."""
        rng = np.random.default_rng(5)
        x, y = rng.normal(size=(23, 4)), rng.integers(0, 3, 23)
        model = seqkit.Sequential([seqkit.Dense(3)], seed=0, dtype="float64")
        loss = SparseCategoricalCrossentropy(from_logits=True)
        model.compile("sgd", loss, metrics=["perplexity", "bits_per_character", "accuracy"])
        nats, perplexity, bits, _ = model.evaluate(x, y)  # type: ignore[misc]
        assert (perplexity, bits) == (pytest.approx(np.exp(nats)), pytest.approx(nats / np.log(2)))
        model = seqkit.Sequential([seqkit.Dense(1)], seed=0, dtype="float64")
        model.compile("sgd", BinaryCrossentropy(from_logits=True), metrics=["acc", "f1"])
        _, accuracy, f1 = model.evaluate(x, y > 0)  # type: ignore[misc]
        p = 1 / (1 + np.exp(-model.predict(x)))
        assert ((p > 0.5) != (model.predict(x) > 0.5)).any()
        assert (accuracy, f1) == (Accuracy()(y > 0, p), F1()(y > 0, p))

    def test_parts_of_an_epoch_join_in_any_cut(self) -> None:
        rng = np.random.default_rng(6)
        true, pred = rng.normal(1e6, 1.0, size=(40, 3)), rng.normal(1e6, 1.0, size=(40, 3))
        for metric in (R2(), RootMeanSquaredError()):
            for cuts in ([0, 1, 40], [0, 13, 14, 39, 40], [0, 0, 40]):
                parts = [metric.sums(true[a:b], pred[a:b]) for a, b in pairwise(cuts)]
                total = parts[0]
                for part in parts[1:]:
                    total = metric.join(total, part)
                assert metric.result(total) == pytest.approx(metric(true, pred), rel=1e-9)


def test_metrics_are_saved_with_the_model(tmp_path: Any) -> None:
    model = seqkit.Sequential([seqkit.Dense(3, "softmax")], seed=0).build(4)
    model.compile("sgd", "sparse_categorical_crossentropy", ["acc", TopK(2), F1("micro"), Perplexity(True), "mae"])
    model.save(tmp_path / "m.safetensors")
    x, y = np.random.default_rng(0).normal(size=(9, 4)), np.eye(3)[[0, 1, 2] * 3]
    again = seqkit.load(tmp_path / "m.safetensors")
    assert list(again._require_recipe().metrics) == ["acc", "top_2", "f1", "perplexity", "mae"]
    for one, two in zip(
        again._require_recipe().metrics.values(), model._require_recipe().metrics.values(), strict=True
    ):
        assert one(y, model.predict(x)) == two(y, model.predict(x))
