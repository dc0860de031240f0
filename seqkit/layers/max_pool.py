"""From a sequence to the largest value of each feature.

Legend: B batch, T time, F features.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seqkit.layer import Layer, State
from seqkit.sequences import as_gradient, as_lengths, as_sequences, as_state, as_vectors, valid_steps


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
    ) -> tuple[np.ndarray, Any]:
        self._require_built()
        x = as_sequences(x, self.dtype, self.name, self.input_size)
        batch, time, features = x.shape
        ends = as_lengths(lengths, batch, time, self.name)
        valid = valid_steps(ends, batch, time)
        if not time:
            return np.zeros((batch, features), self.dtype), ((x.shape, None, None) if training else None)
        seen = x if valid is None else np.where(valid[:, :, None], x, -np.inf)
        places = seen.argmax(axis=1)[:, None]  # (B, 1, F)
        inside = True if ends is None else (ends > 0)[:, None]  # an empty sequence has no largest
        y = np.where(inside, np.take_along_axis(seen, places, axis=1)[:, 0], 0)
        return y.astype(self.dtype, copy=False), ((x.shape, places, inside) if training else None)

    def backward(
        self, dy: np.ndarray, cache: Any, dstate: State | None = None, input_grad: bool = True
    ) -> tuple[np.ndarray | None, State]:
        shape, places, inside = cache
        dy = as_gradient(dy, (shape[0], shape[2]), self.dtype, self.name)
        if not input_grad:
            return None, ()
        dx = np.zeros(shape, self.dtype)
        if places is not None:
            np.put_along_axis(dx, places, np.where(inside, dy, 0)[:, None], axis=1)
        return dx, ()

    def step(self, x_t: np.ndarray, state: State | None = None) -> tuple[np.ndarray, State]:
        """One step of a stream: the largest so far, which is the state, too."""
        self._require_built()
        x_t = as_vectors(x_t, self.dtype, self.name, self.input_size)
        before = as_state(state, ("largest",), x_t.shape, self.dtype, self.name)
        largest = x_t.copy() if before is None else np.maximum(before[0], x_t)
        return largest, (largest.copy(),)
