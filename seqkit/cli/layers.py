"""``seqkit layers``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import click

from seqkit import registry
from seqkit.cli.console import print_json, print_table
from seqkit.cli.options import layer_name
from seqkit.equations import describe_equations, describe_program


@click.command()
@click.argument("name", required=False, callback=layer_name)
@click.option("--equations", is_flag=True, help="Print the equations of the cell NAME.")
@click.option("--program", is_flag=True, help="Print the program of the cell NAME and of its gradient.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def layers(name: str | None, equations: bool, program: bool, as_json: bool) -> None:
    """List the layers, or print the equations or the program of one.

    A layer that cannot be imported is listed with its error.
    """
    if name is None and (equations or program):
        raise click.UsageError("--equations and --program need the NAME of a cell.")
    if name is None:
        print_entries(registry.entries(), as_json)
        return
    cell, texts = registry.cell_of(name), {}
    if equations or not program:
        texts["equations"] = describe_equations(cell)
    if program:
        texts["program"] = describe_program(cell)
    if as_json:
        print_json({"name": name, **texts})
    else:
        click.echo("\n\n".join(texts.values()))


def print_entries(entries: Sequence[registry.Entry], as_json: bool) -> None:
    """Print layers, their targets and packages, or what is wrong with them."""
    if as_json:
        print_json([asdict(entry) for entry in entries])
    else:
        heading = ("name", "target", "package", "error")
        print_table([heading, *((entry.name, entry.target, entry.package, entry.error or "") for entry in entries)])
