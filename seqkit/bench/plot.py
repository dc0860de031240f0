"""A picture of a run: how near each case is to the limits of the machine, and time against units.

It is drawn from the JSON document of a run, so a saved one can be drawn too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from seqkit.bench.report import SHORT, SIZES

COLORS = ("#2f5d8a", "#d1495b", "#3b8f6b", "#c98a1b", "#7a5aa6", "#4c4f57")
"""Of cells, in turn."""
MARKERS = {"infer": "o", "train": "s", "step": "^", "streams": "D"}
OWN = ("-", "o", 1.6)
PEERS: tuple[tuple[Any, str, float], ...] = (
    ("--", "x", 1.0), (":", "+", 1.2), ("-.", "v", 0.8), ((0, (6, 1, 1, 1, 1, 1)), "1", 0.8), ((0, (1, 3)), "d", 0.8),
)  # fmt: skip
"""Line, mark and width of seqkit and of the peers, in turn."""
INK, GRID = "#30343f", "#e6e8ec"
APART = 1.4
"""Ratio of bandwidths, or of peaks, that are drawn as lines of their own."""
OTHERS = ("batch", "time", "directions", "ragged", "precision", "threads")
"""What tells two lines of a cell and mode apart."""

Result = Mapping[str, Any]


def draw(path: Path, document: Mapping[str, Any]) -> None:
    """Write a PNG: the roofline, and for each mode the time of a call against units.

    Parameters
    ----------
    path : Path
        The file to write.
    document : mapping
        A run, as ``seqkit bench --json`` prints it.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    from matplotlib.figure import Figure  # its default canvas is Agg: no window, no display

    results, machine = document["results"], document["environment"]
    modes = list(dict.fromkeys(row["mode"] for row in results))
    cells = dict.fromkeys(row["cell"] for row in results)
    colors = dict(zip(cells, COLORS * len(cells), strict=False))
    panels = 1 + len(modes)
    columns = 2 if panels in (2, 4) else 3
    rows = -(-panels // columns)
    figure = Figure(figsize=(6 * columns, 4.8 * rows + 0.4), layout="constrained")
    roof, *others = (figure.add_subplot(rows, columns, place) for place in range(1, panels + 1))
    _roofline(roof, results, colors)
    competitors = {"": OWN, **dict(zip(document["peers"], PEERS * len(results), strict=False))}
    for axes, mode in zip(others, modes, strict=True):
        _latency(axes, [row for row in results if row["mode"] == mode], colors, competitors)
        axes.set_title(f"{mode}: time of a call", loc="left", fontsize=10)
    _legend(figure, colors, modes, competitors)
    figure.suptitle(f"seqkit {machine['seqkit']} on {machine['processor']}, {machine['instruction_set']}", fontsize=11)
    figure.savefig(path, dpi=150)


def _roofline(axes: Any, results: Sequence[Result], colors: Mapping[str, str]) -> None:
    """GFLOP/s against operations per byte, under the peaks and the bandwidths that were probed."""
    intensity = [row["GFLOP_per_s"] / row["GB_per_s"] for row in results]
    left, right = min(intensity) / 6, max(intensity) * 4
    top = max(row["peak_GFLOP_per_s"] for row in results)
    for value in _distinct([row["peak_GFLOP_per_s"] for row in results]):
        axes.axhline(value, color=INK, linewidth=1)
        axes.text(right, value * 1.05, f"{value:.0f} GFLOP/s", ha="right", va="bottom", fontsize=8, color=INK)
    for value in _distinct([row["bandwidth_GB_per_s"] for row in results]):
        end = min(top / value, right)
        axes.plot([left, end], [left * value, end * value], color=INK, linewidth=0.8, linestyle="--")
        below = {"textcoords": "offset points", "va": "top", "fontsize": 8, "color": INK}
        axes.annotate(f"{value:.0f} GB/s", (left, left * value), (9, 3), **below)
    _points(axes, results, intensity, colors)
    axes.set(xscale="log", yscale="log", xlim=(left, right), ylim=(None, top * 2))
    axes.set(xlabel="operations per byte of weights read", ylabel="GFLOP/s")
    axes.set_title("roofline: larger marks have more units, lines lead to the limit", loc="left", fontsize=10)
    _tidy(axes)


def _distinct(values: Sequence[float]) -> list[float]:
    """The largest value, and others that are well apart from it and from each other."""
    kept: list[float] = []
    for value in sorted(set(values), reverse=True):
        if not kept or kept[-1] / value > APART:
            kept.append(value)
    return kept


def _points(axes: Any, results: Sequence[Result], intensity: Sequence[float], colors: Mapping[str, str]) -> None:
    """A mark for each case, cells side by side, and a line up to what the machine would allow."""
    cells, units = list(colors), sorted({row["units"] for row in results})
    for x, row in zip(intensity, results, strict=True):
        color, size = colors[row["cell"]], 4 + 5 * (units.index(row["units"]) + 1) / len(units)
        aside = x * 1.09 ** (cells.index(row["cell"]) - (len(cells) - 1) / 2)
        limit = row["GFLOP_per_s"] * 100 / row["pct_of_limit"]
        axes.plot([aside, aside], [row["GFLOP_per_s"], limit], color=color, linewidth=0.8, alpha=0.4)
        axes.plot(aside, row["GFLOP_per_s"], MARKERS[row["mode"]], color=color, markersize=size, markeredgecolor="w")


def _latency(axes: Any, results: Sequence[Result], colors: Mapping[str, str], competitors: Mapping[str, Any]) -> None:
    """A line for each cell and competitor, and for each combination of everything else but units."""
    varying = [name for name in OTHERS if len({row[name] for row in results}) > 1]
    for rows in _series(results):
        color = colors[rows[0]["cell"]]
        for name, (line, mark, width) in competitors.items():
            points = [(row["units"], time) for row in rows if (time := _time(row, name)) is not None]
            x, y = zip(*points, strict=True) if points else ((), ())
            axes.plot(x, y, linestyle=line, marker=mark, color=color, linewidth=width, markersize=5)
        words = " ".join(f"{SIZES.get(name, '')}{rows[-1][name]}" for name in varying)
        axes.annotate(
            words, (rows[-1]["units"], rows[-1]["time_ms"]), (5, 0), textcoords="offset points", fontsize=8, va="center"
        )
    axes.set(xscale="log", yscale="log", xlabel="units", ylabel="ms")
    units = sorted({row["units"] for row in results})
    axes.set_xticks(units, [str(number) for number in units])
    axes.set_xticks([], minor=True)
    axes.margins(x=0.12)
    _tidy(axes)


def _time(row: Result, peer: str) -> float | None:
    """The time of seqkit, "", or of a peer in ms."""
    found = row["peers"].get(peer, {}) if peer else row
    time: float | None = found.get("time_ms")
    return time


def _series(results: Sequence[Result]) -> Iterator[list[Result]]:
    """Rows that differ only in units, and in features where those are as many."""

    def key(row: Result) -> tuple[str, ...]:
        features = "" if row["features"] == row["units"] else str(row["features"])
        return (row["cell"], *(str(row[name]) for name in OTHERS), features)

    for _, rows in groupby(sorted(results, key=key), key):
        yield sorted(rows, key=lambda row: row["units"])


def _legend(figure: Any, colors: Mapping[str, str], modes: Sequence[str], competitors: Mapping[str, Any]) -> None:
    """Colors of cells, marks of modes, lines of competitors."""
    from matplotlib.lines import Line2D

    handles = [Line2D([], [], color=color, linewidth=3, label=cell) for cell, color in colors.items()]
    handles += [Line2D([], [], color=INK, marker=MARKERS[mode], linestyle="", label=mode) for mode in modes]
    handles += [
        Line2D([], [], color=INK, linestyle=line, marker=mark, linewidth=width, label=SHORT.get(name, name) or "seqkit")
        for name, (line, mark, width) in competitors.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=9)


def _tidy(axes: Any) -> None:
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
