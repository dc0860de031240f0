"""What is usual at this time of the day: the season of sequences, and how far they are from it.

Legend: T steps, F features, s season.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

SEASONS = 3
"""Seasons whose median is what is usual: one odd season is then no pattern for the next."""
LEAST_CORRELATION = 0.5
ALIKE = 0.85


def find_season(sequences: Sequence[np.ndarray]) -> int:
    """The period that the longest of sequences (T_i, F) repeats itself with, or 0.

    It is a peak of the autocorrelation (mean over the features) after that has been below zero, if
    more than half of the variance repeats: the highest up to 1.5 times the lag of the first that is
    at least 0.85 of the highest of all, as multiples of a period are peaks, too.

    Examples
    --------
    >>> import numpy as np
    >>> t = np.arange(100.0)
    >>> find_season([np.sin(2 * np.pi * t / 12)[:, None]])
    12
    >>> find_season([t[:, None]])
    0
    """
    x = max(sequences, key=len)
    x = x[:, x.std(axis=0) > 0] - x[:, x.std(axis=0) > 0].mean(axis=0)
    if not x.size:
        return 0
    size, most = len(x), len(x) // 2
    spectrum = np.abs(np.fft.rfft(x, 2 * size, axis=0)) ** 2
    sums = np.fft.irfft(spectrum, axis=0)[:size] / np.arange(size, 0, -1)[:, None]
    correlation = (sums / sums[0]).mean(axis=1)[: most + 1]
    below = np.flatnonzero(correlation < 0)
    if not below.size:
        return 0
    correlation[: below[0]] = 0
    inner = correlation[1:-1]
    peaks = 1 + np.flatnonzero((inner >= correlation[:-2]) & (inner >= correlation[2:]))
    highest = correlation[peaks].max(initial=0.0)
    if highest <= LEAST_CORRELATION:
        return 0
    first = peaks[correlation[peaks] >= ALIKE * highest][0]
    near = peaks[(peaks >= first) & (peaks <= 1.5 * first)]
    return int(near[correlation[near].argmax()])


def unusual(x: np.ndarray, season: int) -> np.ndarray:
    """Differences from what is usual, (T - s, F): the median of the same phase in up to three seasons before.

    Examples
    --------
    >>> import numpy as np
    >>> unusual(np.array([[1.0], [2.0], [1.0], [5.0], [1.0], [2.0]]), season=2).tolist()
    [[0.0], [3.0], [0.0], [-1.5]]
    """
    if not season:
        return x
    before = np.full((SEASONS, *x.shape), np.nan)
    for number in range(1, SEASONS + 1):
        before[number - 1, number * season :] = x[: max(len(x) - number * season, 0)]
    return x[season:] - np.nanmedian(before[:, season:], axis=0)


class Usual:
    """The same, a step at a time."""

    def __init__(self, season: int) -> None:
        self.season = season
        self._past: deque[np.ndarray] = deque(maxlen=SEASONS * season)

    def unusual(self, x: np.ndarray) -> np.ndarray | None:
        """Difference of the next step (F,) from what is usual; None in the first season."""
        if not self.season:
            return x
        seasons = len(self._past) // self.season
        before = [self._past[-number * self.season] for number in range(1, seasons + 1)]
        self._past.append(x)
        return x - np.median(before, axis=0) if before else None
