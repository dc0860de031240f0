"""What could follow, when a shell asks for it: names of layers, cells and data sets, and files."""

from __future__ import annotations

from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem


def layers(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Layers of all packages."""
    from seqkit import registry

    return beginning(registry.names(), incomplete)


def cells(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Recurrent layers, also as the last one of several."""
    from seqkit import catalog, registry

    before, comma, last = incomplete.rpartition(",")
    usable = (entry.name for entry in catalog.entries() if not entry.error and registry.is_cell(entry.name))
    return beginning((f"{before}{comma}{name}" for name in usable), f"{before}{comma}{last}")


def data(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Data sets that can be fitted, else files: bash takes either names or files."""
    from seqkit import datasets

    usable = (name for name in datasets.names() if datasets.info(name).fits)
    return (beginning(usable, incomplete) if incomplete else []) or files(ctx, param, incomplete)


def files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Files, which the shell knows best."""
    return [CompletionItem(incomplete, type="file")]


def folders(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Folders."""
    return [CompletionItem(incomplete, type="dir")]


def beginning(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """Names that begin so."""
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]
