"""Help texts of commands as they look in a terminal: what stands in columns there does so on the page."""

from __future__ import annotations

from itertools import groupby
from typing import Any


def keep_columns(app: Any, context: Any, lines: list[str]) -> None:
    """Make literal blocks of paragraphs that click does not wrap, which sphinx-click marks with bars."""
    shown: list[str] = []
    for barred, group in groupby(list(lines), key=lambda line: line.startswith("| ")):
        text = [line[2:] if barred else line for line in group]
        shown += ["::", "", *(f"    {line}" for line in text), ""] if barred else text
    lines[:] = shown


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    for part in ("description", "epilog"):
        app.connect(f"sphinx-click-process-{part}", keep_columns)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
