"""The commands take the model files of everybody: of estimators, and of programs."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit import explain

RNG = np.random.default_rng(6)
LENGTHS = RNG.integers(2, 9, 24)
X = [RNG.normal(5, 3, (length, 2)) for length in LENGTHS]
CODES = np.array([int(row[:, 0].mean() > 5) + 7 for row in X])
SUMS = np.array([[row.sum(), row[-1, 0]] for row in X])
SMALL: dict[str, Any] = {"units": 3, "filters": 4, "epochs": 3, "random_state": 0}


def archive(name: str, **arrays: Any) -> str:
    padded = np.zeros((len(X), max(LENGTHS), 2))
    for row, values in zip(padded, X, strict=True):
        row[: len(values)] = values
    np.savez(name, x=padded, lengths=LENGTHS, **arrays)
    return name


def table(name: str) -> str:
    """The same as rows of a table, with a column of times that is no feature."""
    rows = [f"s{i},{t},{a!r},{b!r}" for i, row in enumerate(X) for t, (a, b) in enumerate(row.tolist())]
    Path(name).write_text("\n".join(["who,time,a,b", *rows]))
    return name


def predicted(run: Any, *arguments: str) -> list[dict[str, str]]:
    return list(csv.DictReader(run("predict", *arguments).stdout.splitlines()))


@pytest.mark.parametrize("scale", [True, False])
def test_a_classifier(run: Any, scale: bool) -> None:
    estimators = pytest.importorskip("sklearn") and pytest.importorskip("seqkit.estimators")
    classifier = estimators.SequenceClassifier(**SMALL, scale=scale).fit(X, CODES)
    classifier.save("c.safetensors")
    rows = predicted(run, "c.safetensors", archive("data.npz", y=CODES))
    assert [int(row["predicted"]) for row in rows] == classifier.predict(X).tolist()
    assert [int(row["label"]) for row in rows] == CODES.tolist()
    np.testing.assert_allclose(
        [float(row["probability"]) for row in rows], classifier.predict_proba(X).max(axis=1), rtol=1e-6
    )
    grouped = predicted(run, "c.safetensors", table("data.csv"), "--id", "who", "--ignore", "time")
    assert [(row["id"], row["probability"]) for row in grouped] == [
        (f"s{i}", row["probability"]) for i, row in enumerate(rows)
    ]
    facts = json.loads(run("explain", "c.safetensors", "data.npz", "--json", "--sequence", "4").stdout)
    inputs = classifier.scaler_.transform(X) if scale else X
    why = explain.integrated_gradients(classifier.model_, [inputs[3]])  # whose name is 4
    np.testing.assert_allclose(facts["sequence"]["saliency"], why.by_step[0], atol=1e-7)
    assert facts["sequence"]["target"] == str(classifier.predict(X[3:4])[0])


def test_a_regressor(run: Any) -> None:
    estimators = pytest.importorskip("sklearn") and pytest.importorskip("seqkit.estimators")
    regressor = estimators.SequenceRegressor(**SMALL).fit(X, SUMS)
    regressor.save("r.safetensors")
    rows = predicted(run, "r.safetensors", archive("data.npz", y=SUMS))
    for column, name in enumerate(("y1", "y2")):
        assert [float(row[name]) for row in rows] == SUMS[:, column].tolist()
        expected = regressor.predict(X)[:, column]
        np.testing.assert_allclose([float(row[f"predicted_{name}"]) for row in rows], expected, rtol=1e-5, atol=1e-5)
    message = run("predict", "r.safetensors", archive("other.npz", y=SUMS[:, :1]), code=1).stderr
    assert "there are 1 targets, expected 2 as in training" in message


@pytest.mark.parametrize("sequences", [False, True])
def test_a_model_of_a_program(run: Any, sequences: bool) -> None:
    layers = [seqkit.GRU(3, return_sequences=sequences), seqkit.Dense(2)]
    model = seqkit.Sequential(layers, seed=1, dtype="float64").build(2)
    model.save("m.safetensors")
    rows = predicted(run, "m.safetensors", archive("data.npz", y=SUMS))
    found = np.array([[float(row["output 0"]), float(row["output 1"])] for row in rows])
    np.testing.assert_array_equal(found, np.concatenate([model.predict(row[None]).reshape(-1, 2) for row in X]))
    if sequences:
        assert [int(row["step"]) for row in rows] == [step for length in LENGTHS for step in range(length)]
    facts = json.loads(run("explain", "m.safetensors", "data.npz", "--json", "--target", "output 1").stdout)
    why = explain.integrated_gradients(model, X[:1], 1)
    np.testing.assert_allclose(facts["sequence"]["saliency"], why.by_step[0])


def test_what_cannot_be_read(run: Any) -> None:
    archive("data.npz")
    table("data.csv")
    several = seqkit.Graph({"sum": (seqkit.Add(), "a", "b")}, inputs=("a", "b"))
    estimator = {"class": "SequenceClassifier", "state": {}}
    tagger = {"class": "SequenceTagger", "state": {}}
    cases: list[tuple[list[Any], Any, dict[str, Any], list[str], str]] = [
        ([seqkit.GRU(2)], 2, {}, ["data.csv"], "name the column that does so with --id"),
        ([seqkit.GRU(2)], 2, {}, ["data.csv", "--id", "who"], "3 features, time, a, b; the model reads 2"),
        ([seqkit.Embedding(9, 2), seqkit.GRU(2)], None, {}, ["data.npz"], "the model reads ids"),
        ([several, seqkit.GRU(2)], (2, 2), {}, ["data.npz"], "the model reads several inputs"),
        ([seqkit.GRU(2)], 2, {"estimator": estimator}, ["data.npz"], "says of its data is incomplete"),
        (
            [seqkit.GRU(2)],
            2,
            {"estimator": tagger},
            ["data.npz"],
            "load it in Python",
        ),
        ([seqkit.GRU(2)], 2, {"estimator": 3}, ["data.npz"], "says of its data is incomplete"),
        ([seqkit.GRU(2)], 2, {"task": "sing"}, ["data.npz"], "the model is for 'sing'"),
        ([seqkit.GRU(2)], 2, {"task": "classify"}, ["data.npz", "--id", "who"], "leave out --id and --ignore"),
    ]
    for layers, size, metadata, arguments, message in cases:
        model = seqkit.Sequential(layers).build(size)
        model.metadata = metadata
        model.save("m.safetensors")
        for command in ("predict", "explain"):
            assert message in run(command, "m.safetensors", *arguments, code=1).stderr, (command, message)
