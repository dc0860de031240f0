"""The site builds without warnings, and has what it must have: every command with all options, and no dead link."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
import pytest

from seqkit.cli import main

DOCS = Path(__file__).parent.parent / "docs"

pytestmark = pytest.mark.docs


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the site, built with warnings as errors."""
    pytest.importorskip("sphinx", reason="Sphinx is not installed")
    folder = tmp_path_factory.mktemp("site")
    build = "import sys; from sphinx.cmd.build import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", build, "-E", "-q", "-W", "--keep-going", str(DOCS), str(folder)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder


def commands(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """A command and all below it, with the words that they are called by."""
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, (*path, name))


def test_every_option_of_every_command_is_there(site: Path) -> None:
    from sphinx.util.inventory import InventoryFile

    with (site / "objects.inv").open("rb") as file:
        inventory = InventoryFile.load(file, "", lambda base, uri: uri)
    found = set(inventory.get("std:cmdoption", {}))
    wanted = {
        "-".join(path).lower() + "." + option
        for path, command in commands(main, ("seqkit",))
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.hidden
        for option in parameter.opts
    }
    assert sorted(wanted - found) == []
    assert len(wanted) > 40


class Page(HTMLParser):
    """Links and anchors of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.anchors |= {value for value in (given.get("id"), given.get("name")) if value}
        link = given.get("src" if tag in ("img", "script") else "href")
        if link and tag in ("a", "img", "script", "link"):
            self.links.append(link)


def test_no_link_is_dead(site: Path) -> None:
    pages = {path.resolve(): Page(path) for path in site.rglob("*.html") if "_static" not in path.parts}
    ours = {path: page for path, page in pages.items() if "_modules" not in path.parts}  # those are Sphinx's own
    dead = [(path.name, link) for path, page in ours.items() for link in page.links if not alive(path, link, pages)]
    assert dead == []
    assert len(pages) > 100


def alive(path: Path, link: str, pages: dict[Path, Page]) -> bool:
    """Whether a link within the site leads to a file, and to an anchor where it names one."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return True
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    anchor = unquote(parts.fragment)
    return target.is_file() and (not anchor or target not in pages or anchor in pages[target].anchors)


def test_a_dead_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text('<a href="#here">x</a><a href="#there">x</a><a href="gone.html">x</a><p id="here">')
    pages = {page: Page(page)}
    assert [link for link in pages[page].links if not alive(page, link, pages)] == ["#there", "gone.html"]
