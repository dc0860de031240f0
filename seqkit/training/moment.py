"""What a batch moves in a model besides its weights: generators, and states carried to the next batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
    """The states that layers carry from batch to batch, called "layer/array" by their numbers, or "layer/layer/array"
    where they are those of a layer inside another one."""
    return dict(_named(tuple(layer._state for layer in model.layers)))


def _named(carried: Sequence[Any], prefix: str = "") -> Iterator[tuple[str, np.ndarray]]:
    for number, part in enumerate(carried):
        if isinstance(part, np.ndarray):
            yield f"{prefix}{number}", part
        elif part is not None:
            yield from _named(part, f"{prefix}{number}/")


def restore_carried(model: Stack, arrays: Mapping[str, np.ndarray]) -> None:
    """Give the layers the states that :func:`carried_arrays` named."""
    for number, layer in enumerate(model.layers):
        layer._state = _nested(arrays, f"{number}/")


def _nested(arrays: Mapping[str, np.ndarray], prefix: str) -> Any:
    """The parts whose names begin so, a tuple of arrays and of such tuples; None where there is none."""
    numbers = sorted({int(name[len(prefix) :].split("/")[0]) for name in arrays if name.startswith(prefix)})
    names = [f"{prefix}{number}" for number in numbers]
    return tuple(arrays[name] if name in arrays else _nested(arrays, f"{name}/") for name in names) or None
