"""Forecast a series from its own past.

A window of W values predicts the value h steps after its end.  Both are measured from the last
value of the window in units of the training part's standard deviation s:

    x_k = (v_{t-W+k} - v_t) / s,    y = (v_{t+h} - v_t) / s

so a level that drifts does no harm, and a network that gives 0 is the persistence forecast.
The last values of the series are held out.  Nothing before them is computed from them: they
change neither s nor the weights.  Training stops when the error on the last fifth of the
training windows no longer falls.

Legend: T values, N windows, W window, h horizon.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from seqkit.data.dataset import Series, apart
from seqkit.data.files import read_series
from seqkit.errors import DataError
from seqkit.model import Sequential
from seqkit.tasks.baselines import persistence, rmse, seasonal_naive, windows
from seqkit.tasks.plan import Plan
from seqkit.tasks.scaling import as_input, as_output
from seqkit.tasks.settings import Settings, network, optimizer, survival
from seqkit.training.callbacks import Callback, EarlyStopping

DEFAULTS = Settings(epochs=300)
VALIDATION_SHARE = 0.2


def fit(series: Series, plan: Plan, settings: Settings = DEFAULTS, callbacks: Sequence[Callback] = ()) -> Sequential:
    """A model trained on all but the held-out values."""
    train = series.values[: len(series.values) - plan.holdout]
    scale = float(train.std())
    x, y = windows(train, plan.window, plan.horizon)
    inputs, targets = relative(x, scale, series.name), (y - x[:, -1]) / scale
    model = network(settings, features=1, outputs=1)
    model.metadata = {"task": "forecast", "column": series.column, "scale": scale, **asdict(plan)}
    model.compile(optimizer(settings), loss="mse")
    saved = survival(settings)
    model.fit(
        inputs,
        targets,
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        validation_split=VALIDATION_SHARE,
        callbacks=[EarlyStopping(patience=settings.patience), *callbacks, *saved["callbacks"]],
        verbose=0,
        resume=saved["resume"],
    )
    return model


def predict(model: Sequential, series: Series) -> np.ndarray:
    """Forecasts for every time that has a whole window `horizon` steps before it.

    Parameters
    ----------
    model : Sequential
        What :func:`fit` gave.
    series : Series
        True values; each forecast uses only those up to `horizon` steps before.

    Returns
    -------
    ndarray, (T - W + 1,)
        The first belongs to time W + h - 1 (from 0), the last h lie beyond the end.
    """
    window, scale = model.metadata["window"], model.metadata["scale"]
    x = sliding_window_view(series.values, window)
    change = as_output(model.predict(relative(x, scale, series.name)), series.name)
    return x[:, -1] + scale * change[:, 0]


def held_out_forecasts(model: Sequential, series: Series) -> np.ndarray:
    """Forecasts of the held-out values, (holdout,)."""
    plan = model.metadata
    return predict(model, series)[: -plan["horizon"]][-plan["holdout"] :]


def report(model: Sequential, series: Series) -> dict[str, Any]:
    """Root mean squared errors on the held-out values, beside those of the naive forecasts."""
    plan, values = model.metadata, series.values
    start = len(values) - plan["holdout"]
    true, season, horizon = values[start:], plan["season"], plan["horizon"]
    return {
        "rmse": rmse(held_out_forecasts(model, series), true),
        "persistence_rmse": rmse(persistence(values, start, horizon), true),
        "seasonal_naive_rmse": rmse(seasonal_naive(values, start, season, horizon), true) if season else None,
    }


def rows(model: Sequential, path: Path) -> Iterator[dict[str, Any]]:
    """One row per time: its name, the true value where it is known, the forecast."""
    plan = model.metadata
    series = read_series(path, plan["column"])
    size = len(series.values)
    if size < plan["window"]:
        raise DataError(f"{path}: {size} values are too few, the model forecasts from windows of {plan['window']}.")
    first, truth = plan["window"] + plan["horizon"] - 1, apart(plan["column"], "time", "forecast")
    for time, value in enumerate(predict(model, series).tolist(), start=first):
        known = time < size
        yield {
            "time": series.index[time] if known else f"+{time - size + 1}",
            truth: float(series.values[time]) if known else None,
            "forecast": value,
        }


def relative(x: np.ndarray, scale: np.ndarray | float, owner: str) -> np.ndarray:
    """Windows (N, W) as the network sees them, (N, W, 1); `scale` is a number or (N, 1)."""
    return as_input((x - x[:, -1:]) / scale, owner)[:, :, None]
