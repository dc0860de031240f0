"""From errors to scores, and from scores to alarms.

Errors are averaged over the last step and over the last w steps (something that should have
happened and has not is a small error for long).  Each mean S is then measured against the
training data: ``(S - m) / (M - m)`` with their median m and their 99th percentile M, so 1 is
what one step of a hundred exceeds that is normal.  The score is the larger of the two.

Legend: T steps, F features.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

HIGH = 0.99
"""Quantile of the training data at which the score is 1: not their largest, which is often an odd one."""
LEAST_ERROR = 0.05
"""Errors below this share of a feature's standard deviation are none."""


class Alarm(NamedTuple):
    """Steps `start` to `end` - 1 of a sequence, with the step and height of the highest score among them."""

    start: int
    end: int
    peak: int
    score: float


@dataclass(frozen=True)
class Scores:
    """How errors become scores; made of the errors of the training data.

    Attributes
    ----------
    size : ndarray, (F,)
        Usual error of each feature: its root mean square.
    widths : ndarray of int
        Numbers of steps that errors are averaged over.
    middle, spread : ndarray
        Median of each mean, and how far above it the 99th percentile is.
    """

    size: np.ndarray
    widths: np.ndarray
    middle: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, errors: Sequence[np.ndarray], smoothing: int) -> Self:
        """Those of the errors (T_i, F) of normal sequences."""
        steps = np.concatenate(errors)
        size = np.maximum(np.sqrt(np.mean(np.square(steps), axis=0)), LEAST_ERROR)
        widths = np.unique([1, smoothing])
        means = [np.concatenate([running_mean(joint(rows, size), width) for rows in errors]) for width in widths]
        middle, high = np.quantile(means, [0.5, HIGH], axis=1)
        # A mean of w independent errors of size 1 scatters by 1 / sqrt(w): no data are more regular than that.
        return cls(size, widths, middle, np.maximum(high - middle, 1 / np.sqrt(widths)))

    def __call__(self, errors: np.ndarray) -> np.ndarray:
        """Scores (T,) of errors (T, F)."""
        single = joint(errors, self.size)
        means = [running_mean(single, width) for width in self.widths]
        return np.max([self._relative(mean, number) for number, mean in enumerate(means)], axis=0)

    def _relative(self, mean: np.ndarray, number: int) -> np.ndarray:
        return np.maximum(mean - self.middle[number], 0.0) / self.spread[number]


class ScoreStream:
    """The same, a step at a time."""

    def __init__(self, scores: Scores) -> None:
        self.scores = scores
        longest = int(scores.widths.max())
        self._last = deque([0.0] * longest, maxlen=longest)

    def __call__(self, error: np.ndarray) -> float:
        """Score of the next error (F,)."""
        scores = self.scores
        self._last.append(float(joint(error[None], scores.size)[0]))
        last = np.array(self._last)
        means = [running_mean(last[-width:], width)[-1:] for width in scores.widths]
        return float(max(scores._relative(mean, number)[0] for number, mean in enumerate(means)))


def joint(errors: np.ndarray, size: np.ndarray) -> np.ndarray:
    """One error for every step, (T,): the root mean square of those of the features in units of `size`."""
    return np.sqrt(np.mean(np.square(errors / size), axis=1))


def running_mean(values: np.ndarray, width: int) -> np.ndarray:
    """Means of the last `width` values, (T,); before the first there are zeros."""
    padded = np.concatenate([np.zeros(width - 1), values])
    return np.lib.stride_tricks.sliding_window_view(padded, width).mean(axis=1)


def alarms(scores: np.ndarray, threshold: float, gap: int) -> list[Alarm]:
    """Stretches of scores above the threshold; those that are at most `gap` steps apart are one.

    Examples
    --------
    >>> import numpy as np
    >>> alarms(np.array([0.0, 4.0, 0.0, 5.0, 0.0, 0.0, 0.0, 6.0]), threshold=3.0, gap=2)
    [Alarm(start=1, end=4, peak=3, score=5.0), Alarm(start=7, end=8, peak=7, score=6.0)]
    """
    above = np.flatnonzero(scores > threshold)
    if not above.size:
        return []
    groups = np.split(above, np.flatnonzero(np.diff(above) > gap) + 1)
    peaks = [group[scores[group].argmax()] for group in groups]
    return [
        Alarm(int(group[0]), int(group[-1]) + 1, int(peak), float(scores[peak]))
        for group, peak in zip(groups, peaks, strict=True)
    ]
