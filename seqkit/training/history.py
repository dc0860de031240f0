"""Results of training, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

Logs = dict[str, float]


@dataclass
class History:
    """What training gave, epoch by epoch.

    Attributes
    ----------
    epoch : list of int
        Numbers of the epochs, from 0.
    history : dict of str to list of float
        "loss", every metric, and the same of the validation data as "val_loss" and so on.

    Examples
    --------
    >>> history = History()
    >>> history.add(0, {"loss": 0.5})
    >>> history.epoch, history.history
    ([0], {'loss': [0.5]})
    """

    epoch: list[int] = field(default_factory=list)
    history: dict[str, list[float]] = field(default_factory=dict)

    def add(self, epoch: int, logs: Logs) -> None:
        """Append the results of one epoch."""
        self.epoch.append(epoch)
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)

    def state(self) -> dict[str, np.ndarray]:
        """Everything as named arrays; :meth:`restore` takes it back."""
        values = {f"values/{name}": np.array(column, np.float64) for name, column in self.history.items()}
        return {"epoch": np.array(self.epoch, np.int64), **values}

    def restore(self, state: Mapping[str, np.ndarray], columns: Sequence[str]) -> None:
        """Become what :meth:`state` described; `columns` are the names in their order, which files don't keep."""
        self.epoch = state["epoch"].tolist()
        self.history = {name: state[f"values/{name}"].tolist() for name in columns}
