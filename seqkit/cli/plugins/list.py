"""``seqkit plugins list``."""

from __future__ import annotations

import click

from seqkit import catalog, discovery
from seqkit.cli.layers import print_entries


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def list(as_json: bool) -> None:
    """List the layers of installed packages, and what is wrong with them.

    Each is imported once, to see whether it works.  SEQKIT_PLUGINS selects packages: "none",
    "these,alone", or "-all,-but,-these".

    \b
    Examples:
      seqkit plugins list
      SEQKIT_PLUGINS=none seqkit plugins list --json
    """
    for problem in [*discovery.installed().problems, *unknown_packages()]:
        click.echo(problem, err=True)
    print_entries([entry for entry in catalog.entries(excluded=True) if entry.package != "seqkit"], as_json)


def unknown_packages() -> set[str]:
    """Complaints about names in SEQKIT_PLUGINS that no installed package has."""
    known, chosen = {offer.package for offer in discovery.installed().offers}, discovery.selection()
    named = (chosen.named | chosen.without) - known - {"none"}
    return {f"{discovery.VARIABLE} names {name!r}, which is not installed or has no layers." for name in named}
