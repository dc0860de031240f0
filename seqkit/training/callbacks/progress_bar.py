"""What `fit` says while it trains."""

from __future__ import annotations

import sys
import time

from seqkit.training.callbacks.base import Callback
from seqkit.training.history import Logs

WIDTH = 24
INTERVAL = 0.1  # seconds between two pictures of the bar


class ProgressBar(Callback):
    """Writes a line per epoch to standard error and, with `live`, a bar that grows within the epoch."""

    def __init__(self, live: bool) -> None:
        self._live = live

    def on_epoch_begin(self, epoch: int) -> None:
        self._began = time.perf_counter()
        self._title = f"Epoch {epoch + 1}/{self.params['epochs']}"
        self._drawn = self._began
        self._loss, self._seen = 0.0, 0

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        if not self._live:
            return
        self._loss, self._seen = self._loss + logs["loss"], self._seen + 1
        now = time.perf_counter()
        if now - self._drawn >= INTERVAL:
            self._drawn = now
            self._draw(batch + 1)

    def _draw(self, done: int) -> None:
        steps = self.params["steps"]
        full = WIDTH * done // steps
        bar = "=" * full + " " * (WIDTH - full)
        text = f"{self._title} [{bar}] {done}/{steps} - loss: {self._loss / self._seen:.4g}"
        print(f"\r{text}\x1b[K", end="", file=sys.stderr, flush=True)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        values = "".join(f" - {name}: {value:.4g}" for name, value in logs.items())
        line = f"{self._title} - {time.perf_counter() - self._began:.1f}s{values}"
        print(f"\r{line}\x1b[K" if self._live else line, file=sys.stderr)
