"""``seqkit bench``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import click

from seqkit import registry
from seqkit._core import threads as using_threads
from seqkit.bench.cases import MODES, Case, grid
from seqkit.bench.check import TOLERANCE
from seqkit.bench.machine import peak, processor
from seqkit.bench.peers import WORKERS, Peer, start
from seqkit.bench.run import QUICK, Effort, Row, run
from seqkit.cli.console import print_json, print_table
from seqkit.cli.info import environment
from seqkit.cli.options import POSITIVE, layer_name

SCHEMA = "seqkit.bench/1"
PEERS = ",".join(WORKERS)
SHORT = {"onnxruntime": "ort"}
"""Names of peers that are too long for a heading."""

WIDTHS = {
    "B": 3, "T": 4, "I": 4, "H": 4, "time_ms": 7, "spread_pct": 10, "steps/s": 8, "GFLOP/s": 7, "pct_of_peak": 11,
}  # fmt: skip
"""Columns of numbers."""

Facts = dict[str, Any]


def cell_names(ctx: click.Context, param: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    """Registered cells; anything else is wrong usage."""
    for name in names:
        if not registry.is_cell(str(layer_name(ctx, param, name))):
            raise click.BadParameter(f"{name!r} is not a recurrent cell; choose one such as lstm or gru.")
    return names


def peer_names(ctx: click.Context, param: click.Parameter, text: str) -> list[str]:
    """Names of peers, separated by commas."""
    if text in ("auto", "none"):
        return list(WORKERS) if text == "auto" else []
    names = [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in WORKERS]
    if unknown:
        raise click.BadParameter(f"there is no peer {unknown[0]!r}; choose from {', '.join(WORKERS)}, or auto or none.")
    return list(dict.fromkeys(names))


several = partial(click.option, multiple=True)


@click.command()
@several("--cell", "cells", callback=cell_names, metavar="NAME", help="Cell to measure.  [default: all]")
@several("--mode", "modes", type=click.Choice(MODES), default=MODES, help="What to time.  [default: all]")
@several("--batch", type=POSITIVE, help="Sequences of a call, B.")
@several("--time", type=POSITIVE, help="Steps of a sequence, T.")
@several("--features", type=POSITIVE, help="Input features, I.  [default: as many as units]")
@several("--units", type=POSITIVE, help="Units, H.")
@click.option("--bidirectional", is_flag=True, help="Read sequences from their end, too.")
@click.option("--dtype", type=click.Choice(list(TOLERANCE)), default="float32", show_default=True)
@click.option("--threads", type=POSITIVE, help="Threads of seqkit and of its peers.  [default: all processors]")
@click.option("--against", metavar="PEERS", default="auto", callback=peer_names, help=f"{PEERS}; none; or auto: all.")
@click.option("--quick", is_flag=True, help="Small sizes and little time: to see that it works.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def bench(threads: int | None, against: list[str], quick: bool, as_json: bool, **choices: Any) -> None:
    """Measure the speed of recurrent cells.

    \b
    Modes:  infer  outputs of whole sequences
            train  outputs, then the gradients of all weights
            step   one step of a stream

    Without sizes, a small grid is measured; options for sizes, cells and modes may be
    repeated, and all combinations are measured.  Every result is compared with the
    equations before it is timed.  PyTorch and ONNX Runtime, where they are installed,
    get the same weights and data, and their results are compared too.
    """
    choices["cells"] = choices["cells"] or all_cells()
    cases = grid(quick=quick, **choices)
    if not cases:
        raise click.UsageError("--bidirectional and --mode step exclude each other: a stream has no end to start from.")
    with using_threads(threads):
        measure(cases, against, QUICK if quick else Effort(), as_json)


def measure(cases: list[Case], against: list[str], effort: Effort, as_json: bool) -> None:
    """Measure cases and print them."""
    machine = {"processor": processor(), **environment()}
    with start(against, machine["threads"]) as (peers, missing):
        for name, reason in missing.items():
            remark(f"{name} is left out: {reason}")
        peaks = {dtype: peak(dtype) for dtype in {case.dtype for case in cases}}
        rows = run(cases, peers, peaks, effort)
        if as_json:
            print_json(document(machine, peers, peaks, list(rows)))
            return
        print_table(heading(machine, peers, peaks, cases[0].bidirectional))
        table = Table(cases, [peer.name for peer in peers])
        for row in rows:
            table.add(row)


def all_cells() -> list[str]:
    """Every registered cell; a remark about those that cannot be imported."""
    entries = registry.entries()
    for entry in entries:
        if entry.error:
            remark(f"{entry.name} is left out: {entry.error}")
    return [entry.name for entry in entries if not entry.error and registry.is_cell(entry.name)]


def remark(text: str) -> None:
    """Say something that is not a result."""
    click.echo(text, err=True)


def document(machine: Facts, peers: Sequence[Peer], peaks: dict[str, float], rows: Sequence[Row]) -> Facts:
    """All that is known about a run, for JSON."""
    return {
        "schema": SCHEMA,
        "environment": machine,
        "peers": {peer.name: peer.version for peer in peers},
        "peak_GFLOP_per_s": peaks,
        "tolerance": TOLERANCE,
        "results": [row.facts() for row in rows],
    }


def heading(machine: Facts, peers: Sequence[Peer], peaks: dict[str, float], both: bool) -> list[tuple[str, str]]:
    """What the figures were taken on, and how to read them."""
    lines = [(name.replace("_", " "), str(machine[name])) for name in ("processor", "instruction_set", "threads")]
    for dtype, value in peaks.items():
        lines.append(("peak", f"{value:.0f} GFLOP/s {dtype}, multiply-adds on registers alone"))
    directions = ", in each of two directions" if both else ""
    lines.append(("sizes", f"B sequences, T steps, I input features, H units{directions}"))
    if peers:
        versions = ", ".join(peer.version for peer in peers)
        lines += [("beside", versions), ("ratio", "their time / seqkit's time: above 1, seqkit is faster")]
    return lines


def short(peer: str) -> str:
    """A peer's name in a heading."""
    return SHORT.get(peer, peer)


class Table:
    """Prints rows as they come, under headings with units."""

    def __init__(self, cases: Sequence[Case], peers: Sequence[str]) -> None:
        self._peers = peers
        self._name_width = max(len("cell"), *(len(case.cell) for case in cases))
        headings = ["cell", "mode", *WIDTHS]
        for peer in peers:
            headings += [f"{short(peer)}_ms", f"{short(peer)}_ratio"]
        self._widths = [WIDTHS.get(name, max(7, len(name))) for name in headings[2:]]
        self._print(headings)

    def add(self, row: Row) -> None:
        """Print a row."""
        case, timing = row.case, row.timing
        cells = [case.cell, case.mode, *map(str, (case.batch, case.time, case.features, case.units))]
        cells += [digits(1e3 * timing.median), f"{timing.spread_pct:.1f}", f"{row.steps_per_s:.0f}"]
        cells += [f"{row.gflop_per_s:.1f}", f"{row.pct_of_peak:.1f}"]
        for peer in self._peers:
            cells += self._beside(row, peer)
        self._print(cells)

    @staticmethod
    def _beside(row: Row, peer: str) -> list[str]:
        """The peer's time and ratio; or what is wrong, or "-" where it has no such cell or mode."""
        rival, ratio = row.rivals[peer], row.ratio(peer)
        if rival.timing is not None and ratio is not None:
            return [digits(1e3 * rival.timing.median), f"{ratio:.2f}"]
        if rival.status == "failed":
            remark(f"{peer} failed at {row.case}: {rival.reason}")
        return ["-" if rival.status == "unsupported" else rival.status, "-"]

    def _print(self, cells: Sequence[str]) -> None:
        numbers = " ".join(cell.rjust(width) for cell, width in zip(cells[2:], self._widths, strict=True))
        click.echo(f"{cells[0]:<{self._name_width}} {cells[1]:<5} {numbers}")


def digits(value: float) -> str:
    """A time in at most seven characters: four significant digits, three of very short ones.

    Examples
    --------
    >>> digits(0.0123), digits(0.0034567), digits(12345.6)
    ('0.01230', '0.00346', '12346')
    """
    if value >= 1000:
        return f"{value:.0f}"
    return f"{value:#.4g}" if value >= 0.01 else f"{value:#.3g}"
