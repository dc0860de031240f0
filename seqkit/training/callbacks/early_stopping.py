"""Stop when a model no longer gets better."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from seqkit.options import positive_integer
from seqkit.training.callbacks.base import Callback, State
from seqkit.training.callbacks.monitor import Best
from seqkit.training.history import Logs


class EarlyStopping(Callback):
    """End the training when a value has not improved for some epochs, with the best weights.

    Parameters
    ----------
    monitor : str
        Name of the value in the logs.
    patience : int
        Epochs without improvement after which training ends.
    min_delta : float
        Least difference that counts as an improvement.
    mode : {"auto", "min", "max"}
        What is better; "auto" is "max" for accuracies, F1 and R2.
    restore_best_weights : bool
        Whether the model ends with the weights of its best epoch, however training ends.

    Attributes
    ----------
    best_epoch : int or None
        The best epoch so far.

    Notes
    -----
    Source: Prechelt, "Early stopping - but when?", 1998.  NaN is no improvement.

    Examples
    --------
    >>> import numpy as np
    >>> from seqkit.layers.dense import Dense
    >>> from seqkit.model import Sequential
    >>> model = Sequential([Dense(1)], seed=0)
    >>> model.compile("sgd", "mse")
    >>> x = np.linspace(-1.0, 1.0, 20)[:, None]
    >>> stop = EarlyStopping(monitor="loss", patience=2, min_delta=1.0)
    >>> len(model.fit(x, x, epochs=50, callbacks=[stop]).epoch), stop.best_epoch
    (3, 0)
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 1,
        min_delta: float = 0.0,
        mode: str = "auto",
        restore_best_weights: bool = True,
    ) -> None:
        self._best = Best(monitor, mode, min_delta, "EarlyStopping")
        self._patience = positive_integer(patience, "EarlyStopping: patience")
        self._restores = bool(restore_best_weights)

    def on_train_begin(self) -> None:
        self._best.forget()
        self.best_epoch: int | None = None
        self._waited = 0
        self._weights: State = {}

    def on_epoch_end(self, epoch: int, logs: Logs) -> bool:
        if not self._best.improved(logs):
            self._waited += 1
            return self._waited >= self._patience
        self.best_epoch, self._waited = epoch, 0
        if self._restores:
            self._weights = {name: array.copy() for name, array in self.model.trainable.items()}
        return False

    def on_train_end(self) -> None:
        if self._weights:
            with self.model.trainable.editing() as arrays:
                for name, array in self._weights.items():
                    arrays[name][...] = array

    def state(self) -> State:
        best = -1 if self.best_epoch is None else self.best_epoch
        weights = {f"weights/{name}": array for name, array in self._weights.items()}
        return {**self._best.state(), "waited": np.array(self._waited), "epoch": np.array(best), **weights}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        self._best.restore(state)
        self._waited = int(state["waited"])
        self.best_epoch = int(state["epoch"]) if state["epoch"] >= 0 else None
        weights = {name: array for name, array in state.items() if name.startswith("weights/")}
        self._weights = {name.removeprefix("weights/"): array for name, array in weights.items()}
