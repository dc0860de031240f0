"""Layers that run several others.

Legend: B batch.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from itertools import compress
from types import MappingProxyType
from typing import Any, NamedTuple, Self

import numpy as np

from seqkit.errors import ShapeError
from seqkit.layer import Layer, State, final_state
from seqkit.parts import Parts
from seqkit.sequence_layer import SequenceLayer


class Composite(Parts, Layer):
    """Base class of layers that run several others, each under a name.

    A subclass tells them by `named`, builds them in its `_build`, and runs them.  Everything else is joined: parameters
    and gradients (called ``name.key``), random numbers, states, precision, memory.  The state is those of all layers,
    one behind the other; how many are whose is known of layers made of equations and is learned of others when they
    run.
    """

    _counts: Mapping[str, int] = MappingProxyType({})
    """Numbers of states of layers that have run."""

    @abstractmethod
    def _exchange(self, layers: Mapping[str, Layer]) -> None:
        """Take these layers instead of those of the same names."""

    def inner(self) -> tuple[Layer, ...]:
        """The layers."""
        return tuple(self.named.values())

    @property
    def reads_backwards(self) -> bool:
        """Whether one of the layers does."""
        return any(layer.reads_backwards for layer in self.inner())

    def _set_params(self, arrays: dict[str, np.ndarray]) -> None:
        self.params, self.grads = self.joined_params(), self.joined_grads()

    @property
    def precision(self) -> str:
        """What products of the first layer that has any in low precision are computed in."""
        self._require_built()
        found = (layer.precision for layer in self.inner())
        return next((precision for precision in found if precision != self.dtype.name), self.dtype.name)

    def _quantized(self, precision: str | None) -> Self:
        layers = {name: layer._quantized(precision) for name, layer in self.named.items()}
        if all(new is old for new, old in zip(layers.values(), self.inner(), strict=True)):
            return self
        composite = copy.copy(self)
        composite._exchange(layers)
        composite._set_params({})
        return composite

    # ---- states --------------------------------------------------------------------------------------

    def _shares(self, state: State | None, run: Callable[[], Any] | None = None) -> dict[str, State | None]:
        """Of an array for each state of all layers, those of each layer; `run` runs all once, without a state."""
        if state is None:
            return dict.fromkeys(self.named)
        if run is not None and None in map(self._count, self.named):
            carried, self._state = self._state, None
            try:
                run()
            finally:
                self._state = carried
        counts = {name: self._count(name) or 0 for name in self.named}
        if len(state) != sum(counts.values()):
            raise ShapeError(
                f"{self.name}: state must hold {sum(counts.values())} arrays, those of all layers; got {len(state)}."
            )
        rest = iter(state)
        return {name: tuple(next(rest) for _ in range(count)) or None for name, count in counts.items()}

    def _count(self, name: str) -> int | None:
        """Number of states of a layer, where it is known."""
        known = number_of_states(self.named[name])
        return self._counts.get(name) if known is None else known

    def _learn(self, caches: Mapping[str, Any]) -> None:
        """Remember how many states each layer left."""
        self._counts = {name: len(final_state(cache)) for name, cache in caches.items()}

    @property
    def _state(self) -> Any:
        """What stateful layers carry: for each of them what it does, which may be such a tuple again."""
        carried = tuple(layer._state for layer in self.inner() if layer.stateful)
        return carried if any(state is not None for state in carried) else None

    @_state.setter
    def _state(self, state: Any) -> None:
        stateful = [layer for layer in self.inner() if layer.stateful]
        parts = (None,) * len(stateful) if state is None else state
        if not isinstance(parts, tuple) or len(parts) != len(stateful):
            raise ShapeError(f"{self.name}: what is carried is not that of {len(stateful)} stateful layers.")
        for layer, own in zip(stateful, parts, strict=True):
            layer._state = own


def number_of_states(layer: Layer) -> int | None:
    """How many states a layer has, where that is known before it has run."""
    if isinstance(layer, SequenceLayer):
        directions: list[Any] = [layer]
        if layer.directions > 1:
            directions = [getattr(layer, name) for name in ("forward_layer", "backward_layer")]
        return sum(len(direction.cell.states) for direction in directions)
    known = [number_of_states(part) for part in layer.inner()]
    return sum(count or 0 for count in known) if known and None not in known else None


def first_row(given: Any) -> Any:
    """Of an array, or of each of several; None stays None."""
    if isinstance(given, tuple):
        return tuple(map(first_row, given))
    return None if given is None else np.asarray(given)[:1]


class States(NamedTuple):
    """The states that a layer ends with: how many features each has, and which are those of recurrent cells.

    The others, such as the sums of a pooling layer, say where a layer is in its own sequence and nothing to another.
    """

    sizes: tuple[int, ...]
    cells: tuple[bool, ...]

    @classmethod
    def of(cls, layer: Layer, state: State) -> States:
        """Those of a layer that ended with this state."""
        return cls(tuple(array.shape[1] for array in state), tuple(_of_cells(layer, state)))

    @property
    def sizes_of_cells(self) -> tuple[int, ...]:
        """Numbers of features of the states of cells."""
        return tuple(compress(self.sizes, self.cells))

    def of_cells(self, state: State) -> State:
        """The states of cells."""
        return tuple(compress(state, self.cells))

    def split(self, joined: np.ndarray) -> State:
        """The states of cells of their features side by side, (B, F)."""
        return tuple(np.split(joined, np.cumsum(self.sizes_of_cells)[:-1], axis=1))

    def whole(self, parts: State) -> State:
        """All states of those of cells; the others are 0."""
        rest, first = iter(parts), parts[0]
        shapes = [(len(first), size) for size in self.sizes]
        return tuple(
            next(rest) if cell else np.zeros_like(first, shape=shape)
            for cell, shape in zip(self.cells, shapes, strict=True)
        )


def _of_cells(layer: Layer, state: State) -> Iterator[bool]:
    """Of each state of a layer, whether it is that of a cell."""
    if isinstance(layer, Composite):
        for name, part in layer._shares(state).items():
            yield from _of_cells(layer.named[name], part or ())
    elif isinstance(layer, SequenceLayer) or not layer.inner():
        yield from (isinstance(layer, SequenceLayer) for _ in state)
    else:
        yield from _of_cells(layer.inner()[0], state)
