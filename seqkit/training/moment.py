"""What a batch moves in a model besides its weights: generators, and states carried to the next batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from seqkit.layer import Layer, State
from seqkit.stack import Stack


@dataclass(frozen=True)
class Moment:
    """Where the layers of a model stand between two batches.

    Attributes
    ----------
    layers : list of (Layer, dict, State or None)
        Every layer with the state of its generators and the state it carries.
    """

    layers: list[tuple[Layer, dict[str, int], State | None]]

    @classmethod
    def of(cls, model: Stack) -> Moment:
        """The moment that a model is in."""
        return cls([(layer, layer.random_state(), layer._state) for layer in model.layers])

    def restore(self) -> None:
        """Bring the layers back to it."""
        for layer, random, carried in self.layers:
            layer.restore_random_state(random)
            layer._state = carried


def carried_arrays(model: Stack) -> dict[str, np.ndarray]:
    """The states that layers carry from batch to batch, called "number of the layer/number of the array"."""
    return {f"{n}/{i}": array for n, layer in enumerate(model.layers) for i, array in enumerate(layer._state or ())}


def restore_carried(model: Stack, arrays: Mapping[str, np.ndarray]) -> None:
    """Give the layers the states that :func:`carried_arrays` named."""
    for number, layer in enumerate(model.layers):
        own = [name for name in arrays if name.startswith(f"{number}/")]
        layer._state = tuple(arrays[f"{number}/{i}"] for i in range(len(own))) or None
