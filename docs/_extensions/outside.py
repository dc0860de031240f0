"""Pages of the repository that lie outside docs/, and links between them and those inside.

Markdown in this repository links files by relative paths, as code hosts read them.  A site has only what lies in its
folder, so the files below are copied to docs/outside/ when it is built, and while pages are read their links are
changed to what the site has: a page for a page, a download for any other file.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[1]
ROOT = DOCS.parent
COPIES = DOCS / "outside"
LAST = re.compile(r"\n\n(```+)$", re.MULTILINE)  # an empty line ends an example for doctest, and is not for readers
FENCE = re.compile(r"^(```+|~~~+).*?^\1\s*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?\)")


def outside() -> dict[Path, Path]:
    """Markdown files outside docs/ that are pages, with the places of their copies."""
    names = ["SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md", "plugins/README.md"]
    names += [str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("plugins/*/README.md"))]
    return {ROOT / name: COPIES / name.replace("/README.md", ".md") for name in names}


def page_of(target: Path, copies: dict[Path, Path]) -> Path | None:
    """The site's page for a file or folder of the repository, if there is one."""
    if target in (ROOT, ROOT / "README.md"):
        return DOCS / "index.md"
    if target.is_dir():
        target /= "README.md"
    if target.is_relative_to(DOCS) and target.suffix == ".md":
        return target
    return copies.get(target)


def for_the_site(text: str, source: Path, place: Path) -> str:
    """Markdown of the file `source` with links that hold at `place`."""
    copies = outside()

    def link(match: re.Match[str]) -> str:
        words, path, anchor = match[1], match[2], match[3] or ""
        target = Path(os.path.normpath(source.parent / path))
        page = page_of(target, copies)
        if page is not None:
            return f"[{words}]({os.path.relpath(page, place.parent)}{anchor})"
        if target.is_file():
            return f"{{download}}`{words} <{os.path.relpath(target, place.parent)}>`"
        raise ValueError(f"{source}: the link to {path} leads to no page and no file of the repository.")

    parts, end = [], 0
    for fence in FENCE.finditer(text):
        parts += [LINK.sub(link, text[end : fence.start()]), LAST.sub(r"\n\1", fence[0])]
        end = fence.end()
    return "".join([*parts, LINK.sub(link, text[end:])])


def toctree_of(source: Path) -> str:
    """The tree of pages below a page: those of the packages below that of plugins/."""
    if source != ROOT / "plugins/README.md":
        return ""
    return "\n```{toctree}\n:hidden:\n:glob:\n\nplugins/*\n```\n"


def copy_pages(app: Any) -> None:
    """Write the copies, before Sphinx looks which pages there are."""
    for source, copy in outside().items():
        text = for_the_site(source.read_text(), source, copy) + toctree_of(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if not copy.exists() or copy.read_text() != text:
            copy.write_text(text)


def change_links(app: Any, name: str, content: list[str]) -> None:
    """Change the links of a page that Sphinx has read."""
    path = Path(app.env.doc2path(name))
    if path.suffix == ".md" and not path.is_relative_to(COPIES):
        content[0] = for_the_site(content[0], path, path)


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("config-inited", lambda app, config: copy_pages(app))
    app.connect("source-read", change_links)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
