"""Profiles of lengths of the sequences of a batch.

Legend: B batch, T time.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Draw = Callable[[np.random.Generator, int, int], np.ndarray]

PROFILES: dict[str, Draw] = {
    "none": lambda rng, batch, time: np.full(batch, time),
    "uniform": lambda rng, batch, time: rng.integers(max(time // 4, 1), time + 1, batch),
    "long-tail": lambda rng, batch, time: np.ceil(time * (1 - rng.random(batch)) ** 4),
}
"""All full; uniform from T/4 to T; or most short and few long, T * u**4 with u uniform, on average T/5."""


def lengths_of(profile: str, batch: int, time: int) -> np.ndarray:
    """Lengths (B,) int64 of a profile, the same for the same sizes; the first is T.

    Examples
    --------
    >>> lengths_of("uniform", 4, 100).tolist()
    [100, 73, 63, 45]
    """
    lengths = PROFILES[profile](np.random.default_rng(0), batch, time).astype(np.int64)
    lengths[0] = time
    return lengths
