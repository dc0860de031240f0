"""The documentation as a whole: every page is in a table of contents, every public name in the reference."""

from __future__ import annotations

import importlib
import re
from inspect import ismodule
from pathlib import Path

import pytest

import seqkit

DOCS = Path(__file__).parent.parent / "docs"
TREE = re.compile(r"^```\{toctree\}\n(.*?)^```", re.MULTILINE | re.DOTALL)
DIRECTIVE = re.compile(
    r"^\.\. (?:currentmodule:: (\S+)|autosummary::\n(?: +:.*\n)+\n((?: +[\w.]+\n)+)|automodule:: (\S+))", re.MULTILINE
)
PUBLIC = [
    "seqkit",
    *(f"seqkit.{name}" for name in ("equations", "estimators", "explain", "datasets", "generation", "interop")),
]
PUBLIC += [f"seqkit.{name}" for name in ("testing", "build", "training.callbacks")]


def listed() -> set[str]:
    """Pages in the tables of contents of all pages."""
    trees = (tree for page in DOCS.glob("*.md") for tree in TREE.findall(page.read_text()))
    lines = (line.strip() for tree in trees for line in tree.splitlines() if line and not line.startswith(":"))
    return {re.sub(r"^.*<(.*)>$", r"\1", line) for line in lines}


def test_every_page_is_in_a_table_of_contents() -> None:
    assert {page.stem for page in DOCS.glob("*.md")} - listed() == {"index"}


def documented() -> set[str]:
    """Full names in the summaries of the reference."""
    names: set[str] = set()
    for page in (DOCS / "reference").glob("*.rst"):
        module = ""
        for current, summary, documented_module in DIRECTIVE.findall(page.read_text()):
            module = current or module
            names |= {f"{module}.{line.strip()}" for line in summary.splitlines()}
            names |= {documented_module} - {""}
    return names


def resolve(name: str) -> object:
    """What a full name stands for; a function before the module of the same name."""
    module, _, attribute = name.rpartition(".")
    found = getattr(resolve(module), attribute, None) if module else None
    return importlib.import_module(name) if found is None else found


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_is_in_the_reference(module: str) -> None:
    """Under one of the names that it is imported by; modules have pages of their own."""
    found = {id(resolve(name)) for name in documented()}
    public = {name: getattr(resolve(module), name) for name in getattr(resolve(module), "__all__", ())}
    assert [name for name, value in public.items() if not ismodule(value) and id(value) not in found] == []


def test_the_reference_names_what_there_is() -> None:
    assert all(resolve(name) is not None for name in documented())
    assert len(documented()) > len(seqkit.__all__)
