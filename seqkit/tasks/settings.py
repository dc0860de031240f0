"""How a network is made and trained, the same for every task."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

from seqkit import registry
from seqkit.errors import ConfigError
from seqkit.layer import Layer
from seqkit.model import Sequential
from seqkit.training.callbacks import Checkpoint
from seqkit.training.optimizers import Adam, Optimizer


@dataclass(frozen=True)
class Settings:
    """Options of the network and of its training.

    Attributes
    ----------
    cell : str
        Registered name of a recurrent layer.
    units : int
        Units of each recurrent layer, in each direction.
    layers : int
        Recurrent layers on top of each other.
    bidirectional : bool
        Whether each layer also reads the sequence from its end.
    epochs : int
        Times that all samples are seen, at most.
    batch_size : int
        Samples between two updates.
    learning_rate : float
        Of Adam, at the start.
    dropout : float
        Share of each recurrent layer's outputs that are set to 0 while training.
    clipnorm : float
        Largest norm of a gradient; keeps a rare steep batch from undoing the training.
    patience : int
        Epochs without a better validation error after which a forecast's training ends.
    checkpoint : str or None
        Directory where training is saved after every epoch, and which it goes on from.
    seed : int
        Source of all randomness.
    """

    cell: str = "lstm"
    units: int = 32
    layers: int = 1
    bidirectional: bool = False
    epochs: int = 100
    batch_size: int = 16
    learning_rate: float = 0.01
    dropout: float = 0.0
    clipnorm: float = 1.0
    patience: int = 30
    checkpoint: str | None = None
    seed: int = 0

    def describe(self) -> str:
        """The network and its training in one line."""
        stack = f"{self.layers} x " if self.layers > 1 else ""
        cell = f"bidirectional {self.cell}" if self.bidirectional else self.cell
        return (
            f"network: {stack}{cell} with {self.units} units, dropout {self.dropout:g}; at most {self.epochs} epochs "
            f"of Adam, learning rate {self.learning_rate:g}, batches of {self.batch_size}, seed {self.seed}"
        )


def is_recurrent(name: str) -> bool:
    """Whether the layer of this name takes units and turns sequences into vectors."""
    return registry.is_cell(name) or {"units", "return_sequences"} <= set(
        inspect.signature(registry.get(name)).parameters
    )


def require_recurrent(name: str) -> None:
    """Raise ConfigError for what is no name of a recurrent layer."""
    if not isinstance(name, str) or not is_recurrent(name):
        raise ConfigError(f"{name!r} is not a recurrent layer; choose one such as lstm or gru.")


def network(settings: Settings, features: int, outputs: int, activation: str | None = None) -> Sequential:
    """Recurrent layers, the last giving one vector per sequence, and a dense layer on top.

    Raises
    ------
    ConfigError
        If the cell is not a recurrent layer.
    """
    require_recurrent(settings.cell)
    layers: list[Layer] = []
    for number in range(1, settings.layers + 1):
        layer = registry.create(settings.cell, settings.units, return_sequences=number < settings.layers)
        layers.append(registry.create("bidirectional", layer) if settings.bidirectional else layer)
        if settings.dropout:
            layers.append(registry.create("dropout", settings.dropout))
    layers.append(registry.create("dense", outputs, activation=activation))
    return Sequential(layers, seed=settings.seed).build(features)


def optimizer(settings: Settings) -> Optimizer:
    """Adam with clipped gradients."""
    return Adam(learning_rate=settings.learning_rate, global_clipnorm=settings.clipnorm)


def survival(settings: Settings) -> dict[str, Any]:
    """Arguments of `fit` for training that is saved as it goes and resumed."""
    if settings.checkpoint is None:
        return {"callbacks": [], "resume": None}
    return {"callbacks": [Checkpoint(settings.checkpoint)], "resume": settings.checkpoint}
