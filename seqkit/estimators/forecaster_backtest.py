"""How good forecasts would have been.

Legend: N origins, H horizon.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seqkit.tasks.baselines import repeated, rmse


@dataclass(frozen=True, repr=False)
class Backtest:
    """Forecasts from many origins of a series, beside what came.

    Attributes
    ----------
    values : ndarray, (T,)
        The series.
    ends : ndarray of int, (N,)
        How many values were known at each origin.
    predicted, actual : ndarray, (N, H)
    lower, upper : ndarray, (N, H), optional
        Prediction intervals.
    season : int, optional
        Period of the seasonal naive forecast.
    """

    values: np.ndarray
    ends: np.ndarray
    predicted: np.ndarray
    actual: np.ndarray
    lower: np.ndarray | None = None
    upper: np.ndarray | None = None
    season: int | None = None

    def __repr__(self) -> str:
        origins, horizon = self.actual.shape
        return f"Backtest({origins} origins, {horizon} steps ahead, rmse {rmse(self.predicted, self.actual):.6g})"

    def naive(self, season: int = 1) -> np.ndarray:
        """The last season before every origin, repeated, (N, H); a season of 1 is persistence."""
        return np.stack([repeated(self.values[:end], season, self.actual.shape[1]) for end in self.ends])

    def rmse_by_step(self) -> np.ndarray:
        """Root mean squared error of every step of the horizon, (H,)."""
        return np.sqrt(np.mean(np.square(self.predicted - self.actual), axis=0))

    def coverage(self) -> float | None:
        """Share of the values that lie in their interval."""
        if self.lower is None or self.upper is None:
            return None
        return float(np.mean((self.lower <= self.actual) & (self.actual <= self.upper)))

    def report(self) -> dict[str, float | None]:
        """Figures of merit beside those of the naive forecasts."""
        season = self.season
        return {
            "rmse": rmse(self.predicted, self.actual),
            "persistence_rmse": rmse(self.naive(), self.actual),
            "seasonal_naive_rmse": rmse(self.naive(season), self.actual) if season else None,
            "coverage": self.coverage(),
        }
