"""The anomaly detector against loops over what it says it does, and on anomalies of known kinds.

Legend: T steps, F features, W window, s season.
"""

from __future__ import annotations

import csv
import json
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from seqkit.errors import ConfigError, DataError, ShapeError
from seqkit.estimators import SequenceAnomalyDetector
from seqkit.estimators.detector_scores import Scores, alarms
from seqkit.estimators.detector_season import Usual, find_season, unusual

SHARED = Path(os.environ.get("SEQKIT_DATA", Path(__file__).parents[2] / "shared" / "data"))
QUICK: dict[str, Any] = {"units": 4, "epochs": 2, "random_state": 0}

REASONS = {
    "check_fit1d": "an array (T,) is one series of T steps",
    "check_fit2d_predict1d": "an array (T,) is one series of T steps",
}


@parametrize_with_checks(
    [
        SequenceAnomalyDetector(threshold=1.0, units=4, epochs=2, random_state=0),
        SequenceAnomalyDetector(method="reconstruct", threshold=1.0, units=4, epochs=2, random_state=0),
    ],
    expected_failed_checks=lambda estimator: REASONS,
)
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def sensors(lengths: tuple[int, ...] = (70, 41, 55), features: int = 2) -> list[np.ndarray]:
    rng = np.random.default_rng(4)
    return [
        np.sin(np.arange(size)[:, None] * [0.5, 0.9, 0.2][:features]) * 3 + 10 + 0.2 * rng.normal(size=(size, features))
        for size in lengths
    ]


class TestSeason:
    @pytest.mark.parametrize("season", [1, 3, 7])
    def test_unusual_is_the_distance_to_the_median_of_up_to_three_seasons(self, season: int) -> None:
        x = np.random.default_rng(0).normal(size=(30, 2))
        expected = [
            x[t] - np.median([x[t - k * season] for k in (1, 2, 3) if t - k * season >= 0], axis=0)
            for t in range(season, 30)
        ]
        np.testing.assert_allclose(unusual(x, season), expected, rtol=1e-12)
        stream = Usual(season)
        steps = [stream.unusual(row) for row in x]
        assert all(step is None for step in steps[:season])
        np.testing.assert_array_equal(np.stack(steps[season:]), unusual(x, season))

    def test_no_season(self) -> None:
        x = np.random.default_rng(0).normal(size=(5, 2))
        assert unusual(x, 0) is x
        np.testing.assert_array_equal(Usual(0).unusual(x[0]), x[0])
        assert unusual(x, 7).shape == (0, 2)

    def test_seasons_are_found(self) -> None:
        rng, t = np.random.default_rng(0), np.arange(400)
        noise = 0.3 * rng.normal(size=400)
        spikes = np.isin(t % 50, (0, 6)) * 20.0
        for series, expected in (
            (np.sin(2 * np.pi * t / 25) + noise, 25),
            ((t % 80 < 30) * 5.0 + noise, 80),
            (spikes, 50),
            (np.sin(2 * np.pi * t / 80) + 0.3 * np.sin(2 * np.pi * t / 5), 80),
            (noise, 0),
            (t * 1.0, 0),
            (np.ones(400), 0),
            (np.cumsum(noise), 0),
        ):
            assert find_season([series[:, None]]) == expected
        both = np.stack([np.ones(400), spikes], axis=1)
        assert find_season([both[:60], both]) == 50


class TestScores:
    def test_they_are_what_the_module_says(self) -> None:
        rng = np.random.default_rng(1)
        normal, errors = [abs(rng.normal(size=(size, 2))) * [1, 9] for size in (40, 25)], abs(rng.normal(size=(30, 2)))
        scores = Scores.of(normal, 5)
        size = np.sqrt(np.mean(np.concatenate(normal) ** 2, axis=0))

        def means(rows: np.ndarray, width: int) -> list[float]:
            one = [np.sqrt(np.mean((row / size) ** 2)) for row in rows]
            return [sum(one[max(t - width + 1, 0) : t + 1]) / width for t in range(len(one))]

        expected = np.zeros(30)
        for width in (1, 5):
            usual = np.concatenate([means(rows, width) for rows in normal])
            middle, high = np.median(usual), np.quantile(usual, 0.99)
            relative = (np.array(means(errors, width)) - middle) / max(high - middle, width**-0.5)
            expected = np.maximum(expected, relative)
        np.testing.assert_allclose(scores(errors), expected, rtol=1e-12)

    def test_what_never_varies_has_no_scores(self) -> None:
        scores = Scores.of([np.zeros((50, 1))], 10)
        assert (scores(np.full((20, 1), 0.01)) < 1).all()
        assert scores(np.full((20, 1), 1.0)).min() > 3

    def test_alarms(self) -> None:
        scores = np.zeros(100)
        scores[[10, 11, 20, 50, 99]] = [4, 7, 5, 3, 9]
        assert [tuple(alarm) for alarm in alarms(scores, 3.0, 9)] == [(10, 21, 11, 7.0), (99, 100, 99, 9.0)]
        assert [alarm.start for alarm in alarms(scores, 3.0, 8)] == [10, 20, 99]
        assert alarms(scores, 9.0, 8) == []


def errors_by_hand(detector: Any, x: np.ndarray) -> np.ndarray:
    """Errors of the network, (T - s, F)."""
    scaled = (x - detector.mean_) / detector.deviation_
    season, network = detector.season_, detector.model_
    rest = scaled if not season else np.array(
        [row - np.median([scaled[t - k * season] for k in (1, 2, 3) if t >= k * season], axis=0)
         for t, row in enumerate(scaled) if t >= season]
    )  # fmt: skip
    if detector.method == "forecast":
        read = np.concatenate([np.zeros((1, x.shape[1])), rest[:-1]])
        return abs(rest - network.predict(read[None])[0]) * (np.arange(len(rest)) > 0)[:, None]
    window, parts = detector.window_, [[] for _ in rest]
    for start in [*range(0, len(rest) - window + 1, window), *([len(rest) - window] if len(rest) % window else [])]:
        made = network.predict(rest[None, start : start + window])[0]
        for step, row in enumerate(abs(rest[start : start + window] - made)):
            parts[start + step].append(row)
    return np.array([np.mean(rows, axis=0) for rows in parts])


@pytest.mark.parametrize("method", ["forecast", "reconstruct"])
@pytest.mark.parametrize("season", [None, 6])
class TestSteps:
    def test_scores_are_those_of_the_errors_of_the_model(self, method: str, season: int | None) -> None:
        X = sensors()
        detector = SequenceAnomalyDetector(method=method, season=season, window=16, smoothing=4, warmup=9, **QUICK).fit(
            X
        )
        steps = np.concatenate(X)
        np.testing.assert_allclose(detector.mean_, steps.mean(axis=0))
        np.testing.assert_allclose(detector.deviation_, steps.std(axis=0))
        errors = [errors_by_hand(detector, x) for x in X]
        scores = Scores.of(errors, 4)
        for x, made, own in zip(X, detector.score_steps(X), errors, strict=True):
            expected = np.concatenate([np.zeros(season or 0), scores(own)])
            expected[:9] = 0
            np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-5)
            assert made.shape == (len(x),)

    def test_neighbours_change_nothing(self, method: str, season: int | None) -> None:
        X = sensors()
        detector = SequenceAnomalyDetector(method=method, season=season, window=16, **QUICK).fit(X)
        for x, steps in zip(X, detector.score_steps(X), strict=True):
            np.testing.assert_array_equal(detector.score_steps([x])[0], steps)
        np.testing.assert_array_equal(detector.score_samples(X[::-1]), detector.score_samples(X)[::-1])

    def test_files_and_pickles(self, method: str, season: int | None, tmp_path: Path) -> None:
        X = sensors()
        detector = SequenceAnomalyDetector(method=method, season=season, window=16, **QUICK).fit(X)
        detector.save(tmp_path / "d.safetensors")
        for again in (SequenceAnomalyDetector.load(tmp_path / "d.safetensors"), pickle.loads(pickle.dumps(detector))):
            np.testing.assert_array_equal(again.score_samples(X), detector.score_samples(X))
            assert again.alarms(X) == detector.alarms(X)
            assert again.get_params() == detector.get_params()


@pytest.mark.parametrize(
    ("season", "features", "warmup"), [(None, 2, 0), (6, 2, 0), (6, 1, 20), (None, 2, 21), (30, 3, 0)]
)
def test_streams_give_what_whole_sequences_give(season: int | None, features: int, warmup: int) -> None:
    X = sensors(features=features)
    detector = SequenceAnomalyDetector(season=season, smoothing=7, warmup=warmup, **QUICK).fit(X)
    for x, expected in zip(X, detector.score_steps(X), strict=True):
        stream = detector.stream()
        np.testing.assert_array_equal([stream.step(row) for row in x], expected)


class TestKnownAnomalies:
    """What is found must be found where it is; what is normal gives no alarm."""

    RNG = np.random.default_rng(7)
    NORMAL = np.sin(np.arange(1600) / 5) + 0.1 * RNG.normal(size=1600)

    @pytest.mark.parametrize("method", ["forecast", "reconstruct"])
    def test_forms(self, method: str) -> None:
        detector = SequenceAnomalyDetector(method=method, window=32, smoothing=16, random_state=0).fit(
            self.NORMAL[:1000]
        )
        assert detector.alarms(self.NORMAL[1000:]) == [[]]
        for damage in (
            lambda v: v + 3,
            lambda v: 0 * v + 1,
            lambda v: np.sin(np.arange(len(v)) * 1.5),
            lambda v: -2 * v,
        ):
            series = self.NORMAL[1000:].copy()
            series[300:340] = damage(series[300:340])
            found = detector.alarms(series)[0]
            assert len(found) == 1
            assert (
                (300 if method == "forecast" else 300 - 32) <= found[0].start <= 340
            )  # what stays as it is can be foreseen
            assert found[0].end <= 340 + 32
            assert detector.predict([series, self.NORMAL[1000:]]).tolist() == [-1, 1]

    def test_what_should_happen_and_does_not(self) -> None:
        t = np.arange(1500)
        pulses = (t % 100 < 30) * 5.0 + 0.3 * self.RNG.normal(size=1500)
        missing = pulses.copy()
        missing[1000:1030] -= 5.0
        detector = SequenceAnomalyDetector(season="auto", smoothing=25, random_state=0).fit(pulses[:500])
        assert detector.season_ == 100
        assert detector.alarms(pulses) == [[]]
        (alarm,) = detector.alarms(missing)[0]
        assert 1000 <= alarm.start < 1005
        assert alarm.peak < 1060

    def test_more_of_what_is_rare(self) -> None:
        rng = np.random.default_rng(2)
        rare = (rng.uniform(size=3000) < 0.02) * rng.uniform(1, 3, size=3000)
        often = rare.copy()
        often[2000:2100] += (rng.uniform(size=100) < 0.4) * rng.uniform(1, 3, size=100)
        detector = SequenceAnomalyDetector(random_state=0).fit(rare[:1000])
        assert detector.alarms(rare) == [[]]
        (alarm,) = detector.alarms(often)[0]
        assert 2000 <= alarm.start < 2060
        assert alarm.end < 2160

    def test_contamination(self) -> None:
        X = np.random.default_rng(0).normal(size=(100, 8))
        X[:7] += 4 * np.random.default_rng(1).normal(size=(7, 8))
        detector = SequenceAnomalyDetector(contamination=0.05, **QUICK)
        assert (detector.fit_predict(X) == -1).sum() == 5
        np.testing.assert_allclose(detector.offset_, np.quantile(detector.score_samples(X), 0.05))
        assert detector.threshold_ == -detector.offset_
        np.testing.assert_array_equal(detector.decision_function(X), detector.score_samples(X) - detector.offset_)


def test_the_weights_are_those_that_are_best_for_windows_held_out() -> None:
    noise = np.random.default_rng(0).normal(size=200)
    detector = SequenceAnomalyDetector(epochs=15, random_state=0).fit(noise)
    losses = detector.history_.history["val_loss"]
    assert np.argmin(losses) < 14
    scaled = ((noise - noise.mean()) / noise.std())[:, None]
    starts = range(0, 200 - 48 + 1, 12)
    held = list(starts)[-round(len(starts) * 0.2) :]
    read = np.concatenate([np.zeros((1, 1)), scaled[:-1]])
    x, y = (np.stack([rows[start : start + 48] for start in held]) for rows in (read, scaled))
    assert detector.model_.evaluate(x, y) == pytest.approx(min(losses), rel=1e-5)


def test_forms_of_input() -> None:
    x = sensors(features=1)[0]
    detector = SequenceAnomalyDetector(**QUICK)
    expected = clone(detector).fit(x[:, 0]).score_steps(x[:, 0])[0]
    for form in ([x], [x[:, 0]], x[None], x.T):
        np.testing.assert_array_equal(clone(detector).fit(form).score_steps(form)[0], expected)


def test_a_series_of_pandas_or_a_list_is_one_series() -> None:
    pandas = pytest.importorskip("pandas")
    x = sensors()[0][:, 0]
    detector = SequenceAnomalyDetector(**QUICK)
    (expected,) = detector.fit(x).score_steps(x)
    for same in (pandas.Series(x, index=range(7, 7 + len(x))), x.tolist()):
        (scores,) = detector.fit(same).score_steps(same)
        np.testing.assert_array_equal(scores, expected)


@pytest.mark.parametrize("step", [np.nan, np.inf, None])
def test_a_step_that_is_missing_leaves_a_stream_as_it_was(step: Any) -> None:
    x = sensors()[0][:, :1]
    detector = SequenceAnomalyDetector(season=5, **QUICK).fit([x])
    stream = detector.stream()
    scores = [stream.step(row) for row in x[:20]]
    with pytest.raises(DataError, match=r"a step is .* fill in"):
        stream.step(step)
    scores += [stream.step(row) for row in x[20:]]
    np.testing.assert_allclose(scores, detector.score_steps([x])[0], rtol=1e-4, atol=1e-5)


def test_errors() -> None:
    X = sensors()
    detector = SequenceAnomalyDetector(**QUICK)
    for options, message in (
        ({"method": "guess"}, "no method named 'guess'"),
        ({"window": 0}, "window must be a positive integer"),
        ({"smoothing": 2.5}, "smoothing must be a positive integer"),
        ({"season": -1}, "season must be a positive integer"),
        ({"contamination": 0.6}, "contamination must be"),
        ({"contamination": "much"}, "contamination must be"),
        ({"contamination": None}, "contamination must be"),
        ({"cell": None}, "None is not a recurrent layer"),
        ({"cell": "dense"}, "'dense' is not a recurrent layer"),
        ({"warmup": -1}, "warmup must be"),
    ):
        with pytest.raises(ConfigError, match=message):
            clone(detector).set_params(**options).fit(X)
    with pytest.raises(DataError, match="no sequence is longer than a season of 90 steps"):
        clone(detector).set_params(season=90).fit(X)
    with pytest.raises(DataError, match=r"nan at step 3, feature 1"):
        detector.fit([np.where(np.arange(140).reshape(70, 2) == 7, np.nan, X[0])])
    narrow = SequenceAnomalyDetector(method="reconstruct", window=30, **QUICK).fit(X)
    with pytest.raises(DataError, match=r"a sequence has 20 steps .* windows of 30"):
        narrow.score_steps([X[0][:20]])
    with pytest.raises(ConfigError, match='a stream needs method="forecast"'):
        narrow.stream()
    with pytest.raises(ShapeError, match=r"a step has shape \(3,\), expected \(2,\)"):
        detector.fit(X).stream().step(np.ones(3))


@pytest.mark.skipif(not (SHARED / "nab").exists(), reason="the data is not here; set SEQKIT_DATA")
def test_numenta_anomaly_benchmark() -> None:
    """All labelled windows of the artificial files, no false alarm: one setting, trained on the first 15 %."""
    windows = json.loads((SHARED / "nab" / "combined_windows.json").read_text())
    for path in sorted((SHARED / "nab").glob("artificial*/*.csv")):
        rows = list(csv.reader(path.read_text().splitlines()))[1:]
        series, probation = np.array([float(row[1]) for row in rows]), int(0.15 * len(rows))
        detector = SequenceAnomalyDetector(season="auto", warmup=probation, random_state=0).fit(series[:probation])
        spans = [(rows[alarm.start][0], rows[alarm.end - 1][0]) for alarm in detector.alarms(series)[0]]
        labelled = [(start[:19], end[:19]) for start, end in windows[f"{path.parent.name}/{path.name}"]]
        hits = [any(a <= end and b >= start for a, b in spans) for start, end in labelled]
        false = [(a, b) for a, b in spans if not any(a <= end and b >= start for start, end in labelled)]
        assert all(hits), path.name
        assert not false, path.name
