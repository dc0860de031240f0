"""Talking to a person at a terminal, or to a program that reads JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click

from seqkit.training.callbacks import Callback
from seqkit.training.history import Logs


@dataclass(frozen=True)
class Console:
    """Where remarks go: beside the results, or to standard error where those are JSON."""

    as_json: bool
    quiet: bool

    def remark(self, text: str) -> None:
        """Say something that is not a result."""
        if not self.quiet:
            click.echo(text, err=self.as_json)

    @contextmanager
    def progress(self, epochs: int) -> Iterator[list[Progress]]:
        """Callbacks that show how training goes."""
        callbacks = [] if self.quiet else [Progress(epochs)]
        try:
            yield callbacks
        finally:
            for callback in callbacks:
                callback.close()


class Progress(Callback):
    """Writes how training goes to standard error.

    In a terminal one line is written over and over; in a file there are about ten lines.
    """

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.live = sys.stderr.isatty()
        self.every = 1 if self.live else max(epochs // 10, 1)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        number = epoch + 1
        if number % self.every and number != 1:
            return
        values = "".join(f"  {name.replace('_', ' ')} {value:.4g}" for name, value in logs.items())
        line = f"epoch {number}/{self.epochs}{values}"
        click.echo(f"\r{line}\x1b[K" if self.live else line, nl=not self.live, err=True)

    def close(self) -> None:
        """End the line that was written over."""
        if self.live:
            click.echo(err=True)


def print_json(document: Any) -> None:
    """Write one JSON document to standard output."""
    click.echo(json.dumps(document, indent=2, allow_nan=False))


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Write rows in aligned columns to standard output."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
