"""The tables of ``docs/dialects.md``, made of the rows of ``seqkit/interop/dialects.py``.

Run ``python tests/dialect_table.py`` after a row has changed.
"""

from __future__ import annotations

from pathlib import Path

from seqkit.interop.dialects import DIALECTS, Dialect

PAGE = Path(__file__).parent.parent / "docs" / "dialects.md"
START, END = "<!-- made by tests/dialect_table.py -->\n", "<!-- end -->\n"

LAYOUT = ("format", "cell", "gates", "weights", "biases", "peepholes", "candidate of the GRU", "new state")
MEANING = ("format", "padding", "clip")


def tables() -> str:
    """What stands between the marks."""
    words = {row.format: (row.format, row.padding, row.clip) for row in DIALECTS}
    return _table(LAYOUT, map(_layout, DIALECTS)) + "\n" + _table(MEANING, words.values())


def _layout(row: Dialect) -> tuple[str, ...]:
    weights = "(G*H, I), (G*H, H)" if row.rows else "(I, G*H), (H, G*H)"
    peepholes = ", ".join(row.peepholes) or "none"
    return row.format, row.kind, ", ".join(row.gates), weights, row.bias, peepholes, row.reset, row.update


def _table(head: tuple[str, ...], rows: object) -> str:
    lines = [head, ("---",) * len(head), *rows]  # type: ignore[misc]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def page_with(tables: str, text: str) -> str:
    """The page with other tables."""
    before, rest = text.split(START)
    return before + START + tables + END + rest.split(END)[1]


if __name__ == "__main__":
    PAGE.write_text(page_with(tables(), PAGE.read_text()))
