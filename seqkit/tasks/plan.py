"""How a series is cut into what a forecast learns from and what it is measured on."""

from __future__ import annotations

from dataclasses import dataclass

from seqkit.data.dataset import Series
from seqkit.errors import DataError
from seqkit.tasks.scaling import is_constant

LEAST_WINDOWS = 10
LONGEST_DEFAULT_WINDOW = 24
HOLDOUT_SHARE = 0.2


@dataclass(frozen=True)
class Plan:
    """How a series is cut.

    Attributes
    ----------
    window : int
        Values that the network sees.
    horizon : int
        Steps from the end of the window to the forecast value.
    holdout : int
        Values at the end of the series that are only used to measure.
    season : int, optional
        Period of the seasonal naive forecast; without one it is left out.
    """

    window: int
    horizon: int
    holdout: int
    season: int | None = None

    @classmethod
    def of(
        cls,
        series: Series,
        window: int | None = None,
        horizon: int = 1,
        holdout: int | None = None,
        season: int | None = None,
    ) -> Plan:
        """A plan for a series; what is None gets its default.

        A fifth of the series is held out.  The window is two seasons, or else 24 values, or a
        quarter of what is left to train on where that is less.

        Raises
        ------
        DataError
            If the series is too short or does not vary.
        """
        size = len(series.values)
        holdout = holdout or max(round(size * HOLDOUT_SHARE), 1)
        quarter = max((size - holdout) // 4, 1)
        plan = cls(window or min(2 * season if season else LONGEST_DEFAULT_WINDOW, quarter), horizon, holdout, season)
        plan._check(series)
        return plan

    def _check(self, series: Series) -> None:
        train = series.values[: -self.holdout]
        count = len(train) - self.window - self.horizon + 1
        if count < LEAST_WINDOWS:
            raise DataError(
                f"{series.name}: the series is too short: {len(series.values)} values with {self.holdout} held out, a "
                f"window of {self.window} and a horizon of {self.horizon} leave {max(count, 0)} windows to train on, "
                f"expected at least {LEAST_WINDOWS}."
            )
        if is_constant(train):
            raise DataError(
                f"{series.name}: column {series.column!r} is constant ({train[0]:g}) before the part held out; there "
                "is nothing to learn."
            )
        if self.season and self.season + self.horizon > len(train):
            raise DataError(
                f"{series.name}: a season of {self.season} values does not fit in the {len(train)} values before the "
                "part held out; lower --season or leave it out."
            )

    def describe(self, series: Series) -> str:
        """The plan in words, for a person to check."""
        index, split = series.index, len(series.values) - self.holdout
        ahead = "1 step" if self.horizon == 1 else f"{self.horizon} steps"
        return (
            f"forecast: {ahead} ahead from windows of {self.window}; training on {index[0]} to {index[split - 1]} "
            f"({split} values), held out {index[split]} to {index[-1]} ({self.holdout})"
        )
