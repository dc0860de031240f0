"""How a model is trained: what `compile` was told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.parameters import JoinedParameters
from seqkit.stack import Stack
from seqkit.training import losses, metrics, optimizers, schedules

LOSS = "loss"
"""What the parameters of a loss are called by, among those of the model: "loss.name"."""


@dataclass(frozen=True)
class Recipe:
    """How a model is trained.

    Attributes
    ----------
    optimizer : Optimizer
    loss : Loss
    metrics : dict of str to Metric
    """

    optimizer: optimizers.Optimizer
    loss: losses.Loss
    metrics: Mapping[str, metrics.Metric]

    def params(self, model: Stack) -> JoinedParameters:
        """Everything that training changes: the parameters of the model and those of the loss."""
        own = self.loss.params
        return model.params if own is None else model.params.with_part(LOSS, own)

    def grads(self, model: Stack) -> Mapping[str, np.ndarray]:
        """Gradients of :meth:`params`."""
        own = self.loss.grads
        return {**model.grads, **{f"{LOSS}.{key}": grad for key, grad in own.items()}} if own else model.grads

    def zero_grads(self, model: Stack) -> None:
        """Set every gradient to 0."""
        model.zero_grads()
        for grad in self.loss.grads.values():
            grad.fill(0.0)

    def spec(self) -> dict[str, Any] | None:
        """Plain values for a file, or None where a part is not one of seqkit's."""
        own = type(self.optimizer) in optimizers.OPTIMIZERS.values() and type(self.loss) in losses.LOSSES.values()
        watched = metrics.spec(self.metrics)
        if not own or watched is None or not schedules.built_in(self.optimizer.schedule):
            return None
        return {
            "optimizer": {"name": self.optimizer.name, "config": self.optimizer.config()},
            "loss": {"name": self.loss.name, "config": self.loss.config()},
            "metrics": watched,
        }

    @classmethod
    def from_spec(cls, description: Mapping[str, Any]) -> Recipe:
        """The recipe that :meth:`spec` described."""
        optimizer, loss = description["optimizer"], description["loss"]
        return cls(
            optimizers.OPTIMIZERS[optimizer["name"]](**optimizer["config"]),
            losses.LOSSES[loss["name"]](**loss["config"]),
            metrics.from_spec(description["metrics"]),
        )
