"""``seqkit layers``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import click

from seqkit import catalog, registry
from seqkit.cli import complete
from seqkit.cli.console import print_json, print_table
from seqkit.cli.options import layer_name
from seqkit.equations import describe_equations, describe_program


@click.command()
@click.argument("name", required=False, callback=layer_name, shell_complete=complete.layers)
@click.option("--equations", is_flag=True, help="Print the equations of the cell NAME.")
@click.option("--program", is_flag=True, help="Print the program of the cell NAME and of its gradient.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def layers(name: str | None, equations: bool, program: bool, as_json: bool) -> None:
    """List the layers, or print the equations or the program of one.

    A layer that cannot be imported is listed with its error.

    \b
    Examples:
      seqkit layers
      seqkit layers gru
      seqkit layers lstm --equations --program
    """
    if name is None and (equations or program):
        raise click.UsageError("--equations and --program need the NAME of a cell.")
    if name is None:
        print_entries(catalog.entries(), as_json)
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


def print_entries(entries: Sequence[catalog.Entry], as_json: bool) -> None:
    """Print layers, their targets and packages, and what is wrong with them or worth knowing."""
    if as_json:
        print_json([asdict(entry) for entry in entries])
    else:
        print_table([("name", "target", "package", "remark"), *map(row_of, entries)])


def row_of(entry: catalog.Entry) -> tuple[str, ...]:
    """A line of the table; what could play tricks on a terminal is written out."""
    package = f"{entry.package} {entry.version or ''}".rstrip()
    words = (entry.name, entry.target, package, entry.error or entry.remark or "")
    return tuple(word if word.isprintable() else ascii(word) for word in words)
