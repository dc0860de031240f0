"""Figures: gates as traffic lights along a sequence, how far back a model looks, how long its units remember.

Legend: T time, U units, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqkit.data.dataset import as_written
from seqkit.errors import ConfigError
from seqkit.explain.attribution import integrated_gradients
from seqkit.explain.batch import Batch
from seqkit.explain.by_lag import Lags
from seqkit.explain.findings import Summary
from seqkit.explain.recording import tape
from seqkit.explain.subject import Subject
from seqkit.explain.summaries import names_of, summary
from seqkit.layer import Layer
from seqkit.model import Sequential

OPEN, SIGNED = "viridis", "RdBu"
INK, SOFT, LINE = "#30343f", "#5b6475", "#d9dde4"
SERIES = ("#30343f", "#2f6db5", "#c2571a", "#2e8b57", "#8a4fb0", "#a8871a")
MOST_LINES = 6
MOST_LETTERS = 90


def figure(
    model: Sequential | Layer,
    x: Any,
    path: str | Path | None = None,
    *,
    layer: str | None = None,
    names: Sequence[str] | None = None,
    lengths: Any = None,
    sequence: int = 0,
    text: Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    inputs: np.ndarray | None = None,
    target: int | None = None,
    found: Summary | None = None,
) -> Any:
    """Draw the input, its saliency, and gates and states of one layer over the time of one sequence.

    Units stand in the order of their half-lives, the longest on top; gates are dark where they are closed and bright
    where they are open.

    Parameters
    ----------
    model : Sequential or Layer
    x : array (B, T, F), ids (B, T), or list of sequences
    path : path-like, optional
        Where to save the figure; its ending says how.
    layer : str, optional
        Place and direction, "0.forward"; by default the first.
    names : sequence of str, optional
        Values of the layer; all by default.
    lengths, sequence, text, features, inputs, target, found
        As for :func:`~seqkit.explain.page`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ConfigError
        If there is no such sequence, layer or value.
    ImportError
        If matplotlib is not installed.
    """
    from matplotlib.figure import Figure  # its default canvas is Agg: no window, no display

    subject = Subject(model)
    batch = Batch.of(subject.model, x, lengths)
    one = batch.one(sequence, "figure")
    labels = names_of(batch, features)
    known = summary(model, batch, features=labels, lags=False) if found is None else found
    told = next((each for each in known.layers if layer in (None, each.layer)), None)
    if told is None:
        layers = ", ".join(each.layer for each in known.layers)
        raise ConfigError(f"figure: there is no recurrent layer {layer!r}; there are {layers or 'none'}.")
    chosen = None if names is None else [f"{told.layer}.{name}" for name in names]
    values = tape(model, one, chosen).of_layer(told.layer)
    importance = integrated_gradients(model, one, target).by_step[0]
    shown = None if one.ids else np.asarray(one.x[0] if inputs is None else inputs)
    heights = [1.1] * (shown is not None) + [0.25] + [1.0] * len(values)
    drawn = Figure(figsize=(9, 0.6 + 0.95 * sum(heights)), layout="constrained")
    grid = drawn.subplots(len(heights), 2, gridspec_kw={"height_ratios": heights, "width_ratios": (60, 1)})
    rows = iter(grid)
    if shown is not None:
        _draw_input(next(rows), shown, labels)
    _draw_saliency(next(rows), importance)
    for name, value in values.items():
        _draw_value(next(rows), value[0], name, told.ranked() if value.shape[2] == len(told.activity) else None)
    _finish(grid[:, 0], text, one)
    title = as_written(f"{told.layer}: {told.cell}, {len(told.activity)} units")
    drawn.suptitle(title, x=0.01, ha="left", fontsize=10, color=INK)
    return _saved(drawn, path)


def figure_of_lags(lags: Lags, path: str | Path | None = None) -> Any:
    """Draw gradient norms by lag, on a logarithmic scale, and up to where 90 % of their sum lies."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(6, 3.2), layout="constrained")
    axes = drawn.subplots()
    axes.semilogy(lags.norm, color=SERIES[1], linewidth=1.6)
    reach = lags.reach(0.9)
    axes.axvline(reach, color=SERIES[2], linewidth=1, linestyle=":")
    axes.text(
        reach, 1.01, f"90 % within {reach} steps", transform=axes.get_xaxis_transform(), color=SERIES[2], ha="center"
    )
    axes.set_xlabel("lag k, steps before the last one")
    axes.set_ylabel(r"mean of $\|\partial y_T / \partial x_{T-k}\|$")
    _plain(axes)
    return _saved(drawn, path)


def figure_of_half_lives(found: Summary, path: str | Path | None = None) -> Any:
    """Draw how long the units of each layer remember, as a histogram over powers of two of steps."""
    from matplotlib.figure import Figure

    known = {as_written(f"{layer.layer} ({layer.kept_by})"): layer.half_life for layer in found.layers}
    lives = {name: np.clip(half, 2.0**-4, 2.0**20) for name, half in known.items() if half is not None}
    if not lives:
        raise ConfigError("figure: no layer has a gate that keeps its state, so there are no half-lives.")
    powers = np.log2(np.concatenate(list(lives.values())))
    edges = 2.0 ** np.arange(np.floor(powers.min()), np.floor(powers.max()) + 2)
    drawn = Figure(figsize=(6, 3.2), layout="constrained")
    axes = drawn.subplots()
    colours = [SERIES[1 + n % (len(SERIES) - 1)] for n in range(len(lives))]
    axes.hist(list(lives.values()), bins=edges.tolist(), rwidth=0.9, label=list(lives), color=colours)
    axes.set_xscale("log", base=2)
    axes.set_xlabel("half-life, steps")
    axes.set_ylabel("units")
    axes.legend(frameon=False, fontsize=8)
    _plain(axes)
    return _saved(drawn, path)


def _draw_input(row: Any, values: np.ndarray, names: Sequence[str]) -> None:
    axes, bar = row
    if values.shape[1] > MOST_LINES:
        most = np.abs(values).max() or 1.0
        image = axes.imshow(values.T, aspect="auto", cmap=SIGNED, vmin=-most, vmax=most, interpolation="nearest")
        _scale(image, axes, bar)
        axes.set_yticks([])
        axes.set_ylabel("input", color=SOFT)
        return
    bar.axis("off")
    for column, name in enumerate(names):
        axes.plot(values[:, column], color=SERIES[column], linewidth=1.3, label=as_written(name))
    axes.legend(frameon=False, loc="upper right", ncols=MOST_LINES, fontsize=7, borderpad=0, bbox_to_anchor=(1, 1.22))
    axes.set_ylabel("input", color=SOFT)
    axes.margins(y=0.08)
    axes.spines[["top", "right", "bottom"]].set_visible(False)


def _draw_saliency(row: Any, importance: np.ndarray) -> None:
    axes, bar = row
    most = np.abs(importance).max() or 1.0
    axes.imshow(importance[None], aspect="auto", cmap=SIGNED, vmin=-most, vmax=most, interpolation="nearest")
    bar.axis("off")
    axes.set_yticks([])
    axes.set_ylabel("saliency", rotation=0, ha="right", va="center", color=SOFT)


def _draw_value(row: Any, value: np.ndarray, name: str, ranked: np.ndarray | None) -> None:
    axes, bar = row
    rows = value.T if ranked is None else value.T[ranked]
    gate = bool(value.min() >= 0 and value.max() <= 1)
    most = np.abs(value).max() or 1.0
    limits = (0.0, 1.0) if gate else (-most, most)
    image = axes.imshow(
        rows, aspect="auto", cmap=OPEN if gate else SIGNED, vmin=limits[0], vmax=limits[1], interpolation="nearest"
    )
    _scale(image, axes, bar)
    axes.set_yticks([])
    axes.set_ylabel(name, rotation=0, ha="right", va="center", color=INK, fontsize=11)


def _scale(image: Any, axes: Any, bar: Any) -> None:
    scale = axes.figure.colorbar(image, cax=bar)
    scale.outline.set_visible(False)
    bar.tick_params(labelsize=7, length=2, colors=SOFT)


def _finish(columns: Sequence[Any], text: Sequence[str] | None, one: Batch) -> None:
    """One axis of time under all."""
    time = int(one.lengths[0])
    for axes in columns:
        axes.set_xlim(-0.5, time - 0.5)
        axes.tick_params(labelsize=7, colors=SOFT, length=2)
        axes.set_xticks([])
        axes.spines[:].set_edgecolor(LINE)
    last = columns[-1]
    if text is not None and time <= MOST_LETTERS:
        letters = [{" ": "␣", "\n": "↵"}.get(token, as_written(token)) for token in text]
        last.set_xticks(range(time), letters, rotation=0 if max(map(len, text)) == 1 else 90, family="monospace")
    else:
        step = next(n for n in (1, 2, 5, 10, 20, 50, 100, 200, 500, 10**3, 10**4, 10**5, 10**9) if n * 12 >= time)
        last.set_xticks(range(0, time, step))
        last.set_xlabel("step", color=SOFT, fontsize=8)


def _plain(axes: Any) -> None:
    axes.grid(axis="y", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=SOFT)


def _saved(drawn: Any, path: str | Path | None) -> Any:
    if path is not None:
        drawn.savefig(path, dpi=150)
    return drawn
