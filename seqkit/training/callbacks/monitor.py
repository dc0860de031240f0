"""Whether a watched value is the best so far."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from seqkit.errors import ConfigError
from seqkit.options import positive_number
from seqkit.training.history import Logs

HIGHER_IS_BETTER = ("acc", "accuracy", "f1", "r2", "auc", "precision", "recall", "top_")


class Best:
    """The best value of one number of the logs.

    Parameters
    ----------
    monitor : str
        Its name.
    mode : {"auto", "min", "max"}
        What is better; "auto" is "max" for names such as "val_accuracy", "f1" and "r2".
    min_delta : float
        Least difference that counts as better.
    owner : str
        Name used in error messages.

    Examples
    --------
    >>> best = Best("val_loss", "auto", 0.0, "demo")
    >>> [best.improved({"val_loss": value}) for value in (2.0, 3.0, 1.0, float("nan"))]
    [True, False, True, False]
    """

    def __init__(self, monitor: str, mode: str, min_delta: float, owner: str) -> None:
        if mode not in ("auto", "min", "max"):
            raise ConfigError(f"{owner}: mode must be one of auto, min, max, got {mode!r}.")
        higher = monitor.removeprefix("val_").startswith(HIGHER_IS_BETTER) if mode == "auto" else mode == "max"
        self.monitor = monitor
        self._sign = 1.0 if higher else -1.0
        self._min_delta = positive_number(min_delta, f"{owner}: min_delta", zero=True)
        self._owner = owner
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self._best = -math.inf

    def improved(self, logs: Logs) -> bool:
        """Whether the value is better than all before it, which it then replaces."""
        value = self._sign * self._value(logs)
        better = value > self._best + self._min_delta
        if better:
            self._best = value
        return better

    def _value(self, logs: Logs) -> float:
        if self.monitor not in logs:
            hint = " Validation data are missing." if self.monitor.startswith("val_") else ""
            raise ConfigError(f"{self._owner}: there is no {self.monitor!r} to watch, only {', '.join(logs)}.{hint}")
        return logs[self.monitor]

    def state(self) -> dict[str, np.ndarray]:
        """The best value as a named array."""
        return {"best": np.array(self._best)}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from what :meth:`state` gave."""
        self._best = float(state["best"])
