"""``seqkit plugins check``."""

from __future__ import annotations

import sys

import click

from seqkit.cli import complete
from seqkit.cli.console import print_json
from seqkit.testing.checks import CHECKS
from seqkit.testing.isolated import check_isolated
from seqkit.testing.report import Result


@click.command()
@click.argument("name", shell_complete=complete.layers)
@click.option("--expect", "expected", metavar="CHECK", multiple=True, help="A check that is expected to fail.")
@click.option("--time-limit", default=60.0, show_default=True, metavar="SECONDS", help="Time that one check may take.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def check(ctx: click.Context, name: str, expected: tuple[str, ...], time_limit: float, as_json: bool) -> None:
    """Run the conformance checks on the layer NAME.

    NAME is that of a layer, or module:attribute of a class or an unbuilt layer. The checks run in a process of
    their own: a crash or an endless loop is the failure of one of them. The exit code is 1 if a check fails.

    \b
    Examples:
      seqkit plugins check gru
      seqkit plugins check my_package.module:MyCell --time-limit 10
      seqkit plugins check lstm --json
    """
    progress = Progress()
    report = check_isolated(
        name, expected_failures=dict.fromkeys(expected, "--expect"), time_limit=time_limit, on_result=progress.add
    )
    progress.close()
    if as_json:
        print_json(report.as_dict())
    else:
        click.echo(str(report))
    ctx.exit(0 if report.passed else 1)


class Progress:
    """In a terminal, which check was the last one, on standard error."""

    def __init__(self) -> None:
        self.live, self.done = sys.stderr.isatty(), 0

    def add(self, result: Result) -> None:
        """One check has come to its end."""
        self.done += 1
        if self.live:
            click.echo(f"\r{self.done}/{len(CHECKS)} {result.name}\x1b[K", nl=False, err=True)

    def close(self) -> None:
        """Leave the line empty."""
        if self.live:
            click.echo("\r\x1b[K", nl=False, err=True)
