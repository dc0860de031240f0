"""Forecasting, classification and regression: figures by hand, nothing from the future, robust defaults."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seqkit.data.dataset import Sequences, Series
from seqkit.data.files import Columns, companion, locate, read_sequences, read_series
from seqkit.errors import ConfigError, DataError, NonFiniteError
from seqkit.model import Sequential
from seqkit.tasks import classify, forecast, regress
from seqkit.tasks.baselines import persistence, rmse, seasonal_naive, windows
from seqkit.tasks.plan import Plan
from seqkit.tasks.sequences import split
from seqkit.tasks.settings import CosineDecay, EarlyStopping, Settings, network, optimizer

SHARED = Path(os.environ.get("SEQKIT_DATA", Path(__file__).parents[2] / "shared" / "data"))
SMALL = Settings(units=4, epochs=3)


def a_series(values, column="a"):
    return Series("demo", column, np.asarray(values, dtype=float), tuple(map(str, range(1, len(values) + 1))), "demo")


def wave(length=80, seed=3):
    rng = np.random.default_rng(seed)
    return 40 + 10 * np.sin(np.arange(length) / 1.7) + rng.normal(size=length)


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


# windows and baselines


@pytest.mark.parametrize(("window", "horizon"), [(1, 1), (3, 1), (2, 3), (5, 2)])
def test_windows_one_by_one(window, horizon):
    values = np.random.default_rng(0).normal(size=9)
    x, y = windows(values, window, horizon)
    expected = [(values[t - window + 1 : t + 1], values[t + horizon]) for t in range(window - 1, 9 - horizon)]
    assert len(x) == len(y) == len(expected)
    for row, target, (past, future) in zip(x, y, expected, strict=True):
        assert row.tolist() == past.tolist()
        assert target == future


def test_windows_of_a_short_series():
    x, y = windows(np.arange(3.0), 3, 1)
    assert (x.shape, y.shape) == ((0, 3), (0,))


@pytest.mark.parametrize("horizon", [1, 2, 3, 4, 7])
def test_naive_forecasts_one_by_one(horizon):
    values = np.random.default_rng(1).normal(size=20)
    naive, seasonal = persistence(values, 12, horizon), seasonal_naive(values, 12, 3, horizon)
    for i, time in enumerate(range(12, 20)):
        known = time - horizon  # the last value that is known when the forecast is made
        assert naive[i] == values[known]
        same_phase = max(t for t in range(known + 1) if (time - t) % 3 == 0)
        assert seasonal[i] == values[same_phase]
    assert len(naive) == len(seasonal) == 8


def test_rmse_by_hand():
    assert rmse(np.array([1.0, 5.0, 3.0]), np.array([1.0, 2.0, 7.0])) == pytest.approx((25 / 3) ** 0.5)


def test_naive_figures_of_the_sunspots():
    """Computed with nothing but a loop over the published figures."""
    values = read_series(locate("sunspots")).values.tolist()
    for lag, function in ((1, persistence), (11, seasonal_naive)):
        errors = [values[t] - values[t - lag] for t in range(249, 309)]
        arguments = (np.array(values), 249) if lag == 1 else (np.array(values), 249, lag)
        expected = (sum(error * error for error in errors) / 60) ** 0.5
        assert rmse(function(*arguments), np.array(values[249:])) == pytest.approx(expected, rel=1e-12)


# the plan


def test_defaults_of_a_plan():
    assert Plan.of(a_series(wave(100)), season=7) == Plan(window=14, horizon=1, holdout=20, season=7)
    assert Plan.of(a_series(wave(200))) == Plan(window=24, horizon=1, holdout=40)
    assert Plan.of(a_series(wave(50))) == Plan(window=10, horizon=1, holdout=10)
    assert Plan.of(a_series(wave(50)), 5, 2, 8, 3) == Plan(5, 2, 8, 3)


@pytest.mark.parametrize(
    ("values", "options", "phrase"),
    [
        (wave(12), {}, "12 values with 2 held out, a window of 2 and a horizon of 1 leave 8 windows"),
        (wave(80), {"window": 60}, "leave 4 windows to train on, expected at least 10"),
        (wave(80), {"holdout": 500}, "leave 0 windows"),
        (wave(80), {"season": 64}, "a season of 64 values does not fit in the 64 values"),
        (np.full(60, 2.5), {}, r"column 'a' is constant \(2\.5\)"),
        (np.r_[np.full(60, 2.5), 1, 2, 3], {"holdout": 3}, r"column 'a' is constant \(2\.5\) before the part held out"),
    ],
)
def test_series_that_cannot_be_forecast(values, options, phrase):
    with pytest.raises(DataError, match=phrase):
        Plan.of(a_series(values), **options)


def test_ten_windows_are_enough():
    plan = Plan.of(a_series(wave(20)), window=4, holdout=6)
    assert len(windows(wave(20)[:-6], plan.window)[0]) == 10


# forecasts


@pytest.mark.parametrize("horizon", [1, 3])
def test_held_out_values_do_not_change_the_model(horizon):
    values = wave()
    plan = Plan.of(a_series(values), horizon=horizon, holdout=20)
    changed = values.copy()
    changed[-20:] = np.random.default_rng(9).normal(size=20) * 1e6
    one, other = (forecast.fit(a_series(series), plan, SMALL) for series in (values, changed))
    assert one.metadata == other.metadata
    assert all(np.array_equal(one.params[name], other.params[name]) for name in one.params)
    shorter = values.copy()
    shorter[-21] += 1.0  # the last value that is known must count
    assert forecast.fit(a_series(shorter), plan, SMALL).metadata != one.metadata


@pytest.mark.parametrize("horizon", [1, 4])
def test_a_forecast_uses_only_what_is_known(horizon):
    values = wave()
    plan = Plan.of(a_series(values), window=6, horizon=horizon, holdout=20)
    model = forecast.fit(a_series(values), plan, SMALL)
    predicted = forecast.predict(model, a_series(values))
    assert len(predicted) == 80 - 6 + 1
    for time in (30, 79):
        changed = values.copy()
        changed[time] += 5.0
        moved = np.flatnonzero(forecast.predict(model, a_series(changed)) != predicted) + 6 + horizon - 1
        assert moved.min() == time + horizon
        assert moved.max() <= time + horizon + 5


def test_forecast_without_the_network_is_persistence():
    """With the last layer at 0 the forecast is the last known value."""
    values = wave()
    plan = Plan.of(a_series(values), window=5, horizon=2, holdout=15, season=11)
    model = forecast.fit(a_series(values), plan, SMALL)
    last = max(int(name.split(".")[0]) for name in model.params)
    with model.params.editing() as arrays:
        for name in (f"{last}.weight", f"{last}.bias"):
            arrays[name][...] = 0.0
    assert np.array_equal(forecast.held_out_forecasts(model, a_series(values)), persistence(values, 65, 2))
    figures = forecast.report(model, a_series(values))
    assert figures["rmse"] == figures["persistence_rmse"]
    expected = [values[t] - values[t - 11] for t in range(65, 80)]
    assert figures["seasonal_naive_rmse"] == pytest.approx(np.sqrt(np.mean(np.square(expected))))


def test_level_and_unit_do_not_matter():
    values = wave()
    plan = Plan.of(a_series(values), holdout=20)
    one = forecast.held_out_forecasts(forecast.fit(a_series(values), plan, SMALL), a_series(values))
    moved = a_series(1024 * values + 4096)
    other = forecast.held_out_forecasts(forecast.fit(moved, plan, SMALL), moved)
    np.testing.assert_allclose((other - 4096) / 1024, one, rtol=0, atol=1e-3)


def test_rows_of_a_forecast(tmp_path):
    values = wave(60)
    path = tmp_path / "a.csv"
    path.write_text("year,a\n" + "".join(f"{1900 + i},{value!r}\n" for i, value in enumerate(values.tolist())))
    series = read_series(path)
    model = forecast.fit(series, Plan.of(series, window=5, horizon=3, holdout=10), SMALL)
    listed = list(forecast.rows(model, path))
    assert [row["time"] for row in listed] == [str(year) for year in range(1907, 1960)] + ["+1", "+2", "+3"]
    assert [row["a"] for row in listed] == [*values[7:], None, None, None]
    assert [row["forecast"] for row in listed] == forecast.predict(model, a_series(values)).tolist()
    path.write_text("year,a\n1900,1\n1901,2\n")
    with pytest.raises(DataError, match="2 values are too few, the model forecasts from windows of 5"):
        list(forecast.rows(model, path))


@pytest.mark.slow
def test_sunspots_beat_both_naive_forecasts_for_every_seed():
    series = read_series(locate("sunspots"))
    plan = Plan.of(series, holdout=60, season=11)
    for seed in range(10):
        figures = forecast.report(forecast.fit(series, plan, replace(forecast.DEFAULTS, seed=seed)), series)
        assert figures["rmse"] < 0.75 * min(figures["persistence_rmse"], figures["seasonal_naive_rmse"])


# training


def test_early_stopping_goes_back_to_the_best():
    model = network(SMALL, 1, 1)
    stopping = EarlyStopping(model, patience=2)
    seen = []
    for epoch, loss in enumerate([3.0, 2.0, 2.5, 1.0, 1.0, 1.5, 0.5]):
        with model.params.editing() as arrays:
            for array in arrays.values():
                array[...] = epoch
        seen.append(stopping.on_epoch_end(epoch, {"val_loss": loss}))
        if seen[-1]:
            break
    assert seen == [False, False, False, False, False, True]
    stopping.restore()
    assert all((array == 3.0).all() for array in model.params.values())


def test_cosine_decay():
    adam = optimizer(Settings(learning_rate=0.02))
    decay = CosineDecay(adam, 4)
    rates = []
    for epoch in range(4):
        decay.on_epoch_end(epoch, {})
        rates.append(adam.learning_rate)
    assert rates == pytest.approx([0.01 * (1 + 0.5**0.5), 0.01, 0.01 * (1 - 0.5**0.5), 0.0])


@pytest.mark.parametrize(("settings", "expected"), [
    (SMALL, ["lstm", "dense"]),
    (Settings(cell="gru", units=3, layers=2, dropout=0.1), ["gru", "dropout", "gru", "dropout", "dense"]),
    (Settings(cell="peephole", units=3, bidirectional=True), ["bidirectional", "dense"]),
])
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
    train, test = split(data, seed=4)
    assert sorted(train.ids + test.ids) == sorted(data.ids)
    assert len(test) == 12
    for label in ("up", "down"):
        assert abs(test.labels.count(label) - data.labels.count(label) / 5) <= 1
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
    values = wave()
    values[-1] = 1e40
    plan = Plan.of(a_series(values), holdout=20)
    with pytest.raises(DataError, match="standard deviations off"):
        forecast.report(forecast.fit(a_series(values), plan, SMALL), a_series(values))


def test_output_that_is_not_finite():
    values = wave()
    model = forecast.fit(a_series(values), Plan.of(a_series(values), holdout=20), SMALL)
    with model.params.editing() as arrays:
        arrays["1.bias"][...] = np.nan
    with pytest.raises(NonFiniteError, match="demo: the model's output is not finite"):
        forecast.report(model, a_series(values))


def test_metadata_are_plain_values():
    for model in (
        classify.fit(labelled(), Columns(), SMALL),
        regress.fit(labelled(), Columns(), SMALL),
        forecast.fit(a_series(wave()), Plan.of(a_series(wave())), SMALL),
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
