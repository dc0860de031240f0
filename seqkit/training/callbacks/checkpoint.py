"""Training that survives a crash.

Every file is whole: it is written under another name, forced to the disk and renamed, and only
then is an older one removed.  ``fit(..., resume=directory)`` goes on from the newest to the same
bits as training that was never interrupted.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from seqkit import checkpoint
from seqkit.errors import ConfigError
from seqkit.options import positive_integer, positive_number
from seqkit.training.callbacks.base import Callback, State, make_folder
from seqkit.training.callbacks.monitor import Best
from seqkit.training.history import Logs
from seqkit.training.resume import checkpoint_name, checkpoints, step_of

BEST = "best.safetensors"


class Checkpoint(Callback):
    """Save the model and where its training is, again and again.

    Parameters
    ----------
    directory : str or path-like
        Folder of the files; it is made if need be.
    every : int or float
        How much lies between two files.
    unit : {"epochs", "batches", "seconds"}
        What `every` counts; a batch is one update of the weights.
    keep : int or None
        How many files stay, the newest; None keeps all.
    best : str, optional
        Name of a value in the logs, such as "val_loss"; the model with the best of it is kept
        as "best.safetensors" too.
    mode : {"auto", "min", "max"}
        What is better.

    Raises
    ------
    ConfigError
        When training begins, if the directory has checkpoints from farther on than the training
        is: those of another training, or of one that was to be resumed.

    Notes
    -----
    Every file is a model file, which :func:`seqkit.load` reads.  The last one is written when
    training ends, also by Ctrl-C.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from seqkit.layers.dense import Dense
    >>> from seqkit.model import Sequential
    >>> x = np.linspace(-1.0, 1.0, 8)[:, None]
    >>> def train(epochs, folder, **options):
    ...     model = Sequential([Dense(1)], seed=0)
    ...     model.compile("adam", "mse")
    ...     model.fit(x, x, epochs=epochs, callbacks=[Checkpoint(folder)], **options)
    ...     return model.params["0.weight"].item()
    >>> with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
    ...     whole, part = train(5, one), train(2, two)
    ...     whole == train(5, two, resume=two) != part
    True
    """

    last = True

    def __init__(
        self,
        directory: str | os.PathLike[str],
        every: float = 1,
        unit: str = "epochs",
        keep: int | None = 3,
        best: str | None = None,
        mode: str = "auto",
    ) -> None:
        if unit not in ("epochs", "batches", "seconds"):
            raise ConfigError(f"Checkpoint: unit must be one of epochs, batches, seconds, got {unit!r}.")
        check = positive_number if unit == "seconds" else positive_integer
        self._every = check(every, f"Checkpoint: every, counted in {unit},")
        self._unit = unit
        self._keep = None if keep is None else positive_integer(keep, "Checkpoint: keep")
        self._folder = Path(directory)
        self._best = None if best is None else Best(best, mode, 0.0, "Checkpoint")

    def on_train_begin(self) -> None:
        make_folder(self._folder, "Checkpoint")
        for unfinished in self._folder.glob(checkpoint.TEMPORARY):
            unfinished.unlink(missing_ok=True)
        step, there = self.model.optimizer.iterations, checkpoints(self._folder)
        if there and step_of(there[-1]) > step:
            raise ConfigError(
                f"Checkpoint: {there[-1]} is from farther on than this training, which is at step {step}; go on from "
                f"it with fit(..., resume={str(self._folder)!r}) or take another directory."
            )
        self._count, self._clock = 0, time.monotonic()
        self._saved: tuple[int, int, int] | None = None
        if self._best is not None:
            self._best.forget()

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        if self._unit == "batches":
            self._tick()
        elif self._unit == "seconds" and time.monotonic() - self._clock >= self._every:
            self._save()

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        if self._best is not None and self._best.improved(logs):
            self.model.save(self._folder / BEST)
        if self._unit == "epochs":
            self._tick()

    def on_train_end(self) -> None:
        if self._saved != self._position() and self.model.progress.settled:
            self._save()

    def _tick(self) -> None:
        self._count += 1
        if self._count >= self._every:
            self._save()

    def _save(self) -> None:
        self._count, self._clock = 0, time.monotonic()
        self.model.save(self._folder / checkpoint_name(self.model.optimizer.iterations))
        self._saved = self._position()
        for old in checkpoints(self._folder)[: -self._keep] if self._keep else ():
            old.unlink(missing_ok=True)

    def _position(self) -> tuple[int, int, int]:
        progress = self.model.progress
        return progress.epoch, progress.batch, self.model.optimizer.iterations

    def state(self) -> State:
        return {"count": np.array(self._count), **({} if self._best is None else self._best.state())}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        self._count = int(state["count"])
        self._saved = self._position()
        if self._best is not None and "best" in state:
            self._best.restore(state)
