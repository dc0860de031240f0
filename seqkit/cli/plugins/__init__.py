"""``seqkit plugins``: packages of others that bring layers."""

from __future__ import annotations

import click

from seqkit.cli.lazy import LazyGroup

COMMANDS = {
    "list": "List the layers of installed packages.",
    "new": "Write a package with a new cell or layer.",
    "check": "Run the conformance checks on a layer.",
}


@click.group(cls=LazyGroup, package=__name__, summaries=COMMANDS)
def plugins() -> None:
    """Packages that bring layers (entry points of the group seqkit.layers).

    \b
    Examples:
      seqkit plugins list
      seqkit plugins new my_cell
      seqkit plugins check lstm
    """
