"""Is a commit slower than another one?  ``python benchmarks/compare.py --help``; see README.md beside this file."""

from __future__ import annotations

import json
import sys
from functools import partial
from itertools import chain, product
from pathlib import Path

import click

from benchmarks.common import CELLS, SHAPES
from comparing import report
from comparing.builds import BuildFailed, Commit, build, find
from comparing.comparison import Effort, Outcome, compare
from comparing.looks import FEWEST_ROUNDS
from comparing.workers import WorkerLost, start

REPOSITORY = Path(__file__).resolve().parents[1]
CACHE = REPOSITORY / "benchmarks" / ".compare"
SLOWER = 3
"""Exit code of a regression; 1 is an error, 2 a wrong command."""


class CommitName(click.ParamType):
    """A branch, a tag, HEAD^ and the like."""

    name = "commit"

    def convert(self, value: str, parameter: click.Parameter | None, context: click.Context | None) -> Commit:
        commit = find(REPOSITORY, value)
        if commit is None:
            self.fail(f"{value!r} is no commit of {REPOSITORY}; `git log --oneline` lists them.", parameter, context)
        return commit


@click.command()
@click.argument("old", type=CommitName())
@click.argument("new", type=CommitName())
@click.option("--cell", "cells", multiple=True, type=click.Choice(CELLS), help="Measure this one; may be repeated.")
@click.option("--mode", "modes", multiple=True, type=click.Choice(list(SHAPES)), help="The same for modes.")
@click.option("--threads", default=1, show_default=True, type=click.IntRange(1), help="Threads of every call.")
@click.option(
    "--fail-above", "limit", default=1.1, show_default=True, type=click.FloatRange(1), help="Allowed ratio new/old."
)
@click.option("--rounds", default=12, show_default=True, type=click.IntRange(FEWEST_ROUNDS), help="Turns of a commit.")
@click.option(
    "--seconds", default=0.05, show_default=True, type=click.FloatRange(0, min_open=True), help="Length of a turn."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of a table.")
def main(
    old: Commit, new: Commit, cells: tuple[str, ...], modes: tuple[str, ...], threads: int, limit: float,
    rounds: int, seconds: float, as_json: bool,
) -> None:  # fmt: skip
    """Compare the speed of commit NEW with that of commit OLD, taking turns.

    Exit code 0: nothing is slower; 3: something is, and a second look has confirmed it;
    1: a commit cannot be built, a result differs, or nothing was measured.
    """
    chosen = (product(cells or CELLS, [mode], SHAPES[mode]) for mode in modes or SHAPES)
    cases = list(map(" ".join, chain.from_iterable(chosen)))
    effort = Effort(rounds, seconds, limit)
    click.echo(f"old: {old}\nnew: {new}", err=as_json)
    outcomes = []
    try:
        say = partial(click.echo, err=True)
        environments = build(REPOSITORY, old, CACHE, say), build(REPOSITORY, new, CACHE, say)
        click.echo(report.HEADER, err=as_json)
        for outcome in compare(partial(start, environments, threads), cases, effort):
            outcomes.append(outcome)
            click.echo(report.line(outcome), err=as_json)
    except (BuildFailed, WorkerLost) as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(json.dumps(report.document(old, new, threads, effort, outcomes), indent=1))
    click.echo(report.summary(outcomes), err=as_json)
    sys.exit(exit_code(outcomes))


def exit_code(outcomes: list[Outcome]) -> int:
    """0, 3 for a regression, or an error that says what is wrong."""
    if any(outcome.status == "slower" for outcome in outcomes):
        return SLOWER
    if failed := [outcome for outcome in outcomes if outcome.status == "failed"]:
        number = f"{len(failed)} case{'s' if len(failed) > 1 else ''} failed"
        raise click.ClickException(f"{number}, beginning with {failed[0].case}: {failed[0].reason}")
    if not any(outcome.first for outcome in outcomes):
        raise click.ClickException("nothing was measured: the old commit has none of the cases.")
    return 0


if __name__ == "__main__":
    main()
