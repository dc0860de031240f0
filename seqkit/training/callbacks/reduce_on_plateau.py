"""Lower the learning rate where progress has stopped."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from seqkit.errors import ConfigError
from seqkit.options import fraction, positive_integer, positive_number
from seqkit.training.callbacks.base import Callback, State
from seqkit.training.callbacks.monitor import Best
from seqkit.training.history import Logs


class ReduceLROnPlateau(Callback):
    """Multiply the learning rate by `factor` when a value has not improved for some epochs.

    Parameters
    ----------
    monitor : str
        Name of the value in the logs.
    factor : float
        Between 0 and 1.
    patience : int
        Epochs without improvement after which the rate falls.
    min_delta : float
        Least difference that counts as an improvement.
    cooldown : int
        Epochs after a fall that are not counted.
    min_lr : float
        The rate never falls below this.
    mode : {"auto", "min", "max"}
        What is better; "auto" is "max" for accuracies, F1 and R2.

    Raises
    ------
    ConfigError
        When training begins, if the optimizer's learning rate is a schedule.

    Examples
    --------
    >>> import numpy as np
    >>> import seqkit
    >>> model = seqkit.Sequential([seqkit.Dense(1)], seed=0)
    >>> model.compile(seqkit.SGD(0.5), "mse")
    >>> lower = ReduceLROnPlateau("loss", factor=0.5, patience=1)
    >>> history = model.fit(np.zeros((4, 2)), np.zeros(4), epochs=3, callbacks=lower, verbose=0)  # nothing to gain
    >>> model.optimizer.learning_rate
    0.125
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        mode: str = "auto",
    ) -> None:
        owner = type(self).__name__
        self._best = Best(monitor, mode, min_delta, owner)
        self._factor = fraction(factor, f"{owner}: factor")
        self._patience = positive_integer(patience, f"{owner}: patience")
        self._cooldown = positive_integer(cooldown, f"{owner}: cooldown") if cooldown else 0
        self._min_lr = positive_number(min_lr, f"{owner}: min_lr", zero=True)

    def on_train_begin(self) -> None:
        if self.model.optimizer.schedule is not None:
            raise ConfigError(
                f"ReduceLROnPlateau: the learning rate follows {self.model.optimizer.schedule}; give the optimizer a "
                f"number instead."
            )
        self._best.forget()
        self._waited = self._cooling = 0

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        improved, cooling = self._best.improved(logs), self._cooling > 0
        self._cooling = max(self._cooling - 1, 0)
        self._waited = 0 if improved or cooling else self._waited + 1
        if self._waited >= self._patience:
            optimizer = self.model.optimizer
            rate = optimizer.learning_rate
            optimizer.learning_rate = max(rate * self._factor, min(rate, self._min_lr))
            self._waited, self._cooling = 0, self._cooldown

    def state(self) -> State:
        return {**self._best.state(), "waited": np.array(self._waited), "cooling": np.array(self._cooling)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        self._best.restore(state)
        self._waited, self._cooling = int(state["waited"]), int(state["cooling"])
