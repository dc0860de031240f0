"""The fenced blocks of Markdown pages, and which of them are programs."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import NamedTuple

FENCE = re.compile(r"^( *)(```+)([^\n`]*)\n(.*?)^\1\2 *$", re.MULTILINE | re.DOTALL)
REASON = re.compile(r"<!-- not run: (.+) -->\n *$")


class Block(NamedTuple):
    """A fenced block: its line, what it is written in, its text, and why it is not run ("" where it is)."""

    page: Path
    line: int
    language: str
    text: str
    reason: str

    @property
    def runs(self) -> bool:
        """Whether this is a program; examples with prompts are run by test_doctests.py."""
        return self.language in ("sh", "python") and ">>>" not in self.text and not self.reason


def blocks(page: Path) -> list[Block]:
    """All blocks of a page, in order."""
    text = page.read_text()
    found = []
    for match in FENCE.finditer(text):
        reason = REASON.search(text[: match.start()])
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(page, line, match[3].strip(), textwrap.dedent(match[4]), reason[1] if reason else ""))
    return found
