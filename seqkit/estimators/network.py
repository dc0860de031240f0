"""The networks of the estimators.

    sequences -> [convolution] -> recurrent layers -> [pooling over time] -> [dropout] -> dense

Legend: F features of a step, K outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

from seqkit import registry
from seqkit.errors import ConfigError
from seqkit.layer import Layer
from seqkit.model import Sequential
from seqkit.options import by_name, positive_integer
from seqkit.tasks.settings import is_recurrent

POOLINGS = {"max": "max_pool", "mean": "mean_pool", "last": None}


@dataclass(frozen=True, kw_only=True)
class Network:
    """What a network is made of; see :class:`~seqkit.estimators.base.SequenceEstimator`."""

    cell: str
    units: int
    layers: int
    bidirectional: bool
    filters: int
    kernel_size: int
    pooling: str | None
    dropout: float

    def build(self, features: int, outputs: int, activation: str | None, seed: int) -> Sequential:
        """A network with new weights.

        Raises
        ------
        ConfigError
            If an option means nothing.
        """
        layers = [*self._convolution(), *self._recurrent(), *self._top()]
        layers.append(registry.create("dense", outputs, activation=activation))
        return Sequential(layers, seed=seed).build(features)

    def _convolution(self) -> list[Layer]:
        if not self.filters:
            return []
        return [registry.create("conv1d", self.filters, self.kernel_size, padding="same", activation="relu")]

    def _recurrent(self) -> list[Layer]:
        if not is_recurrent(self.cell):
            raise ConfigError(f"{self.cell!r} is not a recurrent layer; choose one such as lstm or gru.")
        count = positive_integer(self.layers, "layers")
        sequences = [True] * (count - 1) + [self.pooling != "last"]
        layers = [registry.create(self.cell, self.units, return_sequences=wanted) for wanted in sequences]
        return [registry.create("bidirectional", layer) for layer in layers] if self.bidirectional else layers

    def _top(self) -> list[Layer]:
        pooling = None if self.pooling is None else by_name(POOLINGS, self.pooling, "pooling")
        layers = [] if pooling is None else [registry.create(pooling)]
        return [*layers, registry.create("dropout", self.dropout)] if self.dropout else layers
