"""Dropout masks of recurrent layers: the same for all steps of a sequence.

Legend: B batch, T time, F features.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from seqkit.rows import Rows


def draw_mask(rng: np.random.Generator, shape: tuple[int, int], rate: float, dtype: np.dtype) -> np.ndarray:
    """0 with probability `rate`, else 1 / (1 - rate), so that the mean is 1."""
    return (rng.random(shape) >= rate).astype(dtype) / dtype.type(1 - rate)


@contextmanager
def unmoved(*generators: np.random.Generator) -> Iterator[None]:
    """Whatever is drawn inside the block, the generators go on as if it had not been."""
    states = [rng.bit_generator.state for rng in generators]
    yield
    for rng, state in zip(generators, states, strict=True):
        rng.bit_generator.state = state


def masked_rows(rows: Rows, mask: np.ndarray) -> Rows:
    """A copy of `rows` with every step of a sequence multiplied by its row of `mask` (B, F)."""
    each = mask[:, None] if rows.array.ndim == 3 else np.repeat(mask, rows.lengths, axis=0)
    masked = rows.new(mask.shape[1])
    np.multiply(rows.array, each, out=masked.array)
    return masked
