"""The networks of the estimators.

    sequences -> [convolutions] -> recurrent layers -> [pooling over time] -> [dropout] -> dense

Legend: F features of a step, K outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seqkit import registry
from seqkit.errors import ConfigError
from seqkit.layer import Layer
from seqkit.model import Sequential
from seqkit.options import by_name, positive_integer
from seqkit.tasks.settings import require_recurrent

POOLINGS = {"max": "max_pool", "mean": "mean_pool", "last": None}


@dataclass(frozen=True, kw_only=True)
class Network:
    """What a network is made of; see :class:`~seqkit.estimators.base.SequenceEstimator`."""

    cell: str
    units: int
    layers: int
    bidirectional: bool
    filters: int | Sequence[int]
    kernel_size: int | Sequence[int]
    pooling: str | None
    dropout: float

    def build(self, features: int, outputs: int, activation: str | None, seed: int) -> Sequential:
        """A network with new weights.

        Raises
        ------
        ConfigError
            If an option means nothing.
        """
        layers = [*self._convolutions(), *self._recurrent(), *self._top()]
        layers.append(registry.create("dense", outputs, activation=activation))
        return Sequential(layers, seed=seed).build(features)

    def _convolutions(self) -> list[Layer]:
        filters, sizes = _several(self.filters), _several(self.kernel_size)
        if not any(filters):
            return []
        try:
            pairs = np.broadcast(filters, sizes)
        except ValueError:
            raise ConfigError(
                f"kernel_size={self.kernel_size!r} does not fit filters={self.filters!r}: "
                f"give as many numbers of both, or one for all convolutions."
            ) from None
        return [registry.create("conv1d", count, size, padding="same", activation="relu") for count, size in pairs]

    def _recurrent(self) -> list[Layer]:
        require_recurrent(self.cell)
        count = positive_integer(self.layers, "layers")
        sequences = [True] * (count - 1) + [self.pooling != "last"]
        layers = [registry.create(self.cell, self.units, return_sequences=wanted) for wanted in sequences]
        return [registry.create("bidirectional", layer) for layer in layers] if self.bidirectional else layers

    def _top(self) -> list[Layer]:
        pooling = None if self.pooling is None else by_name(POOLINGS, self.pooling, "pooling")
        layers = [] if pooling is None else [registry.create(pooling)]
        return [*layers, registry.create("dropout", self.dropout)] if self.dropout else layers


def _several(numbers: int | Sequence[int]) -> np.ndarray:
    """One number, or several, side by side; what they are worth is for the layers to say."""
    return np.asarray(numbers, dtype=object).ravel()
