"""Philox4x32-10 in NumPy, and the masks that are drawn from it.

Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

LOW = np.uint64(0xFFFFFFFF)
MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
WEYL = 0x9E3779B9, 0xBB67AE85


def philox(counter: Sequence[Any], key: Sequence[int], rounds: int = 10) -> list[np.ndarray]:
    """The four words of every block; the words of the counter are arrays that broadcast."""
    c = list(np.broadcast_arrays(*(np.asarray(word, np.uint64) for word in counter)))
    k0, k1 = map(int, key)
    for _ in range(rounds):
        a, b = MULTIPLIERS[0] * c[0], MULTIPLIERS[1] * c[2]
        shift = np.uint64(32)
        c = [(b >> shift) ^ c[1] ^ np.uint64(k0), b & LOW, (a >> shift) ^ c[3] ^ np.uint64(k1), a & LOW]
        k0, k1 = (k0 + WEYL[0]) % 2**32, (k1 + WEYL[1]) % 2**32
    return c


def uniform(seed: int, stream: int, rows: Any, times: Any, units: Any) -> np.ndarray:
    """The 32-bit numbers of a stream at rows, times and units, arrays that broadcast."""
    key = [int(word) for word in philox([0, 0, stream, 0], [seed % 2**32, seed >> 32])[:2]]
    units, rows = np.asarray(units, np.uint64), np.asarray(rows, np.uint64)
    group, word, lane = units // np.uint64(64), units // np.uint64(16) % np.uint64(4), units % np.uint64(16)
    counter = [np.uint64(16) * group + lane, times, rows & LOW, rows >> np.uint64(32)]
    words = philox(counter, key)
    return np.choose(np.broadcast_to(word, words[0].shape).astype(int), words)


def factors(
    seed: int, stream: int, rate: float, rows: Any, times: Any, units: int, scale: float | None = None
) -> np.ndarray:
    """What every (row, time, unit) is multiplied by: 0 with probability `rate`, else the scale."""
    numbers = uniform(seed, stream, np.array(rows)[:, None, None], np.array(times)[None, :, None], np.arange(units))
    kept = numbers >= min(round(rate * 2**32), 2**32 - 1)
    return kept * (1 / (1 - rate) if scale is None else scale)
