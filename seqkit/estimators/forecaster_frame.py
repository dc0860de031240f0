"""What a forecasting network sees of a series, and what its outputs mean.

A value v becomes ``u = v`` or ``log v``, and where there is a season s its change against the
seasonal naive forecast, ``z_t = u_t - u_{t-s}``.  The network reads W changes and gives the next H,
all measured from the last one of the window in units of the series' own scale:

    x_k = (z_{t-W+k} - z_t) / scale,    y_h = (z_{t+h} - z_t) / scale

Columns that are known in advance stand beside these a few steps early: step k sees those of steps
k + 1 to k + H, with a season their change against one season before, or a holiday would come again.
Columns that are not stand where they were measured.

Legend: N windows, T steps, W window, H horizon, s season, K columns known in advance, P others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from seqkit.errors import DataError
from seqkit.estimators.forecaster_series import Record
from seqkit.tasks.forecast import relative


@dataclass(frozen=True)
class Frame:
    """How values and changes become each other.

    Attributes
    ----------
    window : int
        W, changes that the network reads.
    horizon : int
        H, changes that it gives at once.
    season : int
        s, or 0 for none.
    log : bool
        Whether it works on logarithms.
    """

    window: int
    horizon: int
    season: int = 0
    log: bool = False

    @property
    def context(self) -> int:
        """Values that a forecast is made from."""
        return self.window + self.season

    def levels(self, values: np.ndarray, owner: str) -> np.ndarray:
        """u of values v."""
        if self.log and values.min() <= 0:
            raise DataError(f"{owner}: a value is {values.min():g}, logarithms need positive ones; set log=False.")
        return np.log(values) if self.log else values

    def values(self, levels: np.ndarray) -> np.ndarray:
        """v of u."""
        return np.exp(levels) if self.log else levels

    def changes(self, levels: np.ndarray) -> np.ndarray:
        """z of u, (..., T) to (..., T - s)."""
        return levels[..., self.season :] - levels[..., : levels.shape[-1] - self.season] if self.season else levels

    def columns(self, known: np.ndarray) -> np.ndarray:
        """Columns beside the changes, (..., T, K) to (..., T - s, K): changes themselves, as what they explain."""
        return self.changes(known.swapaxes(-1, -2)).swapaxes(-1, -2)

    def sums(self, changes: np.ndarray, levels: np.ndarray) -> np.ndarray:
        """u of the changes (N, steps) that follow on levels (N, T), season after season."""
        if not self.season:
            return changes
        known = levels[:, -self.season :]
        seasons = []
        for start in range(0, changes.shape[1], self.season):
            block = changes[:, start : start + self.season]
            known = known[:, : block.shape[1]] + block
            seasons.append(known)
        return np.concatenate(seasons, axis=1)

    def examples(self, record: Record, scale: float, owner: str) -> tuple[np.ndarray, np.ndarray]:
        """Every window of a series, of W + H + s steps or more, and what follows it: inputs and targets (N, H)."""
        stretches = sliding_window_view(self.changes(record.levels), self.window + self.horizon)
        window, ahead = stretches[:, : self.window], stretches[:, self.window :]
        early = sliding_window_view(self.columns(record.known)[1:], self.window + self.horizon - 1, axis=0)
        late = sliding_window_view(record.others[self.season :], self.window, axis=0)[: len(window)]
        scales = np.full((len(window), 1), scale)
        x = self.inputs(window, scales, early.swapaxes(1, 2), late.swapaxes(1, 2), owner)
        return x, (ahead - window[:, -1:]) / scales

    def inputs(
        self, window: np.ndarray, scale: np.ndarray, known: np.ndarray, others: np.ndarray, owner: str
    ) -> np.ndarray:
        """What the network reads, (N, W, 1 + H K + P).

        Parameters
        ----------
        window : ndarray, (N, W)
            Changes.
        scale : ndarray, (N, 1)
        known : ndarray, (N, W + H - 1, K)
            From the second step of the window to the last of the horizon.
        others : ndarray, (N, W, P)
            In the window.
        owner : str
            For errors.
        """
        early = sliding_window_view(known, self.horizon, axis=1)  # (N, W, K, H)
        early = early.reshape(*early.shape[:2], self.horizon * known.shape[2])
        return np.concatenate([relative(window, scale, owner), early, others], axis=2)
