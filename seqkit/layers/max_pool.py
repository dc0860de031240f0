"""From a sequence to the largest value of each feature.

Legend: B batch, T time, F features.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seqkit.layer import Layer, State
from seqkit.sequences import as_gradient, as_lengths, as_sequences, as_state, valid_steps


class Cache(NamedTuple):
    """What the way back needs, and the final state."""

    shape: tuple[int, ...]
    places: np.ndarray
    """(B, 1, F): where the largest values are, 0 for those from before the first step."""
    read: np.ndarray
    """(B, 1): whether a sequence has steps."""
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
        before = as_state(state, ("largest", "known"), (batch, features, 1), self.dtype, self.name)
        largest, known = before or (np.zeros((batch, features), self.dtype), np.zeros((batch, 1), self.dtype))
        seen = np.empty((batch, 1 + time, features), self.dtype)  # behind the largest value from before
        seen[:, 0], seen[:, 1:] = np.where(known != 0, largest, -np.inf), x
        if (valid := valid_steps(ends, batch, time)) is not None:
            seen[:, 1:][~valid] = -np.inf
        places = seen.argmax(axis=1)[:, None]  # (B, 1, F)
        read = np.full((batch, 1), time > 0) if ends is None else ends[:, None] > 0
        largest = np.where(read, np.take_along_axis(seen, places, axis=1)[:, 0], largest)
        final = largest, np.where(read, known.dtype.type(1), known)
        return np.where(read, largest, 0), Cache(x.shape, places, read, final)

    def backward(
        self, dy: np.ndarray, cache: Cache, dstate: State | None = None, input_grad: bool = True
    ) -> tuple[np.ndarray | None, State]:
        """Gradient of the input and of the largest values before."""
        batch, time, features = cache.shape
        dlargest = np.where(cache.read, as_gradient(dy, (batch, features), self.dtype, self.name), 0)
        dknown = np.zeros((batch, 1), self.dtype)
        if dstate:
            dlargest, dknown = dlargest + dstate[0], np.where(cache.read, 0, dstate[1])
        dseen = np.zeros((batch, 1 + time, features), self.dtype)
        np.put_along_axis(dseen, cache.places, dlargest[:, None], axis=1)
        return (dseen[:, 1:] if input_grad else None), (dseen[:, 0], dknown)
