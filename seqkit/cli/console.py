"""Talking to a person at a terminal, or to a program that reads JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from seqkit.cli.progress import Progress


@dataclass(frozen=True)
class Console:
    """Where remarks and progress go: to standard error, beside which results stay clean."""

    quiet: bool

    def remark(self, text: str) -> None:
        """Say something that is not a result."""
        if not self.quiet:
            click.echo(text, err=True)

    @contextmanager
    def progress(self, epochs: int) -> Iterator[list[Progress]]:
        """Callbacks that show how training goes."""
        from seqkit.cli.progress import Progress  # which needs the compiled core, and a table does not

        callbacks = [] if self.quiet else [Progress(epochs)]
        try:
            yield callbacks
        finally:
            for callback in callbacks:
                callback.close()


def print_json(document: Any) -> None:
    """Write one JSON document to standard output."""
    click.echo(json.dumps(document, indent=2, allow_nan=False))


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Write rows in aligned columns to standard output."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@contextmanager
def whole_file(path: Path) -> Iterator[IO[str]]:
    """A text that becomes a file when it is whole: what fails or is interrupted leaves the file as it was."""
    from seqkit.checkpoint import replace  # which needs NumPy, and a table does not

    text = io.StringIO(newline="")
    yield text
    replace(path, text.getvalue().encode())
