"""Ticks of a pool of streams: a random half of them makes a step.

seqkit and its peers play the same ticks; only how some streams are advanced differs.

Legend: B streams, N streams of a tick, K ticks that are compared, I input features, H units.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from typing import Any

import numpy as np

TIMED = 64
"""Different ticks that are timed in turn."""


def streams_of_tick(streams: int) -> int:
    """How many of so many open streams make a step in a tick."""
    return max(streams // 2, 1)


def draw_ticks(streams: int, compared: int) -> tuple[np.ndarray, np.ndarray]:
    """Streams of each tick (K + TIMED, N), none twice in a tick, and how many steps each makes in the first K (B,)."""
    rng = np.random.default_rng(0)
    ticks = np.stack([rng.permutation(streams)[: streams_of_tick(streams)] for _ in range(compared + TIMED)])
    return ticks, np.bincount(ticks[:compared].ravel(), minlength=streams)


def play(
    advance: Callable[[Any, Any], Any],
    ticks: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    convert: Callable[[np.ndarray], Any] = np.asarray,
) -> Callable[[], Any]:
    """Play the first K ticks, which are compared; gives what plays one more, to be timed.

    Parameters
    ----------
    advance : callable
        Takes the streams of a tick (N,) and their inputs (N, I), both converted; gives their outputs (N, H).
    ticks : ndarray of int
        From :func:`draw_ticks`.
    x : ndarray (B, K, I)
        What each stream reads, step by step.
    y : ndarray (B, K, H)
        Where its outputs go, 0 at first; they stay 0 past the steps that it makes.
    convert : callable
        Makes an array of `advance`'s library; not timed.
    """
    compared, taken = x.shape[1], np.zeros(len(x), np.int64)
    for ids in ticks[:compared]:
        y[ids, taken[ids]] = np.asarray(advance(convert(ids), convert(x[ids, taken[ids]])))
        taken[ids] += 1
    timed = cycle([(convert(ids), convert(x[ids, 0])) for ids in ticks[compared:]])
    return lambda: advance(*next(timed))
