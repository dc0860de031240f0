"""``seqkit plugins list``."""

from __future__ import annotations

import click

from seqkit import registry
from seqkit.cli.layers import print_entries


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def list(as_json: bool) -> None:
    """List the layers of installed packages, or what is wrong with them.

    Each is imported once, to see whether it works.
    """
    print_entries([entry for entry in registry.entries() if entry.package != "seqkit"], as_json)
