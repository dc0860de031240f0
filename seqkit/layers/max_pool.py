"""From a sequence to the largest value of each feature.

Legend: B batch, T time, F features.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seqkit.layer import Layer, State
from seqkit.sequences import as_gradient, as_lengths, as_sequences, as_vectors, state_or_zeros


class Cache(NamedTuple):
    """What the way back needs, and the final state."""

    shape: tuple[int, ...]
    places: np.ndarray
    """(B, F): the steps that have the largest values."""
    read: np.ndarray
    """(B, 1): whether a sequence has steps."""
    later: np.ndarray
    """(B, F): whether the largest value is one of these steps, not one from before."""
    state: State


class MaxPool(Layer):
    r"""The largest value of every feature over the valid steps, :math:`y_{b,f} = \max_{t < n_b} x_{b,t,f}`.

    (B, T, F) becomes (B, F); that of an empty sequence is 0.  Keras calls it GlobalMaxPooling1D.  Of equal values the
    first one takes the gradient.  In a stream the largest is that of all steps so far.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[[1.0], [-2.0], [7.0]], [[-3.0], [-4.0], [0.0]]])
    >>> MaxPool()(x, lengths=[3, 2]).tolist()
    [[7.0], [-3.0]]
    """

    name = "max_pool"

    @property
    def returns_sequences(self) -> bool:
        return False

    def forward(
        self, x: np.ndarray, lengths: np.ndarray | None = None, state: State | None = None, training: bool = True
    ) -> tuple[np.ndarray, Cache]:
        """The largest values, and a cache with a `state`: those of all steps so far, and 1 where there were any."""
        self._require_built()
        x = as_sequences(x, self.dtype, self.name, self.input_size)
        batch, time, features = x.shape
        ends = as_lengths(lengths, batch, time, self.name)
        read = np.full((batch, 1), time > 0) if ends is None else ends[:, None] > 0
        seen = x if time else np.zeros((batch, 1, features), self.dtype)
        if ends is not None:
            seen = seen.copy()
            seen[np.arange(seen.shape[1]) >= ends[:, None]] = -np.inf
        places = seen.argmax(axis=1)
        found = np.take_along_axis(seen, places[:, None], axis=1)[:, 0]
        before, known = self._before(state, batch)
        later = read & _exceeds(found, before, known)
        largest = np.where(later, found, before)
        final = largest, np.where(read, known.dtype.type(1), known)
        return np.where(read, largest, 0), Cache(x.shape, places, read, later, final)

    def _before(self, state: State | None, batch: int) -> State:
        """The largest values before a call, and whether there were any."""
        return state_or_zeros(state, ("largest", "known"), (batch, self.input_size, 1), self.dtype, self.name)

    def backward(
        self, dy: np.ndarray, cache: Cache, dstate: State | None = None, input_grad: bool = True
    ) -> tuple[np.ndarray | None, State]:
        """Gradient of the input and of the largest values before."""
        dlargest = np.where(cache.read, as_gradient(dy, cache.places.shape, self.dtype, self.name), 0)
        dknown = np.zeros_like(dlargest, shape=cache.read.shape)
        if dstate:
            dlargest, dknown = dlargest + dstate[0], np.where(cache.read, 0, dstate[1])
        dinitial = np.where(cache.later, 0, dlargest), dknown
        if not input_grad:
            return None, dinitial
        dx = np.zeros(cache.shape, self.dtype)
        if cache.shape[1]:
            np.put_along_axis(dx, cache.places[:, None], np.where(cache.later, dlargest, 0)[:, None], axis=1)
        return dx, dinitial

    def step(self, x_t: np.ndarray, state: State | None = None) -> tuple[np.ndarray, State]:
        """One step of a stream: the largest so far."""
        self._require_built()
        x_t = as_vectors(x_t, self.dtype, self.name, self.input_size)
        before, known = self._before(state, len(x_t))
        largest = np.where(_exceeds(x_t, before, known), x_t, before)
        return largest, (largest.copy(), np.ones_like(known))


def _exceeds(found: np.ndarray, before: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Where a value is larger than the one before, if there is one; NaN is larger than all, as to argmax."""
    return np.asarray((known == 0) | (found > before) | (np.isnan(found) & ~np.isnan(before)))
