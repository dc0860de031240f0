"""The states of many streams of one layer, in rows.

Legend: N streams of a tick.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from seqkit.errors import DTypeError, ShapeError

Saved = dict[str, np.ndarray]
Step = Callable[[Any, Any], tuple[np.ndarray, tuple[np.ndarray, ...]]]


class Pool(Protocol):
    """The states of one layer, in rows."""

    def feed(self, x: Any, sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """One step from the states in rows `sources` to those in rows `targets`; gives y (N, features)."""

    def clear(self, row: int) -> None:
        """Make a row the state at the start of a sequence."""

    def save(self, row: int) -> Saved:
        """Copies of the states of a row, by name."""

    def load(self, row: int, saved: Saved) -> None:
        """Fill a row with saved states; raises ShapeError or DTypeError where they are of another layer."""


class LayerPool:
    """The states of any layer, moved by NumPy to and from its `step`.

    Parameters
    ----------
    owner : str
        Name used in error messages.
    step : callable
        Of the layer.
    rows : int
        Number of rows.
    """

    def __init__(self, owner: str, step: Step, rows: int) -> None:
        self._owner, self._step = owner, step
        self._fresh = np.ones(rows, bool)  # at the start of a sequence, for which a layer is given None
        self._states: list[np.ndarray] | None = None  # known after the first step

    def feed(self, x: Any, sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
        if self._states == []:
            return self._step(x, None)[0]
        fresh = self._fresh[sources]
        if fresh.any() and not fresh.all():
            return self._feed_apart(fresh, x, sources, targets)
        state = None if self._states is None or fresh.all() else tuple([array[sources] for array in self._states])
        y, after = self._step(x, state)
        for array, rows in zip(self._arrays(after), after, strict=True):
            array[targets] = rows
        self._fresh[targets] = False
        return y

    def _feed_apart(self, fresh: np.ndarray, x: Any, sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Streams at their start and others, each by themselves."""
        parts = np.flatnonzero(fresh), np.flatnonzero(~fresh)
        outputs = [self.feed(_rows(x, part), sources[part], targets[part]) for part in parts]
        y = np.empty((len(sources), *outputs[0].shape[1:]), outputs[0].dtype)
        for part, output in zip(parts, outputs, strict=True):
            y[part] = output
        return y

    def _arrays(self, state: tuple[np.ndarray, ...]) -> list[np.ndarray]:
        """Room for states like these, (rows, ...) each."""
        if self._states is None:
            self._states = [np.zeros((len(self._fresh), *array.shape[1:]), array.dtype) for array in state]
        return self._states

    def clear(self, row: int) -> None:
        self._fresh[row] = True

    def save(self, row: int) -> Saved:
        return {} if self._fresh[row] else {str(n): array[row].copy() for n, array in enumerate(self._states or ())}

    def load(self, row: int, saved: Saved) -> None:
        arrays = self._arrays(tuple(array[None] for array in saved.values())) if saved else []
        check_saved(self._owner, saved, {str(n): array[row] for n, array in enumerate(arrays)})
        for n, array in enumerate(arrays):
            array[row] = saved[str(n)]
        self._fresh[row] = not saved


def _rows(x: Any, rows: np.ndarray) -> Any:
    """Some rows of an array, or of each of several."""
    return tuple(one[rows] for one in x) if isinstance(x, tuple) else x[rows]


def check_saved(owner: str, saved: Saved, like: Saved) -> None:
    """Raise ShapeError or DTypeError unless saved states are as these are."""
    if set(saved) != set(like):
        names = [", ".join(map(repr, sorted(part))) or "nothing" for part in (saved, like)]
        raise ShapeError(f"{owner}: the saved state holds {names[0]}, expected {names[1]}; use the model it is of.")
    for name, array in like.items():
        if saved[name].shape != array.shape:
            raise ShapeError(
                f"{owner}: saved {name!r} has shape {saved[name].shape}, expected {array.shape}; use its model."
            )
        if saved[name].dtype != array.dtype:
            raise DTypeError(
                f"{owner}: saved {name!r} is {saved[name].dtype}, expected {array.dtype}; use a model of that type."
            )
