"""A run for people: tables, and where seqkit stands beside each peer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seqkit.bench.cases import Case
from seqkit.bench.compare import Comparison
from seqkit.bench.figures import Row, Standing

SHORT = {"onnxruntime": "ort"}
"""Names of peers that are too long for a heading."""
RARE = {"precision": "precision", "threads": "threads", "directions": "dirs", "ragged": "ragged"}
"""Attributes of cases that are a column only where they differ, and its heading."""
SIZES = {"batch": "B", "time": "T", "features": "I", "units": "H"}
FIGURES = ("time_ms", "p99_ms", "spread_pct", "seq/s", "steps/s", "GFLOP/s", "GB/s", "limit", "pct_of_limit", "peak_MB")
WIDTHS = {"time_ms": 8, "p99_ms": 8, "seq/s": 9, "steps/s": 9}
WIDEST_RATIO = len("99.99 (99.99-99.99)")


def common(cases: Sequence[Case]) -> dict[str, str]:
    """What all cases have in common, by its heading, and is therefore no column."""
    values = {name: {str(getattr(case, name)) for case in cases} for name in RARE}
    return {RARE[name]: found.pop() for name, found in values.items() if len(found) == 1}


class Table:
    """Lines under headings, of a width known before the first figure is."""

    def __init__(self, cases: Sequence[Case], columns: Sequence[tuple[str, int]]) -> None:
        shown = common(cases)
        self._axes = ["cell", "mode", *(name for name, heading in RARE.items() if heading not in shown), *SIZES]
        headings = [RARE.get(name, SIZES.get(name, name)) for name in self._axes]
        widths = [max(len(str(getattr(case, name))) for case in cases) for name in self._axes] + [w for _, w in columns]
        self._headings = headings + [name for name, _ in columns]
        self._widths = [max(pair) for pair in zip(map(len, self._headings), widths, strict=True)]

    @property
    def heading(self) -> str:
        """The first line."""
        return self._line(self._headings)

    def line(self, case: Case, figures: Sequence[str]) -> str:
        """A case and its figures."""
        return self._line([*(str(getattr(case, name)) for name in self._axes), *figures])

    def _line(self, cells: Sequence[str]) -> str:
        first = [cell.ljust(width) for cell, width in zip(cells[:2], self._widths[:2], strict=True)]
        numbers = [cell.rjust(width) for cell, width in zip(cells[2:], self._widths[2:], strict=True)]
        return " ".join(first + numbers)


def own_table(cases: Sequence[Case]) -> Table:
    """The table of seqkit's own figures."""
    return Table(cases, [(name, WIDTHS.get(name, 6)) for name in FIGURES])


def own_figures(row: Row) -> list[str]:
    """A line of the first table; a tail only where every call was timed alone."""
    timing = row.timing
    return [
        digits(1e3 * timing.median), digits(1e3 * timing.p99) if row.case.mode == "streams" else "-",
        f"{timing.spread_pct:.1f}", digits(row.sequences_per_s), digits(row.steps_per_s),
        f"{row.gflop_per_s:.1f}", f"{row.gb_per_s:.1f}", row.bound.name, f"{row.pct_of_limit:.1f}",
        "-" if row.memory is None else f"{row.memory:.1f}",
    ]  # fmt: skip


def ratio_table(cases: Sequence[Case], peers: Sequence[str]) -> Table:
    """The table of the peers' figures."""
    columns = [("time_ms", WIDTHS["time_ms"])]
    for peer in peers:
        columns += [
            (f"{SHORT.get(peer, peer)}_ms", WIDTHS["time_ms"]),
            (f"{SHORT.get(peer, peer)}_ratio", WIDEST_RATIO),
        ]
    return Table(cases, columns)


def ratio_figures(row: Row, peers: Sequence[str]) -> list[str]:
    """A line of the second table: what is wrong stands in place of a time, "-" where there is no such cell or mode."""
    figures = [digits(1e3 * row.timing.median)]
    for peer in peers:
        rival, ratio = row.rivals[peer], row.ratio(peer)
        if rival.timing and ratio:
            figures += [digits(1e3 * rival.timing.median), str(ratio)]
        else:
            figures += ["-" if rival.status == "unsupported" else rival.status, "-"]
    return figures


def standing_lines(standing: Standing) -> Iterator[str]:
    """Mean, worst case, and every case that is lost."""
    case, ratio = standing.worst
    total, peer = len(standing.ratios), standing.peer
    undecided = total - standing.faster - standing.slower
    yield f"{peer}: geometric mean {standing.mean:.2f} of {total} case{'s' * (total > 1)}"
    yield f"  seqkit is faster in {standing.faster}, {peer} in {standing.slower}, undecided {undecided}"
    yield f"  worst {ratio}: {case}"
    if standing.losses:
        yield "  below 1:"
    for case, ratio in standing.losses.items():
        yield f"    {ratio}: {case}" + (" (undecided)" if ratio.high >= 1 else "")


def comparison_lines(comparison: Comparison) -> Iterator[str]:
    """Every case in both runs: new time / old time, as measured and in units of each run's peak."""
    yield from comparison.remarks
    columns = [("new/old", WIDEST_RATIO), ("normalised", WIDEST_RATIO)]
    table = Table([change.case for change in comparison.changes], columns)
    yield table.heading
    for change in comparison.changes:
        yield table.line(change.case, [str(change.time), str(change.normalised)])


def digits(value: float) -> str:
    """A number of at least 0.0001 in at most eight characters: four significant digits, fewer of very small ones.

    Examples
    --------
    >>> digits(0.0123), digits(0.0034567), digits(0.0005), digits(12345.6)
    ('0.01230', '0.00346', '0.00050', '12346')
    """
    if value >= 1000:
        return f"{value:.0f}"
    return f"{value:#.4g}" if value >= 0.01 else f"{value:.5f}"
