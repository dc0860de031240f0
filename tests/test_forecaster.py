"""The forecaster against loops over what it says it does, and its intervals against what they promise.

Legend: T values, W window, H horizon, s season, n errors.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.base import clone

from seqkit.errors import ConfigError, DataError, DTypeError, ShapeError
from seqkit.estimators import SequenceForecaster
from seqkit.estimators.forecaster_frame import Frame
from seqkit.estimators.forecaster_past import Past
from seqkit.estimators.forecaster_series import Record
from seqkit.estimators.intervals import conformal_radius

QUICK: dict[str, Any] = {"units": 4, "epochs": 2, "random_state": 3}


def wave(size: int, seed: int = 0, noise: float = 0.1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (
        np.sin(np.arange(size) * np.pi / 3 + seed) + noise * rng.normal(size=size) + 2 * seed + 0.01 * np.arange(size)
    )


def by_hand(f: Any, y: Sequence[float], x: Any, past: Any, steps: int, trained: int) -> np.ndarray:
    """Forecasts after the values `y`, by loops over the equations of the frame; `trained` values give the scale.

    ``x`` has rows for the steps to forecast, too; columns are scaled already.
    """
    window, season, block = f.frame_.window, f.frame_.season, f.frame_.horizon
    levels = [float(np.log(v)) if f.log else float(v) for v in y]
    changes = [levels[t] - levels[t - season] if season else levels[t] for t in range(season, len(levels))]
    scale = np.std(changes[: trained - season])
    size = len(levels)
    while len(levels) < size + steps:
        now = len(levels) - 1
        rows = []
        for k in range(now - window + 1, now + 1):
            row = [(changes[k - season] - changes[-1]) / scale]
            for column in range(0 if x is None else x.shape[1]):
                before = [x[k + h - season, column] if season else 0.0 for h in range(1, block + 1)]
                row.extend(x[k + h, column] - earlier for h, earlier in enumerate(before, start=1))
            rows.append(row + ([] if past is None else list(past[k])))
        last = changes[-1]
        for out in f.model_.predict(np.array([rows]))[0]:
            changes.append(last + scale * float(out))
            levels.append(changes[-1] + (levels[len(levels) - season] if season else 0.0))
    made = np.array(levels[size : size + steps])
    return np.exp(made) if f.log else made


CASES: dict[str, dict[str, Any]] = {
    "direct": {"horizon": 4},
    "direct, season": {"horizon": 8, "season": 6},
    "direct, season, logarithms": {"horizon": 3, "season": 6, "log": True},
    "recursive": {"horizon": 4, "strategy": "recursive"},
    "recursive, season, logarithms": {"horizon": 9, "strategy": "recursive", "season": 6, "log": True},
    "gru in two layers": {"horizon": 2, "cell": "gru", "layers": 2},
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("columns", [(0, 0), (2, 0), (0, 1), (1, 2)])
def test_forecasts_are_those_of_the_model_by_hand(case: str, columns: tuple[int, int]) -> None:
    y, rng = wave(80) + 3, np.random.default_rng(1)
    options = {**QUICK, **CASES[case]}
    steps, block = options["horizon"], 1 if "recursive" in case else options["horizon"]
    if columns[1] and steps > block:
        pytest.skip("columns of the past are not known for a recursion")
    x = rng.normal(5, 3, size=(100, columns[0])) if columns[0] else None
    past = rng.normal(-2, 4, size=(80, columns[1])) if columns[1] else None
    f = SequenceForecaster(window=7, interval=None, **options).fit(y, None if x is None else x[:80], past)
    future = None if x is None else x[80 : 80 + steps]
    scaled_x, scaled_past = (None if a is None else (a - a[:80].mean(0)) / a[:80].std(0) for a in (x, past))
    expected = by_hand(f, y, scaled_x, scaled_past, steps, 80)
    np.testing.assert_allclose(f.predict(X=future), expected, rtol=1e-5)


@pytest.mark.parametrize("strategy", ["direct", "recursive"])
def test_beyond_the_horizon_it_reads_its_own_forecasts(strategy: str) -> None:
    y, x = wave(60), np.random.default_rng(0).normal(size=(90, 1))
    f = SequenceForecaster(horizon=3, window=5, strategy=strategy, interval=None, **QUICK).fit(y, x[:60])
    scaled = (x - x[:60].mean()) / x[:60].std()
    np.testing.assert_allclose(
        f.predict(8, x[60:69] if strategy == "direct" else x[60:68]), by_hand(f, y, scaled, None, 8, 60), rtol=1e-5
    )
    np.testing.assert_array_equal(
        f.predict(2, x[60 : 63 if strategy == "direct" else 62]),
        f.predict(8, x[60 : 69 if strategy == "direct" else 68])[:2],
    )


def test_frame_changes_add_up_to_levels() -> None:
    levels = np.random.default_rng(0).normal(size=(3, 31))
    for season in (0, 1, 4, 20):
        frame = Frame(window=2, horizon=1, season=season)
        changes = frame.changes(levels)[:, 20 - season :]
        np.testing.assert_allclose(frame.sums(changes, levels[:, :20]), levels[:, 20:], rtol=1e-12)


def test_it_is_trained_on_what_it_will_see() -> None:
    """Inputs of training are those of a forecast from there, and targets what comes next."""
    rng = np.random.default_rng(0)
    for season, horizon in ((0, 1), (4, 3)):
        frame = Frame(window=5, horizon=horizon, season=season)
        record = Record(rng.normal(size=40), rng.normal(size=(40, 2)), rng.normal(size=(40, 3)))
        x, targets = frame.examples(record, 2.5, "test")
        ends = np.arange(frame.context, 40 - horizon + 1)
        past = Past.at(record, ends, 2.5, frame)
        known = np.concatenate([past.known, record.known[ends[:, None] + np.arange(horizon)]], axis=1)
        known = known[:, season:] - (known[:, :-season] if season else 0)
        window = frame.changes(past.levels)
        np.testing.assert_array_equal(x, frame.inputs(window, past.scale, known[:, 1:], past.others, "test"))
        for row, end in zip(targets, ends, strict=True):
            change = [
                record.levels[t] - (record.levels[t - season] if season else 0) for t in range(end - 1, end + horizon)
            ]
            np.testing.assert_allclose(row, (np.array(change[1:]) - change[0]) / 2.5, rtol=1e-9, atol=1e-12)


class TestSeveralSeries:
    SERIES = tuple(wave(size, seed) for seed, size in enumerate((50, 44, 61)))

    def test_neighbours_change_nothing(self) -> None:
        f = SequenceForecaster(horizon=4, window=6, season=6, **QUICK).fit(self.SERIES)
        assert f.predict(9).shape == (3, 9)
        alone = [f.on(series).predict(9) for series in self.SERIES]
        np.testing.assert_array_equal(f.on(list(self.SERIES)).predict(9), alone)
        np.testing.assert_array_equal(f.on(list(self.SERIES[::-1])).predict(9), alone[::-1])

    def test_size_and_level_do_not_matter(self) -> None:
        f = SequenceForecaster(horizon=4, window=6, **QUICK).fit(self.SERIES)
        series = self.SERIES[1]
        np.testing.assert_allclose(f.on(1000 * series - 7).predict(), 1000 * f.on(series).predict() - 7, rtol=1e-5)

    def test_forms_of_several(self) -> None:
        y = np.stack([wave(40, 1), wave(40, 2)])
        expected = SequenceForecaster(horizon=3, window=6, **QUICK).fit(y).predict()
        for form in (list(y), [list(row) for row in y], tuple(y)):
            np.testing.assert_array_equal(
                SequenceForecaster(horizon=3, window=6, **QUICK).fit(form).predict(), expected
            )

    def test_columns_of_each(self) -> None:
        xs = [np.random.default_rng(i).normal(size=(len(s) + 4, 2)) for i, s in enumerate(self.SERIES)]
        f = SequenceForecaster(horizon=4, window=6, interval=None, **QUICK)
        f.fit(self.SERIES, [x[:-4] for x in xs])
        rows = np.concatenate([x[:-4] for x in xs])
        for series, x, made in zip(self.SERIES, xs, f.predict(X=[x[-4:] for x in xs]), strict=True):
            scaled = (x - rows.mean(0)) / rows.std(0)
            np.testing.assert_allclose(made, by_hand(f, series, scaled, None, 4, len(series)), rtol=1e-5)


class TestUpdateAndBacktest:
    def test_update_goes_on_where_the_series_is(self) -> None:
        y, x = wave(90), np.random.default_rng(0).normal(size=(99, 1))
        f = SequenceForecaster(horizon=3, window=6, season=6, interval=None, **QUICK).fit(y[:60], x[:60])
        test = f.backtest(y, start=60, step=10, X=x[:90])
        assert test.ends.tolist() == [60, 70, 80]
        for end, row in zip(test.ends, test.predicted, strict=True):
            np.testing.assert_array_equal(f.predict(X=x[end : end + 3]), row)
            np.testing.assert_array_equal(test.actual[(end - 60) // 10], y[end : end + 3])
            f.update(y[end : end + 3], x[end : end + 3]).update(y[end + 3 : end + 10], x[end + 3 : end + 10])

    def test_refit_trains_at_every_origin(self) -> None:
        y = wave(70)
        f = SequenceForecaster(horizon=3, window=6, **QUICK)
        test = f.backtest(y, start=55, step=5, refit=True)
        for end, row, low in zip(test.ends, test.predicted, test.lower, strict=True):
            again = clone(f).fit(y[:end])
            np.testing.assert_array_equal(again.predict(), row)
            np.testing.assert_array_equal(again.predict_interval().lower, low)
        assert not hasattr(f, "model_")

    def test_report(self) -> None:
        y = wave(70)
        test = SequenceForecaster(horizon=4, window=6, season=3, calibration=0.3, **QUICK).backtest(y, start=50, step=3)
        season, last, inside, squares = [], [], [], []
        for n, end in enumerate(test.ends):
            for h in range(1, 5):
                season.append((y[end + h - 1] - y[end - 1 + h - (3 if h <= 3 else 6)]) ** 2)
                last.append((y[end + h - 1] - y[end - 1]) ** 2)
                squares.append((y[end + h - 1] - test.predicted[n, h - 1]) ** 2)
                inside.append(test.lower[n, h - 1] <= y[end + h - 1] <= test.upper[n, h - 1])
        report = test.report()
        assert report["rmse"] == pytest.approx(np.sqrt(np.mean(squares)))
        assert report["seasonal_naive_rmse"] == pytest.approx(np.sqrt(np.mean(season)))
        assert report["persistence_rmse"] == pytest.approx(np.sqrt(np.mean(last)))
        assert report["coverage"] == np.mean(inside)
        np.testing.assert_allclose(test.rmse_by_step(), np.sqrt(np.mean(np.reshape(squares, (-1, 4)), axis=0)))

    def test_score_is_skill_against_the_naive_forecast(self) -> None:
        y = wave(66)
        for season in (None, 6):
            f = SequenceForecaster(horizon=4, window=6, season=season, **QUICK).fit(y[:60])
            naive = [y[60 - 6 + h] if season else y[59] for h in range(6)]
            expected = 1 - np.mean((f.predict(6) - y[60:]) ** 2) / np.mean((naive - y[60:]) ** 2)
            assert f.score(y[60:]) == pytest.approx(expected)


class TestIntervals:
    def test_radius_covers_as_much_as_the_theory_says(self) -> None:
        """Over calibration sets the mean coverage is k / (n + 1) exactly, for any distribution."""
        rng, draws = np.random.default_rng(0), 4000
        for n, coverage in ((19, 0.9), (37, 0.8), (9, 0.9)):
            errors = np.sort(rng.exponential(size=(n, draws)), axis=0)
            covered = 1 - np.exp(-conformal_radius(errors, coverage, "test"))
            expected = np.ceil((n + 1) * coverage - 1e-9) / (n + 1)
            assert covered.mean() == pytest.approx(expected, abs=4 * covered.std() / np.sqrt(draws))

    @pytest.mark.parametrize(
        ("interval", "strategy"), [("conformal", "direct"), ("conformal", "recursive"), ("quantile", "direct")]
    )
    def test_coverage(self, interval: str, strategy: str) -> None:
        rng = np.random.default_rng(5)
        y = np.sin(np.arange(2400) / 3) + 0.3 * rng.exponential(size=2400)
        f = SequenceForecaster(
            horizon=2,
            window=8,
            strategy=strategy,
            interval=interval,
            coverage=0.8,
            units=8,
            epochs=6,
            random_state=0,
            calibration=0.4,
        )
        test = f.backtest(y, start=1400)
        # n test errors and as many that calibrate, each step of the horizon by itself
        slack = 4 * np.sqrt(0.8 * 0.2 * (1 / 1000 + 1 / 550)) if interval == "conformal" else 0.06
        for step in range(2):
            inside = (test.lower[:, step] <= test.actual[:, step]) & (test.actual[:, step] <= test.upper[:, step])
            assert inside.mean() == pytest.approx(0.8, abs=slack)

    def test_conformal_errors_are_those_of_forecasts_not_trained_on(self) -> None:
        y = wave(100)
        f = SequenceForecaster(horizon=3, window=6, season=6, log=False, calibration=0.25, **QUICK).fit(y)
        origins = 100 - 12 - 3 + 1
        first = 100 - 3 + 1 - int(np.ceil(0.25 * origins))
        assert len(f.errors_) == int(np.ceil(0.25 * origins))
        again = SequenceForecaster(horizon=3, window=6, season=6, interval=None, **QUICK).fit(y[:first])
        changes = y[6:first] - y[: first - 6]
        for row, end in zip(f.errors_, range(first, 98), strict=True):
            expected = abs(by_hand(again, y[:end], None, None, 3, first) - y[end : end + 3]) / changes.std()
            np.testing.assert_allclose(row, expected, rtol=1e-4, atol=1e-6)

    def test_bounds(self) -> None:
        y = np.exp(wave(100) / 4)
        f = SequenceForecaster(horizon=3, window=6, log=True, **QUICK).fit(y)
        lower, middle, upper = f.predict_interval(0.6)
        np.testing.assert_array_equal(middle, f.predict())
        radius = np.sort(f.errors_, axis=0)[int(np.ceil((len(f.errors_) + 1) * 0.6)) - 1] * f.past_.scale[0, 0]
        np.testing.assert_allclose(np.log(upper) - np.log(middle), radius, rtol=1e-9)
        np.testing.assert_allclose(np.log(middle) - np.log(lower), radius, rtol=1e-9)

    def test_quantiles_are_in_order_and_the_middle_is_the_forecast(self) -> None:
        f = SequenceForecaster(horizon=3, window=6, interval="quantile", coverage=0.5, **QUICK).fit(wave(100))
        lower, middle, upper = f.predict_interval()
        assert (lower <= middle).all()
        assert (middle <= upper).all()
        assert f.model_.loss.quantiles == [0.25, 0.5, 0.75]


def test_it_learns_from_columns_that_are_known_in_advance() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 1))
    y = 2 * x[:, 0] + 0.1 * rng.normal(size=400)
    f = SequenceForecaster(horizon=2, window=6, units=8, epochs=30, interval=None, random_state=0)
    with_x, without = f.backtest(y, x, start=320).report()["rmse"], f.backtest(y, start=320).report()["rmse"]
    assert with_x < 0.4 < 1.5 < without


class TestErrors:
    def test_data(self) -> None:
        f, y = SequenceForecaster(horizon=3, window=6, **QUICK), wave(60)
        holed = y.copy()
        holed[7] = np.nan
        with pytest.raises(DataError, match="SequenceForecaster: y is nan at step 7"):
            f.fit(holed)
        with pytest.raises(DataError, match=r"y\[1\] is nan at step 7"):
            f.fit([y, holed])
        with pytest.raises(DataError, match=r"y has 8 values: too few for a window of 6, .* which need 9"):
            f.fit(y[:8])
        with pytest.raises(DataError, match="y has 14 values, of which 7 are left to train on"):
            f.set_params(calibration=0.8).fit(y[:14])
        with pytest.raises(ShapeError, match=r"y is 60 series of one value; for one series give y\[:, 0\]"):
            f.fit(y[:, None])
        for strange in ("abc", y + 1j, np.arange(60).astype("M8[D]")):
            with pytest.raises(DTypeError, match="SequenceForecaster: y "):
                f.fit(strange)
        with pytest.raises(ShapeError, match="0 dimensions"):
            f.fit(None)
        with pytest.raises(DataError, match="logarithms need positive"):
            f.set_params(log=True).fit(y - 5)
        with pytest.raises(DataError, match="no series"):
            f.fit([])

    def test_columns(self) -> None:
        y, x = wave(60), np.ones((60, 2))
        f = SequenceForecaster(horizon=3, window=6, **QUICK).fit(y, x)
        with pytest.raises(ShapeError, match=r"X has shape \(59, 2\), expected \(60, 2\)"):
            f.fit(y, x[1:])
        f.fit(y, x)
        with pytest.raises(ShapeError, match=r"X of the steps to forecast is needed, .* fitted with 2 columns"):
            f.predict()
        with pytest.raises(ShapeError, match="X is needed"):
            f.update(y[:3])
        with pytest.raises(ShapeError, match="past was not fitted on"):
            f.update(y[:3], x[:3], past=x[:3])
        for wrong in (x[:2], x[:3, :1]):
            with pytest.raises(ShapeError, match=r"X of the steps to forecast has shape .* expected \(3, 2\)"):
                f.predict(X=wrong)
        with pytest.raises(ShapeError, match="past is of 2 series, expected 1"):
            f.fit([y], None, [x, x])
        recursive = SequenceForecaster(horizon=3, window=6, strategy="recursive", **QUICK)
        with pytest.raises(ConfigError, match="known for none of them"):
            recursive.fit(y, None, x)

    def test_options(self) -> None:
        y = wave(60)
        for options, message in (
            ({"strategy": "both"}, "strategy must be one of"),
            ({"interval": "bootstrap"}, "interval must be one of"),
            ({"coverage": 1.0}, "coverage must lie between 0 and 1"),
            ({"coverage": "most"}, "coverage must lie between 0 and 1"),
            ({"epochs": 0}, "SequenceForecaster: epochs must be a positive integer"),
            ({"interval": "quantile", "strategy": "recursive"}, "quantiles of steps do not add up"),
            ({"interval": "quantile", "season": 2}, "quantiles of seasons do not add up"),
            ({"horizon": 0}, "horizon must be a positive integer"),
        ):
            with pytest.raises(ConfigError, match=message):
                SequenceForecaster(**{"horizon": 3, **QUICK, **options}).fit(y)
        f = SequenceForecaster(horizon=3, window=6, calibration=0.1, **QUICK).fit(y)
        with pytest.raises(ConfigError, match=r"coverage 0.95 needs at least 19 forecasts .* there are 6"):
            f.predict_interval(0.95)
        with pytest.raises(ConfigError, match="there are no intervals"):
            SequenceForecaster(horizon=3, window=6, interval=None, **QUICK).fit(y).predict_interval()
        with pytest.raises(ConfigError, match=r"of coverage 0\.9, not 0\.8"):
            SequenceForecaster(horizon=3, window=6, interval="quantile", **QUICK).fit(y).predict_interval(0.8)

    def test_calls(self) -> None:
        f, y = SequenceForecaster(horizon=3, window=6, **QUICK).fit([wave(60), wave(60, 1)]), wave(60)
        for strange in ([y[:3]], [y[:3], y[:4]]):
            with pytest.raises(ShapeError, match="expected 2 series of one length"):
                f.score(strange)
        with pytest.raises(DataError, match="y has 4 values, a forecast is made from the last 6"):
            f.on(y[:4])
        for options, message in (({"start": 0}, "start must be"), ({"start": 50, "step": 0}, "step must be")):
            with pytest.raises(ConfigError, match=message):
                f.backtest(y, **options)
        with pytest.raises(ShapeError, match=r"expected at least start \+ horizon = 61"):
            f.backtest(y, start=58)
        with pytest.raises(ShapeError, match="a backtest is of one series"):
            f.backtest([y, y], start=50)


class TestTables:
    """Series and columns of pandas: the same numbers, whatever the index."""

    def test_forms(self) -> None:
        pandas = pytest.importorskip("pandas")
        y, days = wave(60), pandas.date_range("2024", periods=60)
        x = pandas.DataFrame({"holiday": np.arange(60) % 9 == 0, "price": wave(60, 2)}, index=days)
        plain = x.to_numpy(dtype=np.float64)
        f = SequenceForecaster(horizon=3, window=6, **QUICK)
        expected = f.fit(y[:57], plain[:57]).predict(X=plain[57:])
        table = pandas.DataFrame({"sold": y}, index=days)
        for series in (table, table["sold"]):
            found = f.fit(series[:57], x[:57]).predict(X=x[57:])
            np.testing.assert_array_equal(found, expected)
        rolled = [f.backtest(*given, start=50).predicted for given in ((table, x), (y, plain))]
        np.testing.assert_array_equal(*rolled)

    def test_columns_that_are_no_numbers(self) -> None:
        pandas = pytest.importorskip("pandas")
        y = wave(60)
        x = pandas.DataFrame({"day": pandas.date_range("2024", periods=60), "price": y})
        f = SequenceForecaster(horizon=3, window=6, **QUICK)
        with pytest.raises(DTypeError, match="X, column 'day', holds datetime64"):
            f.fit(y, x)
        with pytest.raises(ShapeError, match="y is a table of 2 columns"):
            f.fit(x.assign(day=y))


@pytest.mark.parametrize("strategy", ["direct", "recursive"])
def test_columns_of_the_last_horizon_may_end_with_the_forecast(strategy: str) -> None:
    """The recursive strategy needs no more; for the direct one means stand for what is not given."""
    y, x = wave(70), np.random.default_rng(5).normal(size=(70, 2))
    f = SequenceForecaster(horizon=4, window=6, strategy=strategy, interval=None, **QUICK).fit(y[:60], x[:60])
    filled = np.concatenate([x[60:66], np.tile(x[:60].mean(axis=0), (2, 1))])
    whole = filled if strategy == "direct" else filled[:6]
    np.testing.assert_allclose(f.predict(6, X=x[60:66]), f.predict(6, X=whole), rtol=1e-6)


def test_a_holiday_of_last_season_is_not_repeated() -> None:
    """With a season, what is learned is the effect of a difference of columns: the season before had a holiday."""
    rng = np.random.default_rng(0)
    holiday = (rng.random(400) < 0.1).astype(float)
    y = np.tile([1.0, 5.0, 3.0, 0.0], 100) - 10 * holiday + 0.1 * rng.normal(size=400)
    f = SequenceForecaster(horizon=2, season=4, window=4, units=8, epochs=30, interval=None, random_state=0)
    report = f.backtest(y, holiday, start=320).report()
    assert report["rmse"] < 1 < 3 < report["seasonal_naive_rmse"]


def test_backtest_is_one_line() -> None:
    test = SequenceForecaster(horizon=3, window=6, **QUICK).backtest(wave(60), start=50)
    assert repr(test).startswith("Backtest(8 origins, 3 steps ahead, rmse ")


def test_scikit_learns_ways() -> None:
    f = SequenceForecaster(horizon=3, window=6, season=6, **QUICK)
    assert clone(f).get_params() == f.get_params()
    y = wave(60)
    fitted = clone(f).fit(y)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(), fitted.predict())
    np.testing.assert_array_equal(clone(f).fit(y).predict(), fitted.predict())


@pytest.mark.parametrize("window", [1, 6])
def test_files(window: int, tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(70, 2))
    f = SequenceForecaster(horizon=3, window=window, season=6, log=True, **QUICK).fit(
        [wave(60) + 3, wave(64, 1)], [x[:60], x[:64]]
    )
    f.save(tmp_path / "f.safetensors")
    again = SequenceForecaster.load(tmp_path / "f.safetensors")
    future = [x[:3], x[3:6]]
    for one, other in zip(f.predict_interval(X=future), again.predict_interval(X=future), strict=True):
        np.testing.assert_array_equal(one, other)
    assert again.get_params() == f.get_params()
    np.testing.assert_array_equal(
        again.on(wave(40) + 3, x[:40]).predict(X=x[:3]), f.on(wave(40) + 3, x[:40]).predict(X=x[:3])
    )
