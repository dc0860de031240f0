"""Pictures of a forecast and of alarms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqkit.data.dataset import Series, as_written

TRUTH, FORECAST, DIVIDER = "#30343f", "#d1495b", "#9aa0ab"
MOST_TICKS = 9
NICE_STEPS = [factor * 10**power for power in range(9) for factor in (1, 2, 5)]


def draw_forecast(path: Path, series: Series, forecast: np.ndarray, title: str) -> None:
    """Write a PNG of the end of a series and the forecasts of its held-out part.

    Parameters
    ----------
    path : Path
        The file to write.
    series : Series
        The whole series; as much of it is shown before the held-out part as that part is long.
    forecast : ndarray, (holdout,)
        Forecasts of its last values.
    title : str
        Text above the picture.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    from matplotlib.figure import Figure  # its default canvas is Agg: no window, no display

    size = len(series.values)
    split = size - len(forecast)
    shown = max(split - len(forecast), 0)
    figure = Figure(figsize=(9, 4), layout="constrained")
    axes = figure.subplots()
    axes.axvline(split - 0.5, color=DIVIDER, linewidth=1, linestyle=":")
    axes.plot(range(shown, size), series.values[shown:], color=TRUTH, linewidth=1.4, label="truth")
    axes.plot(range(split, size), forecast, color=FORECAST, linewidth=1.8, label="forecast")
    axes.text(split, 1, "held out →", transform=axes.get_xaxis_transform(), va="top", color=DIVIDER)
    _finish(axes, series, shown, title)
    figure.savefig(path, dpi=150)


def draw_alarms(
    path: Path, series: Series, scores: np.ndarray, threshold: float, spans: Sequence[tuple[int, int]]
) -> None:
    """Write a PNG of a series, below it the scores of its values, and alarms shaded in both.

    Parameters
    ----------
    path : Path
        The file to write.
    series : Series
    scores : ndarray, (T,)
    threshold : float
        Drawn as a line among the scores.
    spans : sequence of (int, int)
        First value of every alarm and the one after its last.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.5), layout="constrained")
    above, below = figure.subplots(2, sharex=True, height_ratios=(2, 1))
    for start, end in spans:
        for axes in (above, below):
            axes.axvspan(start - 0.5, end - 0.5, color=FORECAST, alpha=0.2, linewidth=0)
    above.plot(series.values, color=TRUTH, linewidth=0.9, label="value")
    below.plot(scores, color=FORECAST, linewidth=0.9)
    below.axhline(threshold, color=DIVIDER, linewidth=1, linestyle=":")
    below.set_ylabel("score")
    _finish(above, series, 0, f"{series.column}, alarms: {len(spans)}")
    for label in below.get_xticklabels():  # dates are long
        label.set(rotation=20, horizontalalignment="right")
    figure.savefig(path, dpi=150)


def _finish(axes: Any, series: Series, shown: int, title: str) -> None:
    """Title, labels, and the names of the rows along the bottom."""
    size = len(series.values)
    step = next(step for step in NICE_STEPS if step * MOST_TICKS >= size - shown)
    first = series.index[shown]
    start = shown + (-int(first) % step if first.isdecimal() else 0)  # years at round numbers
    ticks = range(start, size, step)
    axes.set_xticks(ticks, [as_written(series.index[tick]) for tick in ticks])
    axes.set_ylabel(as_written(series.column))
    axes.set_title(as_written(title), loc="left", fontsize=10)
    axes.legend(frameon=False, loc="upper left")
    axes.grid(axis="y", color="#e6e8ec", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.01)
