"""Results of every epoch for TensorBoard."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from seqkit.errors import ConfigError
from seqkit.training.callbacks.base import Callback
from seqkit.training.history import Logs


class TensorBoard(Callback):
    """Write results as TensorBoard reads them: "epoch_loss" and so on, of training and of validation.

    Parameters
    ----------
    log_dir : str or path-like
        Folder that gets the folders "train" and "validation".

    Raises
    ------
    ConfigError
        When training begins, if the package tensorboardX is missing (``pip install seqkit[tensorboard]``).

    Notes
    -----
    Training that is resumed writes further files; where a killed run was ahead of its last
    checkpoint, TensorBoard shows the epochs in between as the resumed run has them.
    """

    def __init__(self, log_dir: str | os.PathLike[str] = "logs") -> None:
        self._folder = Path(log_dir)

    def on_train_begin(self) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            raise ConfigError(
                "TensorBoard: tensorboardX is missing; install it with: pip install tensorboardX"
            ) from None
        self._open = SummaryWriter
        self._writers: dict[str, Any] = {}

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        for name, value in logs.items():
            part = "validation" if name.startswith("val_") else "train"
            self._writer(part).add_scalar(f"epoch_{name.removeprefix('val_')}", value, epoch)
        self._writer("train").add_scalar("epoch_learning_rate", self.model.optimizer.learning_rate, epoch)
        for writer in self._writers.values():
            writer.flush()

    def on_train_end(self) -> None:
        for writer in self._writers.values():
            writer.close()

    def _writer(self, part: str) -> Any:
        if part not in self._writers:
            purge = self.model.history.epoch[-1] if len(self.model.history.epoch) > 1 else None
            self._writers[part] = self._open(str(self._folder / part), purge_step=purge)
        return self._writers[part]
