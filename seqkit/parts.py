"""What several layers are asked for together, each under its name."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from seqkit import generators
from seqkit.errors import ConfigError
from seqkit.layer import Layer
from seqkit.parameters import JoinedParameters


class Parts:
    """Parameters, gradients, random numbers and memory of layers with names, called ``name.key``."""

    @property
    @abstractmethod
    def named(self) -> Mapping[str, Layer]:
        """The layers by name, in the order in which their states stand."""

    def joined_params(self) -> JoinedParameters:
        """The parameters of all layers."""
        return JoinedParameters({name: layer.params for name, layer in self.named.items()})

    def joined_grads(self) -> dict[str, np.ndarray]:
        """The accumulated gradients of all layers, keys as in `params`."""
        return {f"{name}.{key}": grad for name, layer in self.named.items() for key, grad in layer.grads.items()}

    def random_state(self) -> dict[str, int]:
        """Where all sources of random numbers stand, as numbers that JSON can hold."""
        return generators.join({name: layer.random_state() for name, layer in self.named.items()})

    def restore_random_state(self, state: Mapping[str, int]) -> None:
        """Go on drawing from where :meth:`random_state` was asked."""
        for name, layer in self.named.items():
            layer.restore_random_state(generators.part(state, name))

    def release_memory(self) -> None:
        """Free the working memory that the layers keep from call to call; the next call takes it anew."""
        for layer in self.named.values():
            layer.release_memory()


def sequence_of(layers: Any, owner: str, what: str = "layers") -> tuple[Any, ...]:
    """What was given as a sequence of layers.

    Raises
    ------
    ConfigError
        If it is none, as where the brackets are missing.
    """
    if not isinstance(layers, Iterable):
        raise ConfigError(f"{owner}: {what} must be a sequence of layers, such as [seqkit.LSTM(64)], got {layers!r}.")
    return tuple(layers)


def twice(layers: Iterable[Layer]) -> Layer | None:
    """A layer that is there more than once, be it inside others: every update would change its weights as often."""
    seen: set[int] = set()
    waiting = list(layers)
    while waiting:
        layer = waiting.pop()
        if id(layer) in seen:
            return layer
        seen.add(id(layer))
        waiting += layer.inner()
    return None
