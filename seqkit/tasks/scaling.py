"""Checks around scaling: what does not vary, and what is out of all proportion."""

from __future__ import annotations

import numpy as np

from seqkit.errors import DataError

FARTHEST = 1e30
"""Largest scaled value that a float32 network can still compute with."""


def is_constant(values: np.ndarray) -> bool:
    """Whether values don't vary, or so little that their standard deviation is 0."""
    return bool(values.min() == values.max() or values.std() == 0.0)


def as_input(scaled: np.ndarray, owner: str) -> np.ndarray:
    """Scaled values, if a network can compute with them.

    Raises
    ------
    DataError
        If one is farther than `FARTHEST` standard deviations from what the network was trained on.
    """
    largest = float(np.abs(scaled).max(initial=0.0))
    if largest > FARTHEST:
        raise DataError(f"{owner}: a value is {largest:.0e} standard deviations off the training data; correct it.")
    return scaled
