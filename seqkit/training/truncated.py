r"""Truncated backpropagation through time.

Sequences are read in windows of k1 steps, each from the state that the one before ended with.  After every window the
gradient of its loss is taken back over the last k2 steps, and the weights are updated: BPTT(k2; k1) of Williams and
Peng.  A window of steps a to a + k1 starts at step s = max(0, a + k1 - k2) with

    L = mean of the losses of steps a .. a + k1 - 1,    h_s constant;

steps s to a - 1, which earlier windows have read, are run again with the weights as they are now.

Sequences that have ended have no part in later windows.  Where a sequence has one target, its loss is that of the
window in which it ends (the first, where it has no steps); in a window where none ends there is no update.  Masks of
dropout are drawn anew for every window.

Source: Williams and Peng, "An efficient gradient-based algorithm for on-line training of recurrent network
trajectories", Neural Computation 2, 1990.

Legend: B batch, T time, W sequences that are not over when a window begins, E those that end in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.errors import ConfigError, ShapeError
from seqkit.layer import Layer, State, final_state, lengths_after
from seqkit.options import positive_integer
from seqkit.recurrent import Recurrent
from seqkit.stack import Stack
from seqkit.training.batches import Batch
from seqkit.training.loss import Loss


def checked(tbptt: Sequence[int], model: Stack, loss: Loss, accumulate: int = 1) -> tuple[int, int]:
    """The pair (k1, k2).

    Raises
    ------
    ConfigError
        If it is none with k1 <= k2, or the model or the loss needs whole sequences.
    """
    if np.ndim(tbptt) != 1 or len(tbptt) != 2:
        raise ConfigError(f"tbptt is {tbptt!r}, expected (k1, k2): steps between updates, steps of the gradient.")
    k1, k2 = (positive_integer(k, f"tbptt: {name}") for k, name in zip(tbptt, ("k1", "k2"), strict=True))
    if k2 < k1:
        raise ConfigError(f"tbptt is {(k1, k2)}, expected k2 >= k1, or some steps would never be learned from.")
    if accumulate > 1:
        raise ConfigError("tbptt: every window makes an update of its own; leave accumulate out.")
    if len(model.layers[0].inputs) > 1:
        raise ConfigError("tbptt: the model has several inputs, whose steps need not be the same; train on whole ones.")
    for layer in model.layers:
        if layer.reads_backwards:
            raise ConfigError(f"tbptt: {layer.name} also reads from the end of a sequence; train on whole sequences.")
        if layer.stateful:
            raise ConfigError(f"tbptt: {layer.name} is stateful; tbptt itself carries states, leave stateful out.")
    if loss.whole_sequences or (model.returns_sequences and loss.per_sequence):
        raise ConfigError(f"tbptt: the loss {loss.name} is one of whole sequences; train on whole sequences.")
    return k1, k2


def windows(model: Stack, batch: Batch, k1: int, k2: int) -> Iterator[Window]:
    """The windows of a batch that have targets, in order; forward must have been called before the next is taken."""
    if batch.x.ndim < (2 if model.accepts_ids else 3):
        raise ShapeError(f"tbptt: x has shape {batch.x.shape}, expected sequences; there is no time to cut.")
    count, time = batch.x.shape[:2]
    lengths = np.full(count, time) if batch.lengths is None else batch.lengths
    rows = np.arange(count)
    states: list[State | None] = [None] * len(model.layers)
    longest = int(lengths.max(initial=0))
    for begin in range(0, max(longest, 1), k1):
        first, after = max(0, begin + k1 - k2), max(0, begin + 2 * k1 - k2)
        window = Window(model, batch, lengths, (first, begin, begin + k1, after), rows, states)
        if len(window.learned):
            yield window
        else:
            window.forward()
        rows, states = window.rows, window.states


@dataclass(frozen=True)
class Whole:
    """A whole batch, with the methods of a window."""

    model: Stack
    batch: Batch

    def forward(self) -> tuple[np.ndarray, list[Any]]:
        """Predictions for `batch`, and what `backward` needs."""
        return self.model.forward(self.batch.x, self.batch.lengths, training=True)

    def backward(self, dy: np.ndarray, caches: list[Any]) -> None:
        """Add the gradients; dy is that of the predictions."""
        self.model.backward(dy, caches)


class Window:
    """The part of a batch that one update is made from.

    Attributes
    ----------
    rows : ndarray (W,)
        The sequences that are not over.
    learned : ndarray
        Those of them with targets: all or, where a sequence has one target, the E that end.
    batch : Batch
        What the loss is of: their steps of the window, or their last outputs.
    states : list of tuple of ndarray (W, H), or None
        Of every layer, where the window starts; after `forward`, where the next one does.
    """

    def __init__(
        self,
        model: Stack,
        batch: Batch,
        lengths: np.ndarray,
        bounds: tuple[int, int, int, int],
        known: np.ndarray,
        states: Sequence[State | None],
    ) -> None:
        first, begin, end, after = bounds
        self.rows = np.flatnonzero((lengths > begin) | (begin == 0))  # those of length 0 end in the first window
        at = np.searchsorted(known, self.rows)
        self.states = [state and tuple(array[at] for array in state) for state in states]
        left = lengths[self.rows]
        self._model, self._skipped, self._after = model, begin - first, after - first
        self._x, self._lengths = batch.x[self.rows, first:end], np.minimum(left, end) - first
        if model.returns_sequences:
            self.learned = np.arange(len(left))
            self.batch = _steps_of(batch, self.rows, begin, end, np.minimum(left, end) - begin)
        else:
            self.learned = np.flatnonzero(left <= end)
            self.batch = _rows_of(batch, self.rows[self.learned])

    def forward(self) -> tuple[np.ndarray, list[Any]]:
        """Predictions for `batch`, and what `backward` needs."""
        y, caches, lengths = self._x, [], self._lengths
        for number, layer in enumerate(self._model.layers):
            y, cache = layer.forward(y, lengths, self.states[number], training=True)
            caches.append(cache)
            if self._after:  # else the next window starts where this one does
                self.states[number] = _state_after(layer, cache, self._after, self._x.shape[1])
            lengths = None if y.ndim == 2 else lengths_after(layer, lengths)
        self._shape = y.shape
        return (y[:, self._skipped :] if y.ndim == 3 else y[self.learned]), caches

    def backward(self, dy: np.ndarray, caches: list[Any]) -> None:
        """Add the gradients of the steps from the window's start on; dy is that of the predictions."""
        whole = np.zeros(self._shape, dy.dtype)
        if whole.ndim == 3:
            whole[:, self._skipped :] = dy
        else:
            whole[self.learned] = dy
        self._model.backward(whole, caches)


def _state_after(layer: Layer, cache: Any, steps: int, time: int) -> State | None:
    """Where a layer stands after so many of `time` steps, of the cache of a forward pass."""
    if isinstance(layer, Recurrent):
        return cache.direction.state_at(min(steps, time))
    state = final_state(cache) or None
    if state and steps < time:
        raise ConfigError(f"tbptt: {layer.name} tells its state at the end of a call only; choose k2 = k1.")
    return state


def _steps_of(batch: Batch, rows: np.ndarray, begin: int, end: int, lengths: np.ndarray) -> Batch:
    """Steps of some sequences with their targets."""
    y, weights = batch.y, batch.sample_weight
    assert y is not None
    if y.shape[:2] != batch.x.shape[:2]:
        raise ShapeError(f"tbptt: y has shape {y.shape}, expected a target for each of the {batch.x.shape[1]} steps.")
    if weights is not None:
        weights = weights[rows, begin:end] if weights.ndim > 1 else weights[rows]
    return Batch(batch.x[rows, begin:end], lengths, y[rows, begin:end], weights)


def _rows_of(batch: Batch, rows: np.ndarray) -> Batch:
    """Some sequences with their targets."""
    y, weights = (None if given is None else given[rows] for given in (batch.y, batch.sample_weight))
    return Batch(batch.x[rows], None, y, weights)
