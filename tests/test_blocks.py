"""Commands and programs in the documentation run as they are printed (examples with prompts: test_doctests.py).

The blocks of a page run one after the other in one folder.  One that cannot run here has a comment before it that
says why, ``<!-- not run: reason -->``, and is counted below.
"""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest
from blocks import Block, blocks

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = list(chain.from_iterable(map(blocks, PAGES)))
LANGUAGES = {"", "sh", "python", "text", "c", "toml"}
COMMANDS = ("seqkit ", "pip ", "python", "git ", "import ", "model", "SEQKIT_")
NOT_RUN = {
    "README.md": 4,
    "benchmarking.md": 2,
    "coming-from-keras.md": 1,
    "coming-from-pytorch.md": 1,
    "command-line.md": 1,
    "compiled-cells.md": 1,
    "index.md": 1,
    "install.md": 2,
    "interop.md": 3,
    "plugins.md": 1,
    "testing-a-layer.md": 2,
}


def where(block: Block) -> str:
    return f"{block.page.name}:{block.line}"


@pytest.mark.parametrize("block", BLOCKS, ids=where)
def test_programs_are_known_by_their_language(block: Block) -> None:
    """So that nothing can be left out by leaving out a word."""
    assert block.language in LANGUAGES or block.language.startswith("{"), f"{where(block)}: {block.language}"
    if block.language == "":
        assert not block.text.startswith(COMMANDS), f"{where(block)}: is this not ```sh or ```python?"


def test_what_is_not_run_is_counted() -> None:
    left_out = [block.page.name for block in BLOCKS if block.reason]
    assert {name: left_out.count(name) for name in sorted(set(left_out))} == NOT_RUN


@pytest.mark.docs
@pytest.mark.parametrize("page", [page for page in PAGES if any(b.runs for b in blocks(page))], ids=lambda p: p.name)
def test_programs_run(page: Path, tmp_path: Path) -> None:
    """The command ``seqkit`` is that of this Python, wherever it is installed."""
    command, folder = tmp_path / "bin" / "seqkit", tmp_path / "folder"
    command.parent.mkdir()
    folder.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m seqkit "$@"\n')
    command.chmod(0o755)
    path = os.pathsep.join([str(command.parent), str(Path(sys.executable).parent), os.environ["PATH"]])
    for block in filter(lambda block: block.runs, blocks(page)):
        program = ["bash", "-euo", "pipefail", "-c"] if block.language == "sh" else [sys.executable, "-c"]
        variables = os.environ | {"PATH": path}
        done = subprocess.run(
            [*program, block.text], cwd=folder, env=variables, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, f"{where(block)}: {done.stderr}"
