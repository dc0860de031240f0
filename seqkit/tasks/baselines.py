"""Windows of a series, and the naive forecasts that a model has to beat.

Legend: T values, N windows, W window, h horizon (steps ahead).
"""

from __future__ import annotations

import numpy as np


def windows(values: np.ndarray, window: int, horizon: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Every stretch of `window` values and the value `horizon` steps after its end.

    ``x_i = values[i : i + W]`` and ``y_i = values[i + W - 1 + h]``.

    Parameters
    ----------
    values : ndarray, (T,)
    window, horizon : int
        At least 1.

    Returns
    -------
    x : ndarray, (N, W)
        N = T - W - h + 1, or 0 where the series is too short.
    y : ndarray, (N,)

    Examples
    --------
    >>> import numpy as np
    >>> x, y = windows(np.array([1.0, 2.0, 3.0, 4.0]), window=2)
    >>> x.tolist(), y.tolist()
    ([[1.0, 2.0], [2.0, 3.0]], [3.0, 4.0])
    """
    count = max(len(values) - window - horizon + 1, 0)
    starts = np.arange(count)[:, None]
    return values[starts + np.arange(window)], values[window + horizon - 1 :][:count]


def persistence(values: np.ndarray, start: int, horizon: int = 1) -> np.ndarray:
    """The last known value as forecast of ``values[start:]``: ``p_t = y_{t - h}``.

    Examples
    --------
    >>> import numpy as np
    >>> persistence(np.array([1.0, 2.0, 4.0, 8.0]), start=2).tolist()
    [2.0, 4.0]
    """
    return values[start - horizon : len(values) - horizon]


def seasonal_naive(values: np.ndarray, start: int, season: int, horizon: int = 1) -> np.ndarray:
    """The last known value of the same phase: ``p_t = y_{t - s ceil(h / s)}``.

    Source: Hyndman and Athanasopoulos, "Forecasting: principles and practice", section 5.2.

    Examples
    --------
    >>> import numpy as np
    >>> seasonal_naive(np.array([1.0, 9.0, 2.0, 8.0, 3.0]), start=3, season=2).tolist()
    [9.0, 2.0]
    """
    return persistence(values, start, season * -(-horizon // season))


def repeated(values: np.ndarray, season: int, steps: int) -> np.ndarray:
    """The last season of ``values[..., T]`` over and over, (..., steps): the seasonal naive forecast from one origin.

    A season of 1 is persistence.

    Examples
    --------
    >>> import numpy as np
    >>> repeated(np.array([1.0, 9.0, 2.0, 8.0]), season=2, steps=3).tolist()
    [2.0, 8.0, 2.0]
    """
    return values[..., values.shape[-1] - season + np.arange(steps) % season]


def rmse(predicted: np.ndarray, true: np.ndarray) -> float:
    """Root of the mean squared error, in the units of the values."""
    return float(np.sqrt(np.mean(np.square(predicted - true))))
