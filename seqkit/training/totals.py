"""Loss and metrics of an epoch, gathered batch by batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from seqkit.training.history import Logs
from seqkit.training.metrics import Metric

Sums = dict[str, np.ndarray]


class Totals:
    """Sums over the batches so far, from which the loss and the metrics of all of them follow.

    Parameters
    ----------
    metrics : mapping of str to Metric

    Attributes
    ----------
    sums : dict of str to ndarray
        Of the loss its sum and number of terms, of a metric what it asks for.
    """

    def __init__(self, metrics: Mapping[str, Metric]) -> None:
        self._metrics = metrics
        self.sums: Sums = {}

    def measure(self, value: float, terms: int, y_true: Any, y_pred: np.ndarray, lengths: np.ndarray | None) -> Sums:
        """What one batch, whose loss is `value`, a mean over `terms`, will add."""
        own = {name: np.asarray(metric.sums(y_true, y_pred, lengths)) for name, metric in self._metrics.items()}
        return {"loss": np.array([value * terms, terms]), **own}

    def add(self, batch: Sums) -> None:
        """Join what :meth:`measure` gave to the sums."""
        for name, sums in batch.items():
            if name not in self.sums:
                self.sums[name] = sums
            elif name == "loss":
                self.sums[name] = self.sums[name] + sums
            else:
                self.sums[name] = self._metrics[name].join(self.sums[name], sums)

    def result(self) -> Logs:
        """Loss and metrics of everything added."""
        total, terms = self.sums["loss"].tolist()
        logs = {"loss": total / max(terms, 1)}
        return logs | {name: float(metric.result(self.sums[name])) for name, metric in self._metrics.items()}
