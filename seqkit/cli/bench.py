"""``seqkit bench``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from seqkit import _core, catalog, registry
from seqkit.bench.cases import Case, grid
from seqkit.bench.check import TOLERANCE
from seqkit.bench.compare import SCHEMA, Comparison, compare, load_run, save_run
from seqkit.bench.figures import Facts, Row, ratio_facts, standings
from seqkit.bench.limits import Limits, processor
from seqkit.bench.peers import start
from seqkit.bench.report import (
    common,
    comparison_lines,
    own_figures,
    own_table,
    ratio_figures,
    ratio_table,
    standing_lines,
)  # fmt: skip
from seqkit.bench.run import QUICK, Effort, check, run
from seqkit.cli.bench_options import against, axes, outputs
from seqkit.cli.console import print_json, print_table
from seqkit.cli.info import environment

SLOWER = 3
"""Exit code where a case is slower than ``--fail-above`` allows."""


@dataclass
class Run:
    """What has been measured so far."""

    effort: Effort
    limits: Limits = field(default_factory=Limits)
    machine: Facts = field(default_factory=lambda: {"processor": processor(), **environment()})
    versions: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)

    def document(self) -> Facts:
        """All that is known, for JSON."""
        return {
            "schema": SCHEMA,
            "environment": self.machine,
            "effort": asdict(self.effort),
            "limits": self.limits.facts(),
            "tolerance": TOLERANCE,
            "peers": self.versions,
            "results": [row.facts() for row in self.rows],
            "standings": {standing.peer: standing.facts() for standing in standings(self.rows, self.versions)},
        }


@click.command()
@axes
@against
@click.option("--quick", is_flag=True, help="Small sizes and little time: to see that it works.")
@outputs
@click.pass_context
def bench(
    ctx: click.Context, against: list[str], quick: bool, as_json: bool, save: Path | None, old: Path | None,
    fail_above: float | None, plot: Path | None, **choices: Any,
) -> None:  # fmt: skip
    """Measure the speed of recurrent cells.

    \b
    Modes:  infer  outputs of whole sequences
            train  outputs, then the gradients of all weights
            step   one step of a batch, the state carried along
            streams  one step of a random half of B open streams

    Without sizes, a small grid is measured.  Options for cells, modes, sizes and the like
    take several values, repeated or separated by commas, and all combinations are measured.
    Every result is compared with the equations before anything is timed.  Other libraries,
    where they are installed, get the same weights and data, and their results are compared
    too.

    Exit codes: 1 a result is wrong, or nothing can be compared; 3 --fail-above.

    \b
    Examples:
      seqkit bench --quick --against none
      seqkit bench --cell lstm,gru --batch 1,32 --units 64 --threads 1,2 --quick
      seqkit bench --cell lstm --quick --save before.json
    """
    if fail_above is not None and old is None:
        raise click.UsageError("--fail-above needs --compare FILE: a run to be slower than.")
    choices["cells"] = choices["cells"] or all_cells()
    choices["threads"] = choices["threads"] or [_core.num_threads()]
    cases = grid(quick=quick, **choices)
    if not cases:
        raise click.UsageError("nothing is left to measure: a stream has no lengths and no end to start from.")
    before = load_run(old) if old else None
    done = measure(cases, against, QUICK if quick else Effort(), as_json)
    document = done.document()
    if save:
        save_run(save, document)
    comparison = compare(before, document) if before else None
    if as_json:
        print_json(document | ({"comparison": facts_of(comparison)} if comparison else {}))
    elif comparison:
        print_lines("", f"beside {old}: new time / old time, above 1 is slower", *comparison_lines(comparison))
    if plot:
        from seqkit.bench.plot import draw

        draw(plot, document)
    if comparison and fail_above is not None:
        ctx.exit(verdict(comparison, fail_above))


def measure(cases: list[Case], peers: list[str], effort: Effort, quiet: bool) -> Run:
    """Check all cases, then measure them, and print figures as they come unless `quiet`."""
    errors = check(cases)
    done, table = Run(effort), own_table(cases)
    if not quiet:
        print_table(heading(done, cases))
        print_lines(table.heading)
    for threads, group in groupby(cases, lambda case: case.threads):
        with start(peers, threads) as (present, missing):
            done.versions |= {peer.name: peer.version for peer in present}
            remark_missing(done, missing)
            for row in run({case: errors[case] for case in group}, present, done.limits, effort):
                done.rows.append(row)
                remark_failures(row)
                if not quiet:
                    print_lines(table.line(row.case, own_figures(row)))
    if not quiet and done.versions:
        print_beside(done)
    return done


def heading(done: Run, cases: list[Case]) -> list[tuple[str, str]]:
    """What the figures are taken on, and how to read them."""
    lines = [("processor", done.machine["processor"]), ("instruction set", done.machine["instruction_set"])]
    for precision, threads in dict.fromkeys((case.precision, case.threads) for case in cases):
        value = done.limits.peak(precision, threads)
        lines.append(("peak", f"{value:.0f} GFLOP/s {precision} with {threads} thread{'s' * (threads > 1)}"))
    lines.append(("all cases", ", ".join(f"{name} {value}" for name, value in common(cases).items())))
    return [*lines, ("sizes", "B sequences, T steps, I input features, H units")]


def print_beside(done: Run) -> None:
    """The peers' figures, and where seqkit stands."""
    names = [name for name in done.versions if any(row.rivals[name].status != "unsupported" for row in done.rows)]
    for name in done.versions.keys() - names:
        remark(f"{name} is left out: it runs none of these cases")
    if not names:
        return
    table = ratio_table([row.case for row in done.rows], names)
    print_lines("", f"beside {', '.join(done.versions[name] for name in names)}")
    print_lines("ratio: their time / seqkit's time with its interval; above 1, seqkit is faster", table.heading)
    print_lines(*(table.line(row.case, ratio_figures(row, names)) for row in done.rows), "")
    for standing in standings(done.rows, names):
        print_lines(*standing_lines(standing))


def all_cells() -> list[str]:
    """Every registered cell; a remark about those that cannot be imported."""
    entries = catalog.entries()
    for entry in entries:
        if entry.error:
            remark(f"{entry.name} is left out: {entry.error}")
    return [entry.name for entry in entries if not entry.error and registry.is_cell(entry.name)]


def remark_missing(done: Run, missing: dict[str, str]) -> None:
    """Say once why a peer does not take part."""
    for name in missing.keys() - done.missing.keys():
        remark(f"{name} is left out: {missing[name]}")
    done.missing |= missing


def remark_failures(row: Row) -> None:
    """Say why a peer has no figures where it should have some."""
    for name, rival in row.rivals.items():
        if rival.status == "failed":
            remark(f"{name} failed at {row.case}: {rival.reason}")
        if rival.status == "wrong":
            remark(f"{name} is wrong at {row.case}: its result differs by {rival.difference:.1e}")


def facts_of(comparison: Comparison) -> Facts:
    """A comparison as plain values."""
    changes = [
        {"case": asdict(change.case), "time": ratio_facts(change.time), "normalised": ratio_facts(change.normalised)}
        for change in comparison.changes
    ]
    return {"remarks": comparison.remarks, "changes": changes}


def verdict(comparison: Comparison, allowed: float) -> int:
    """The exit code, and which cases are to blame."""
    slower = comparison.slower(allowed)
    for change in slower:
        remark(f"slower than {allowed:g} times the old run: {change.case}: {change.normalised}")
    return SLOWER if slower else 0


def remark(text: str) -> None:
    """Say something that is not a result."""
    click.echo(text, err=True)


def print_lines(*lines: str) -> None:
    """Write lines to standard output."""
    for line in lines:
        click.echo(line.rstrip())
