"""Checks around scaling: what does not vary, and what is too large to compute with."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from seqkit.errors import DataError, NonFiniteError

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


def as_output(y: ArrayLike, owner: str) -> np.ndarray:
    """What a network gave, in float64.

    Raises
    ------
    NonFiniteError
        If a value is NaN or infinite.
    """
    values = np.asarray(y, dtype=np.float64)
    if not np.isfinite(values).all():
        raise NonFiniteError(f"{owner}: the model's output is not finite; train it with a lower --learning-rate.")
    return values
