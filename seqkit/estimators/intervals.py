"""Prediction intervals by split conformal prediction.

A model is trained on one part of the data and its errors are measured on another.  Of n such
errors the k-th smallest, ``k = ceil((n + 1) c)``, is a radius around the next prediction that
holds the truth with a probability of at least c, whatever the model and the distribution, where
all errors are exchangeable.

Source: Lei, G'Sell, Rinaldo, Tibshirani and Wasserman, "Distribution-free predictive inference
for regression", Journal of the American Statistical Association 113, 2018.

Legend: n errors, H horizon.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from seqkit.errors import ConfigError
from seqkit.options import is_real


class Interval(NamedTuple):
    """A forecast with its interval, each an array of the shape of the forecast."""

    lower: np.ndarray
    predicted: np.ndarray
    upper: np.ndarray


def check_coverage(coverage: Any, owner: str) -> None:
    """Raise ConfigError for what is no number between 0 and 1."""
    if not is_real(coverage) or not 0 < coverage < 1:
        raise ConfigError(f"{owner}: coverage must lie between 0 and 1, got {coverage!r}.")


def conformal_radius(errors: np.ndarray, coverage: float, owner: str) -> np.ndarray:
    """The radius of the interval of every step of the horizon.

    Parameters
    ----------
    errors : ndarray, (n, H)
        Absolute errors of forecasts of values that were not trained on.
    coverage : float
        Share of the true values that shall lie inside, between 0 and 1.
    owner : str
        For errors.

    Returns
    -------
    ndarray, (H,)

    Raises
    ------
    ConfigError
        If `coverage` is not between 0 and 1, or there are too few errors for it.

    Examples
    --------
    >>> import numpy as np
    >>> conformal_radius(np.array([[3.0], [1.0], [2.0], [4.0]]), 0.6, "forecaster").tolist()
    [3.0]
    """
    check_coverage(coverage, owner)
    rank = math.ceil((len(errors) + 1) * coverage - 1e-9)  # 10 * 0.9 is 9 and not a little more
    if rank > len(errors):
        needed = math.ceil(coverage / (1 - coverage) - 1e-9)
        raise ConfigError(
            f"{owner}: an interval of coverage {coverage:g} needs at least {needed} forecasts to calibrate it, there "
            f"are {len(errors)}; raise calibration, lower coverage or give a longer series."
        )
    return np.sort(errors, axis=0)[rank - 1]
