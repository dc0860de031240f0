"""Forecast series, many steps ahead, with intervals.

Legend: N series, T_i values, W window, H horizon, K columns known in advance, P others.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from seqkit.errors import DataError, ShapeError
from seqkit.estimators.forecaster_backtest import Backtest
from seqkit.estimators.forecaster_base import BaseForecaster
from seqkit.estimators.forecaster_past import Past
from seqkit.estimators.forecaster_series import as_columns, as_series, is_one
from seqkit.estimators.intervals import Interval
from seqkit.options import positive_integer
from seqkit.tasks.baselines import repeated


@dataclass(eq=False, repr=False, kw_only=True)
class SequenceForecaster(BaseForecaster):
    """Forecasts of one or many series by one recurrent network.

    The network reads the last W values, each measured from the last one in units of the series'
    own scale, so that level and size don't matter, and with a `season` as changes against the
    seasonal naive forecast (see :mod:`seqkit.estimators.forecaster_frame`).

    Parameters
    ----------
    horizon : int
        H, steps to forecast.
    window : int, optional
        W, values that the network reads; by default a season, or else 24, where there are enough.
    strategy : {"direct", "recursive"}
        Whether the network gives all H steps at once, or one, which is then read as if it were
        known.  Beyond `horizon` both go on from their own forecasts.
    season : int, optional
        Period of a seasonal pattern.
    log : bool
        Whether to work on logarithms, as for what grows by a share of its size.
    interval : {"conformal", "quantile"} or None
        How prediction intervals are made: from the errors of forecasts that were not trained on,
        by quantiles that the network learns (and a median instead of a mean), or not.
    coverage : float
        Share of values that shall lie in their interval.
    calibration : float
        For "conformal": share of the forecasts, the last ones, that is not trained on.
    cell, units, layers, dropout, epochs, batch_size, learning_rate, random_state, verbose
        The network and its training: the learning rate falls to 0 over the epochs.

    Attributes
    ----------
    model_ : Sequential
    history_ : History
    frame_ : Frame
        Window, horizon, season, and how values become what the network reads.
    errors_ : ndarray, (n, H)
        Absolute errors that calibrate the intervals, in units of the scale of their series.

    Notes
    -----
    Conformal intervals hold their coverage where errors are exchangeable; those of a series whose
    nature changes do not.  Source of the strategies: Ben Taieb, Bontempi, Atiya and Sorjamaa, "A
    review and comparison of strategies for multi-step ahead time series forecasting", Expert
    Systems with Applications 39, 2012.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.sin(np.arange(240) * np.pi / 6) + 0.01 * np.arange(240)
    >>> forecaster = SequenceForecaster(horizon=6, window=12, units=8, epochs=20, random_state=0).fit(y[:220])
    >>> forecaster.predict().shape
    (6,)
    >>> lower, middle, upper = forecaster.predict_interval()
    >>> bool((lower < middle).all() and (middle < upper).all())
    True
    >>> forecaster.update(y[220:230]).score(y[230:236]) > 0.5  # 1 is perfect, 0 no better than persistence
    True
    """

    def fit(self, y: Any, X: Any = None, past: Any = None) -> Self:
        """Train on series.

        Parameters
        ----------
        y : array_like, (T,), or list of (T_i,), or (N, T)
            One series, or several, oldest value first.
        X : array_like, (T, K), or list of (T_i, K), optional
            Columns that are known in advance, such as holidays.
        past : array_like, (T, P), or list of (T_i, P), optional
            Columns that are not.

        Raises
        ------
        ConfigError
            If options don't go together.
        DataError
            If a series is too short, or a value is missing or, with `log`, not positive.
        ShapeError
            If shapes don't fit together.
        """
        records, cuts = self._begin(y, X, past)
        learned = [record.until(cut) for record, cut in zip(records, cuts, strict=True)]
        scales = [self._scale(record) for record in learned]
        parts = [self.frame_.examples(*pair, self._name) for pair in zip(learned, scales, strict=True)]
        x, targets = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        self._train(x, targets)
        given = list(zip(records, scales, strict=True))
        self.past_ = Past.joined([Past.at(record, [len(record)], scale, self.frame_) for record, scale in given])
        errors = [self._errors(record, cut, scale) for (record, scale), cut in zip(given, cuts, strict=True)]
        self.errors_ = np.concatenate(errors)
        return self

    def predict(self, horizon: int | None = None, X: Any = None) -> np.ndarray:
        """Forecasts of the next values, (horizon,), or (N, horizon) for several series.

        Parameters
        ----------
        horizon : int, optional
            Steps; by default the estimator's own.
        X : array_like, (rows, K), or list of them, optional
            The columns that are known in advance, for these steps.  The direct strategy reads those of
            whole horizons: give them, too, where they are known; else their means stand for them.
        """
        check_is_fitted(self)
        steps = self.horizon if horizon is None else positive_integer(horizon, f"{self._name}: horizon")
        levels = self._ahead(self.past_, self._future(X, steps), steps)
        return self._like_y(self.frame_.values(levels[:, :, levels.shape[2] // 2]))

    def predict_interval(self, coverage: float | None = None, X: Any = None) -> Interval:
        """Forecasts of the next `horizon` values with intervals: ``(lower, predicted, upper)``.

        Parameters
        ----------
        coverage : float, optional
            Share of values that shall lie inside; by default the estimator's own.
        X : array_like, (rows, K), or list of them, optional
            As for :meth:`predict`.

        Raises
        ------
        ConfigError
            If the estimator has no intervals, or not for this coverage.
        """
        check_is_fitted(self)
        levels = self._ahead(self.past_, self._future(X, self.horizon), self.horizon)
        return Interval(*map(self._like_y, self._bounds(levels, self.past_.scale, coverage)))

    def update(self, y: Any, X: Any = None, past: Any = None) -> Self:
        """Go on from values that have come since, without training; arguments as for :meth:`fit`."""
        check_is_fitted(self)
        records = self._records(y, X, past)
        if len(records) != len(self.past_.levels):
            raise ShapeError(f"{self._name}: y is of {len(records)} series, expected {len(self.past_.levels)}.")
        self.past_ = self.past_.extended(records)
        return self

    def on(self, y: Any, X: Any = None, past: Any = None) -> Self:
        """A forecaster of other series with the same network; arguments as for :meth:`fit`."""
        check_is_fitted(self)
        other = copy.copy(self)
        records = other._records(y, X, past)
        shortest = min(map(len, records))
        if shortest < self.frame_.context:
            raise DataError(
                f"{self._name}: y has {shortest} values, a forecast is made from the last {self.frame_.context} "
                f"(window and season)."
            )
        other.one_ = is_one(y)
        parts = [Past.at(record, [len(record)], self._scale(record), self.frame_) for record in records]
        other.past_ = Past.joined(parts)
        return other

    def score(self, y: Any, X: Any = None) -> float:
        """Skill of the forecasts of the values `y` that come next: ``1 - MSE / MSE of the naive forecast``.

        The naive forecast is the last season, or the last value where there is none, repeated.
        Errors count in units of the scale of their series.
        """
        check_is_fitted(self)
        series, count = as_series(y, self._name), len(self.past_.levels)
        if [len(values) for values in series] != [len(series[0])] * count:
            shapes = [values.shape for values in series]
            raise ShapeError(f"{self._name}: y has {shapes!r:.80}, expected {count} series of one length.")
        true = np.stack(series)
        steps = true.shape[1]
        predicted = np.reshape(self.predict(steps, X), true.shape)
        naive = self.frame_.values(repeated(self.past_.levels, self.season or 1, steps))
        error, naive_error = (np.mean(np.square((guess - true) / self.past_.scale)) for guess in (predicted, naive))
        return float(1 - error / max(naive_error, np.finfo(np.float64).tiny))

    def backtest(
        self, y: Any, X: Any = None, past: Any = None, *, start: int, step: int = 1, refit: bool = False
    ) -> Backtest:
        """Forecasts from a rolling origin, made with what was known there; the estimator does not change.

        Parameters
        ----------
        y : array_like, (T,)
            One series.
        X, past : array_like, optional
            Columns, as for :meth:`fit`.
        start : int
            Values that are known at the first origin.
        step : int
            Values from one origin to the next.
        refit : bool
            Whether to train at every origin, not only at the first.
        """
        if not is_one(y):
            raise ShapeError(f"{self._name}: a backtest is of one series, y is several; call it for each.")
        values = as_series(y, self._name)[0]
        known, others = (
            None if columns is None else as_columns(columns, True, [len(values)], None, f"{self._name}: {name}")[0]
            for name, columns in (("X", X), ("past", past))
        )
        first, step = (
            positive_integer(value, f"{self._name}: {name}") for name, value in (("start", start), ("step", step))
        )
        ends = np.arange(first, len(values) - self.horizon + 1, step)
        if not len(ends):
            raise ShapeError(
                f"{self._name}: y has {len(values)} values, expected at least start + horizon = {first + self.horizon}."
            )
        runs = [np.array([end]) for end in ends] if refit else [ends]
        intervals = [clone(self)._rolled(values, run, known, others) for run in runs]
        lower, predicted, upper = (np.concatenate(arrays) for arrays in zip(*intervals, strict=True))
        actual = values[ends[:, None] + np.arange(self.horizon)]
        bounds = {} if self.interval is None else {"lower": lower, "upper": upper}
        return Backtest(values, ends, predicted, actual, season=self.season, **bounds)
