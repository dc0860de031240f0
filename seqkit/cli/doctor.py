"""``seqkit doctor``."""

from __future__ import annotations

from dataclasses import asdict

import click

from seqkit.cli.console import print_json
from seqkit.doctor import examine
from seqkit.doctor.finding import Finding

SIGNS = {"ok": ("ok    ", "green"), "remark": ("remark", "yellow"), "broken": ("BROKEN", "red")}
SCHEMA = "seqkit.doctor/1"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--quiet", is_flag=True, help="Leave out what is well.")
@click.pass_context
def doctor(ctx: click.Context, as_json: bool, quiet: bool) -> None:
    """Check this installation, and say what to do.

    \b
    Looked at are the compiled core and its instruction set, threads, speed (for a second), results
    against the equations in float64, memory, files, plugins and optional packages.
      ok      nothing to do
      remark  it works, and could be faster or tidier
      BROKEN  it does not work; the exit code is 1

    \b
    Examples:
      seqkit doctor
      seqkit doctor --quiet          # nothing is printed where nothing is to be done
      seqkit doctor --json > doctor.json
    """
    findings = []
    for finding in examine():
        findings.append(finding)
        if not as_json and not (quiet and finding.status == "ok"):
            show(finding)
    worst = any(finding.status == "broken" for finding in findings)
    if as_json:
        print_json({"schema": SCHEMA, "works": not worst, "findings": [asdict(finding) for finding in findings]})
    ctx.exit(1 if worst else 0)


def show(finding: Finding) -> None:
    """A line on what was found, and one on what to do."""
    sign, colour = SIGNS[finding.status]
    click.echo(f"{click.style(sign, fg=colour)}  {finding.text}")
    if finding.advice:
        click.echo(f"        {finding.advice}")
