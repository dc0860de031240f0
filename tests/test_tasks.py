"""Classification and regression, and how every task trains."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seqkit._core import threads
from seqkit.data.dataset import Sequences
from seqkit.data.files import Columns, companion, read_sequences
from seqkit.errors import ConfigError, DataError
from seqkit.model import Sequential
from seqkit.tasks import classify, regress
from seqkit.tasks.sequences import split
from seqkit.tasks.settings import Settings, network

SHARED = Path(os.environ.get("SEQKIT_DATA", Path(__file__).parents[2] / "shared" / "data"))
SMALL = Settings(units=4, epochs=3)


def labelled(count=40, seed=2):
    """Two classes that differ in the sign of the drift of their first feature."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(["up", "down"], size=count)
    x = [rng.normal(size=(rng.integers(2, 9), 2)).cumsum(axis=0) for _ in labels]
    for row, label in zip(x, labels, strict=True):
        row[:, 0] += np.arange(1, len(row) + 1) * (2.0 if label == "up" else -2.0)
    targets = np.array([[100 + row[-1, 0], -row[0, 1]] for row in x])
    names = tuple(str(i) for i in range(count))
    return Sequences("demo", x, ("a", "b"), names, "demo", tuple(labels.tolist()), targets, ("t", "u"))


# training


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (SMALL, ["lstm", "dense"]),
        (Settings(cell="gru", units=3, layers=2, dropout=0.1), ["gru", "dropout", "gru", "dropout", "dense"]),
        (Settings(cell="peephole", units=3, bidirectional=True), ["bidirectional", "dense"]),
    ],
)
def test_network(settings, expected):
    model = network(settings, features=5, outputs=2, activation="softmax")
    assert [layer.name for layer in model.layers] == expected
    out = model.predict(np.random.default_rng(0).normal(size=(3, 4, 5)))
    assert out.shape == (3, 2)
    np.testing.assert_allclose(out.sum(axis=1), 1.0, rtol=1e-6)


def test_network_of_something_else():
    with pytest.raises(ConfigError, match="'dense' is not a recurrent layer"):
        network(Settings(cell="dense"), 1, 1)


# classes


def test_split_keeps_the_share_of_each_class():
    data = labelled(60)
    data = replace(data, labels=tuple(np.random.default_rng(0).permutation(["few"] * 10 + ["many"] * 50).tolist()))
    for seed in range(5):
        train, test = split(data, seed)
        assert sorted(train.ids + test.ids) == sorted(data.ids)
        assert (test.labels.count("few"), test.labels.count("many")) == (2, 10)
    assert split(data, seed=4)[1].ids == test.ids
    assert split(data, seed=5)[1].ids != test.ids


def test_split_never_takes_the_only_one_of_its_class():
    data = replace(labelled(12), labels=("rare", *labelled(11).labels))
    for seed in range(8):
        assert "rare" in split(data, seed)[0].labels
    with pytest.raises(DataError, match="no class has two sequences"):
        split(replace(labelled(5), labels=tuple("abcde")), 0)
    with pytest.raises(DataError, match="4 sequences are too few"):
        split(labelled(4), 0)


def test_classify_learns_saves_and_answers_the_same(tmp_path):
    train, test = labelled(60, seed=1), labelled(30, seed=2)
    model = classify.fit(train, Columns(), replace(classify.DEFAULTS, units=8, epochs=15))
    figures = classify.report(model, test)
    assert figures["accuracy"] > 0.9
    assert figures["majority_accuracy"] == max(map(test.labels.count, ("up", "down"))) / 30
    model.save(tmp_path / "m.safetensors")
    np.savez(tmp_path / "a.npz", x=padded(test), lengths=[len(row) for row in test.x])
    with pytest.raises(DataError, match="2 features"):
        list(classify.rows(classify.fit(narrow(train), Columns(), SMALL), tmp_path / "a.npz"))
    model.metadata["features"] = ["feature1", "feature2"]
    listed = list(classify.rows(model, tmp_path / "a.npz"))
    right = sum(row["predicted"] == label for row, label in zip(listed, test.labels, strict=True))
    assert right / 30 == figures["accuracy"]
    assert all(0.5 <= row["probability"] <= 1 for row in listed)
    loaded = Sequential.load(tmp_path / "m.safetensors")
    loaded.metadata["features"] = ["feature1", "feature2"]
    assert list(classify.rows(loaded, tmp_path / "a.npz")) == listed


def padded(data):
    x = np.full((len(data), max(map(len, data.x)), len(data.features)), np.nan)
    for place, row in zip(x, data.x, strict=True):
        place[: len(row)] = row
    return x


def narrow(data):
    return data.without(["b"])


def test_scaling_is_that_of_the_training_steps():
    data = labelled()
    model = classify.fit(data, Columns(), SMALL)
    steps = np.array([step for row in data.x for step in row.tolist()])
    np.testing.assert_allclose(model.metadata["mean"], steps.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(model.metadata["deviation"], steps.std(axis=0), rtol=1e-12)


def test_values_out_of_all_proportion():
    data = labelled(20)
    model = classify.fit(data, Columns(), SMALL)
    far = replace(data, x=[1e40 * row for row in data.x])
    with pytest.raises(DataError, match=r"a value is \d+e[+]\d+ standard deviations off the training data"):
        classify.report(model, far)
    tiny = replace(data, x=[np.c_[row[:, :1], 1e-200 * row[:, 1:]] for row in data.x])
    with pytest.raises(DataError, match="feature 'b' is constant"):
        classify.fit(tiny, Columns(), SMALL)


def test_metadata_are_plain_values():
    for model in (
        classify.fit(labelled(), Columns(), SMALL),
        regress.fit(labelled(), Columns(), SMALL),
    ):
        assert json.loads(json.dumps(model.metadata)) == model.metadata


def test_data_that_cannot_be_classified():
    data = labelled(10)
    with pytest.raises(DataError, match="every sequence is of class 'up'"):
        classify.fit(replace(data, labels=("up",) * 10), Columns(), SMALL)
    with pytest.raises(DataError, match="have no classes: a table needs --label"):
        classify.fit(replace(data, labels=None), Columns(), SMALL)
    flat = replace(data, x=[np.c_[row[:, :1], np.full(len(row), 7.0)] for row in data.x])
    with pytest.raises(DataError, match=r"feature 'b' is constant \(7\).*--ignore b"):
        classify.fit(flat, Columns(), SMALL)
    model = classify.fit(data, Columns(), SMALL)
    with pytest.raises(DataError, match="class 'sideways' is not in the training data, which has down, up"):
        classify.report(model, replace(data, labels=("sideways",) * 10))


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.exists(), reason="the archive's files are not here; set SEQKIT_DATA")
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_japanese_vowels(cell):
    path = SHARED / "JapaneseVowels" / "JapaneseVowels_TRAIN.ts"
    train, test = (read_sequences(file, Columns())[0] for file in (path, companion(path)))
    settings = replace(classify.DEFAULTS, cell=cell, bidirectional=True)
    with threads(1):
        models = [classify.fit(train, Columns(), replace(settings, seed=seed)) for seed in range(3)]
    accuracies = [classify.report(model, test)["accuracy"] for model in models]
    assert np.mean(accuracies) >= 0.97


# numbers


def test_regress_learns_and_gives_numbers_in_their_own_units():
    train, test = labelled(120, seed=1), labelled(40, seed=2)
    model = regress.fit(train, Columns(), replace(regress.DEFAULTS, units=8, epochs=30))
    figures = regress.report(model, test)
    constant = np.sqrt(np.mean(np.square(test.targets - train.targets.mean(axis=0))))
    assert figures["mean_rmse"] == pytest.approx(constant)
    assert figures["rmse"] < 0.4 * constant
    assert figures["rmse"] == pytest.approx(np.sqrt(np.mean(np.square(regress.predict(model, test) - test.targets))))


def test_data_that_cannot_be_regressed():
    data = labelled(10)
    with pytest.raises(DataError, match=r"target 'u' is constant \(3\)"):
        regress.fit(replace(data, targets=np.c_[data.targets[:, 0], np.full(10, 3.0)]), Columns(), SMALL)
    with pytest.raises(DataError, match="no numbers to predict: a table needs --label or --target"):
        regress.fit(replace(data, targets=None), Columns(), SMALL)
    model = regress.fit(data, Columns(), SMALL)
    with pytest.raises(DataError, match="targets are a, b, expected t, u"):
        regress.report(model, replace(data, target_names=("a", "b")))
