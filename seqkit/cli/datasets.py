"""``seqkit datasets``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from seqkit import datasets as library
from seqkit.cli.console import print_json, print_table
from seqkit.datasets import Entry
from seqkit.errors import DataError

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


def known(ctx: click.Context, param: click.Parameter, name: str) -> Entry:
    """The data set of this name; another name is wrong usage."""
    try:
        return library.info(name)
    except DataError as error:
        raise click.BadParameter(str(error)) from None


def completed(ctx: click.Context, param: click.Parameter, begun: str) -> list[str]:
    """Names of data sets that begin like this."""
    return [name for name in library.names() if name.lower().startswith(begun.lower())]


named = click.argument("entry", metavar="NAME", callback=known, shell_complete=completed)


@click.group(invoke_without_command=True)
@click.pass_context
def datasets(ctx: click.Context) -> None:
    """Public data sets: list them, tell about one, download one.

    A data set is looked for below the folder SEQKIT_DATA, then among those that were
    downloaded before (SEQKIT_CACHE), and is then downloaded from its public home and
    compared with a known checksum.  SEQKIT_OFFLINE=1 forbids to download.

    \b
    Examples:
      seqkit datasets
      seqkit datasets show airline
      seqkit datasets fetch JapaneseVowels
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_all)


@datasets.command("list")
@as_json
def list_all(as_json: bool = False) -> None:
    """List the data sets, and which of them are here.

    \b
    Examples:
      seqkit datasets list
      seqkit datasets list --json
    """
    entries = [library.info(name) for name in library.names()]
    if as_json:
        print_json([facts(entry) for entry in entries])
        return
    rows = [(entry.name, entry.task, "here" if library.find(entry.name) else "", entry.title) for entry in entries]
    print_table([("name", "for", "", "what"), *rows])


@datasets.command("show")
@named
@as_json
def show(entry: Entry, as_json: bool) -> None:
    """Tell where the data set NAME is from, whom to cite, and how it may be used.

    \b
    Examples:
      seqkit datasets show fsdd
      seqkit datasets show fsdd --json
    """
    known_facts = facts(entry)
    if as_json:
        print_json(known_facts)
    else:
        print_table(
            [(name.replace("_", " "), _words(value)) for name, value in known_facts.items() if value is not None]
        )


@datasets.command("fetch")
@named
@as_json
def fetch(entry: Entry, as_json: bool) -> None:
    """Download the data set NAME unless it is here, and print its folder.

    \b
    Examples:
      seqkit datasets fetch airline
      SEQKIT_CACHE=/srv/data seqkit datasets fetch fsdd
    """
    folder = library.fetch(entry.name)
    if as_json:
        print_json(facts(entry))
    else:
        click.echo(folder)


def facts(entry: Entry) -> dict[str, Any]:
    """What is known of a data set, and of its files if they are here."""
    folder = library.find(entry.name)
    return {
        "name": entry.name,
        "title": entry.title,
        "for": entry.task,
        "folder": None if folder is None else str(folder),
        "bytes": None if folder is None else size(entry, folder),
        "as_known": None if folder is None else entry.right(folder),
        "licence": entry.licence,
        "cite": entry.citation,
        "home": entry.home,
        "note": entry.note or None,
        "sources": [
            {"url": source.url, "sha256": source.sha256, "files": len(source.files)} for source in entry.sources
        ],
    }


def size(entry: Entry, folder: Path) -> int | None:
    """Bytes of the files of a data set that was downloaded."""
    files = [name for source in entry.sources for name in source.files]
    return sum((folder / name).stat().st_size for name in files) if files else None


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "\n".join(source["url"] for source in value) if value else "comes with seqkit"
    return f"{value:,}" if isinstance(value, int) else str(value)
