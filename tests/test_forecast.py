"""Forecasts: windows and figures by hand, nothing from the future, better than naive for every seed."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from seqkit._core import threads
from seqkit.data.dataset import Series
from seqkit.data.files import locate, read_series
from seqkit.errors import DataError, NonFiniteError
from seqkit.tasks import forecast
from seqkit.tasks.baselines import persistence, rmse, seasonal_naive, windows
from seqkit.tasks.plan import Plan
from seqkit.tasks.settings import Settings

SMALL = Settings(units=4, epochs=3)


def a_series(values, column="a"):
    return Series("demo", column, np.asarray(values, dtype=float), tuple(map(str, range(1, len(values) + 1))), "demo")


def wave(length=80, seed=3):
    rng = np.random.default_rng(seed)
    return 40 + 10 * np.sin(np.arange(length) / 1.7) + rng.normal(size=length)


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


def test_training_ends_with_the_weights_that_were_best_on_the_validation_windows():
    values = wave(140)
    plan = Plan.of(a_series(values), window=6, holdout=20)
    model = forecast.fit(a_series(values), plan, Settings(units=4, epochs=100, learning_rate=0.05))
    losses = model.history.history["val_loss"]
    assert losses[-1] > min(losses)  # else there would be nothing to go back to
    validation = range(120 - round(114 * 0.2), 120)  # the last fifth of the 114 targets before the held-out part
    errors = forecast.predict(model, a_series(values))[[t - 6 for t in validation]] - values[validation]
    assert np.mean(np.square(errors)) / values[:120].std() ** 2 == pytest.approx(min(losses), rel=1e-4)


@pytest.mark.slow
def test_sunspots_beat_both_naive_forecasts_for_every_seed():
    series = read_series(locate("sunspots"))
    plan = Plan.of(series, holdout=60, season=11)
    for seed in range(10):
        with threads(1):
            model = forecast.fit(series, plan, replace(forecast.DEFAULTS, seed=seed))
        figures = forecast.report(model, series)
        assert figures["rmse"] < 0.75 * min(figures["persistence_rmse"], figures["seasonal_naive_rmse"])


def test_output_that_is_not_finite():
    values = wave()
    model = forecast.fit(a_series(values), Plan.of(a_series(values), holdout=20), SMALL)
    with model.params.editing() as arrays:
        arrays["1.bias"][...] = np.nan
    with pytest.raises(NonFiniteError, match="demo: the model's output is not finite"):
        forecast.report(model, a_series(values))


def test_a_value_out_of_all_proportion():
    values = wave()
    values[-1] = 1e40
    plan = Plan.of(a_series(values), holdout=20)
    with pytest.raises(DataError, match="standard deviations off"):
        forecast.report(forecast.fit(a_series(values), plan, SMALL), a_series(values))


def test_metadata_are_plain_values():
    model = forecast.fit(a_series(wave()), Plan.of(a_series(wave())), SMALL)
    assert json.loads(json.dumps(model.metadata)) == model.metadata
