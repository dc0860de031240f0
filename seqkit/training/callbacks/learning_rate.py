"""A learning rate for every epoch."""

from __future__ import annotations

from collections.abc import Callable

from seqkit.training.callbacks.base import Callback


class LearningRateScheduler(Callback):
    """Set the learning rate before every epoch.

    Parameters
    ----------
    schedule : Schedule or callable
        From the number of the epoch, counted from 0, to the learning rate.

    Examples
    --------
    >>> from seqkit.training.schedules import CosineDecay
    >>> callback = LearningRateScheduler(CosineDecay(0.01, steps=20))
    """

    def __init__(self, schedule: Callable[[int], float]) -> None:
        self._schedule = schedule

    def on_epoch_begin(self, epoch: int) -> None:
        self.model.optimizer.learning_rate = float(self._schedule(epoch))
