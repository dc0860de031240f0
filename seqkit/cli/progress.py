"""How training goes, for a person who waits."""

from __future__ import annotations

import shutil
import sys

import click

from seqkit.training.callbacks import Callback
from seqkit.training.history import Logs


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
        if self.live:  # a line that is broken in two cannot be written over
            line = line[: shutil.get_terminal_size().columns - 1]
        click.echo(f"\r{line}\x1b[K" if self.live else line, nl=not self.live, err=True)

    def close(self) -> None:
        """End the line that was written over."""
        if self.live:
            click.echo(err=True)
