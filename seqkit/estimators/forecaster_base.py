"""What a forecaster does before and after its network.

Legend: N series, T_i values, W window, H horizon, K columns known in advance, P others, Q quantiles.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from seqkit.errors import ConfigError, DataError, ShapeError
from seqkit.estimators.forecaster_frame import Frame
from seqkit.estimators.forecaster_past import Past, ahead
from seqkit.estimators.forecaster_series import ColumnScaling, Record, as_columns, as_series, is_one
from seqkit.estimators.intervals import Interval, check_coverage, conformal_radius
from seqkit.estimators.series_network import SeriesNetwork
from seqkit.options import fraction, positive_integer
from seqkit.tasks.plan import LONGEST_DEFAULT_WINDOW
from seqkit.tasks.scaling import is_constant
from seqkit.tasks.settings import network
from seqkit.training.pinball import Pinball

STRATEGIES = ("direct", "recursive")
INTERVALS = ("conformal", "quantile", None)


@dataclass(eq=False, repr=False, kw_only=True)
class BaseForecaster(SeriesNetwork):
    """Reading of series, calibration and intervals; see :class:`~seqkit.estimators.SequenceForecaster`."""

    _parts = MappingProxyType({"frame_": Frame, "past_": Past, "known_": ColumnScaling, "others_": ColumnScaling})

    horizon: int = 1
    window: int | None = None
    strategy: str = "direct"
    season: int | None = None
    log: bool = False
    interval: str | None = "conformal"
    coverage: float = 0.9
    calibration: float = 0.2

    @property
    def _quantiles(self) -> tuple[float, ...]:
        """What the network learns: the middle one is the forecast."""
        return ((1 - self.coverage) / 2, 0.5, (1 + self.coverage) / 2) if self.interval == "quantile" else (0.5,)

    def _check(self) -> None:
        """Raise ConfigError for options that mean nothing or don't go together."""
        for name, choices in (("strategy", STRATEGIES), ("interval", INTERVALS)):
            if getattr(self, name) not in choices:
                raise ConfigError(f"{self._name}: {name} must be one of {choices}, got {getattr(self, name)!r}.")
        positive_integer(self.horizon, f"{self._name}: horizon")
        fraction(self.calibration, f"{self._name}: calibration")
        check_coverage(self.coverage, self._name)
        if self.interval == "quantile" and self.strategy == "recursive":
            raise ConfigError(f'{self._name}: quantiles of steps do not add up; use strategy="direct".')
        if self.interval == "quantile" and self.season and self.horizon > self.season:
            raise ConfigError(f'{self._name}: quantiles of seasons do not add up; use interval="conformal".')

    def _begin(self, y: Any, X: Any, past: Any) -> tuple[list[Record], list[int]]:
        """Series as the network sees them, and how many steps of each it is trained on."""
        self._check()
        self.one_ = is_one(y)
        series = as_series(y, self._name)
        if len(series) > 1 and all(len(values) == 1 for values in series):
            raise ShapeError(f"{self._name}: y is {len(series)} series of one value; for one series give y[:, 0].")
        season = 0 if self.season is None else positive_integer(self.season, f"{self._name}: season")
        quarter = max((min(map(len, series)) - season - self.horizon) // 4, 1)
        window = min(season or LONGEST_DEFAULT_WINDOW, quarter) if self.window is None else self.window
        block = self.horizon if self.strategy == "direct" else 1
        self.frame_ = Frame(positive_integer(window, f"{self._name}: window"), block, season, bool(self.log))
        for name in ("known_", "others_"):  # what scales columns is learned from them
            self.__dict__.pop(name, None)
        records = self._records(y, X, past)
        cuts = [self._cut(len(record)) for record in records]
        for record, cut in zip(records, cuts, strict=True):
            self._check_length(len(record), cut)
        learned = [record.until(cut) for record, cut in zip(records, cuts, strict=True)]
        self.known_ = ColumnScaling.of([record.known for record in learned])
        self.others_ = ColumnScaling.of([record.others for record in learned])
        return self._records(y, X, past), cuts

    def _records(self, y: Any, X: Any, past: Any) -> list[Record]:
        """Series with their columns, scaled as in training where that is known."""
        one, series = is_one(y), as_series(y, self._name)
        lengths = [len(values) for values in series]
        known = self._columns(X, one, lengths, "known_", "X")
        others = self._columns(past, one, lengths, "others_", "past")
        levels = [self.frame_.levels(values, self._name) for values in series]
        return [Record(*columns) for columns in zip(levels, known, others, strict=True)]

    def _columns(self, columns: Any, one: bool, lengths: Sequence[int], scaled_by: str, name: str) -> list[np.ndarray]:
        scaling: ColumnScaling | None = self.__dict__.get(scaled_by)
        count = None if scaling is None else len(scaling.mean)
        if count is not None and (columns is None) != (count == 0):
            what = (
                f"is needed, as the forecaster was fitted with {count} columns of it" if count else "was not fitted on"
            )
            raise ShapeError(f"{self._name}: {name} {what}.")
        arrays = as_columns(columns, one, lengths, count, f"{self._name}: {name}")
        return arrays if scaling is None else [scaling(array) for array in arrays]

    def _cut(self, size: int) -> int:
        """Steps to train on; forecasts from there on calibrate the intervals."""
        if self.interval != "conformal":
            return size
        origins = size - self.frame_.context - self.horizon + 1
        return size if origins < 2 else size - self.horizon + 1 - math.ceil(self.calibration * origins)

    def _check_length(self, size: int, cut: int) -> None:
        """Raise DataError where not one window with what follows it can be trained on."""
        frame, least = self.frame_, self.frame_.context + self.frame_.horizon
        if cut < least:
            rest = (
                f", of which {cut} are left to train on as the others calibrate the intervals;" if cut < size else ":"
            )
            raise DataError(
                f"{self._name}: y has {size} values{rest} too few for a window of {frame.window}, a horizon of "
                f"{frame.horizon} and a season of {frame.season}, which need {least}. Give more values, lower these "
                f"or calibration, or set interval=None."
            )

    def _scale(self, record: Record) -> float:
        """Standard deviation of the changes of a series; 1 where they don't vary."""
        changes = self.frame_.changes(record.levels)
        return 1.0 if len(changes) < 2 or is_constant(changes) else float(changes.std())

    def _train(self, x: np.ndarray, targets: np.ndarray) -> None:
        loss = "mse" if len(self._quantiles) == 1 else Pinball(self._quantiles)
        settings = self._settings()
        model = network(settings, x.shape[2], self.frame_.horizon * len(self._quantiles))
        self._fit_network(model, x, targets, loss, settings)

    def _ahead(self, past: Past, future: np.ndarray, steps: int) -> np.ndarray:
        return ahead(self.model_, self.frame_, past, future, steps, self._name)

    def _future(self, X: Any, steps: int) -> np.ndarray:
        """Columns known in advance for all that the network gives, (N, rows, K); their mean where they end before."""
        count, rows = len(self.past_.levels), self.frame_.horizon * math.ceil(steps / self.frame_.horizon)
        given = [] if X is None else [X] if self.one_ else list(X)
        lengths = [min(max(len(columns), steps), rows) for columns in given] or [steps] * count
        known = self._columns(X, self.one_, lengths, "known_", "X of the steps to forecast")
        if len(known) != count:
            raise ShapeError(f"{self._name}: X of the steps to forecast is of {len(known)} series, expected {count}.")
        return np.stack([np.pad(columns, ((0, rows - len(columns)), (0, 0))) for columns in known])

    def _from(self, record: Record, ends: np.ndarray, scale: float) -> tuple[Past, np.ndarray]:
        """What is known at origins inside a series, and the horizon's levels from there, (n, H, Q)."""
        past = Past.at(record, ends, scale, self.frame_)
        future = record.known[ends[:, None] + np.arange(self.horizon)]
        return past, self._ahead(past, future, self.horizon)

    def _errors(self, record: Record, cut: int, scale: float) -> np.ndarray:
        """Absolute errors of the forecasts from `cut` on, (n, H), in units of the scale."""
        ends = np.arange(cut, len(record) - self.horizon + 1)
        if self.interval != "conformal" or not len(ends):
            return np.zeros((0, self.horizon))
        _, levels = self._from(record, ends, scale)
        true = record.levels[ends[:, None] + np.arange(self.horizon)]
        return np.abs(levels[:, :, 0] - true) / scale

    def _bounds(self, levels: np.ndarray, scale: np.ndarray, coverage: float | None) -> Interval:
        """Intervals of forecasts, of values again."""
        middle = levels[:, :, levels.shape[2] // 2]
        if self.interval == "conformal":
            radius = conformal_radius(self.errors_, self.coverage if coverage is None else coverage, self._name)
            bounds = middle - scale * radius, middle, middle + scale * radius
        elif self.interval is None:
            raise ConfigError(f'{self._name}: there are no intervals; set interval="conformal" and fit again.')
        elif coverage not in (None, self.coverage):
            raise ConfigError(f"{self._name}: the quantiles are of coverage {self.coverage:g}, not {coverage!r}.")
        else:
            bounds = tuple(np.moveaxis(np.sort(levels, axis=2), 2, 0))
        return Interval(*map(self.frame_.values, bounds))

    def _rolled(self, values: np.ndarray, ends: np.ndarray, X: Any, past: Any) -> Interval:
        """Forecasts of one series from many origins, trained before the first."""
        start = int(ends[0])
        self.fit(values[:start], *(None if columns is None else columns[:start] for columns in (X, past)))
        record = self._records(values, X, past)[0]
        before, levels = self._from(record, ends, float(self.past_.scale[0, 0]))
        if self.interval is None:
            return Interval(*[self.frame_.values(levels[:, :, 0])] * 3)
        return self._bounds(levels, before.scale, None)

    def _like_y(self, values: np.ndarray) -> np.ndarray:
        return values[0] if self.one_ else values
