"""From a sequence to the mean of its steps.

Legend: B batch, T time, F features, N valid steps.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from seqkit._core import scatter_add
from seqkit.layer import Layer, State
from seqkit.sequences import as_gradient, as_sequences, as_vectors, state_or_zeros
from seqkit.steps import Steps


class Cache(NamedTuple):
    """What the way back needs, and the final state."""

    steps: Steps
    owners: np.ndarray
    """(N,): the sequence of each step."""
    read: np.ndarray
    """(B, 1): whether a sequence has steps."""
    y: np.ndarray
    state: State


class MeanPool(Layer):
    r"""The mean of the valid steps of every sequence, :math:`y_b = \frac{1}{n_b} \sum_{t < n_b} x_{b,t}`.

    (B, T, F) becomes (B, F); that of an empty sequence is 0.  Keras calls it GlobalAveragePooling1D.  Steps are added
    in their order, so that neither padding nor neighbours change a bit.  In a stream the mean is that of all steps so
    far.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(6.0).reshape(2, 3, 1)
    >>> MeanPool()(x, lengths=[3, 2]).tolist()
    [[1.0], [3.5]]
    """

    name = "mean_pool"

    @property
    def returns_sequences(self) -> bool:
        return False

    def forward(
        self, x: np.ndarray, lengths: np.ndarray | None = None, state: State | None = None, training: bool = True
    ) -> tuple[np.ndarray, Cache]:
        """The means, and a cache with their `state`: the sums and numbers of all steps so far, (B, F) and (B, 1)."""
        self._require_built()
        x = as_sequences(x, self.dtype, self.name, self.input_size)
        batch, time = x.shape[:2]
        steps = Steps.of((batch, time), lengths, self.dtype, self.name)
        owners = steps.pick(np.repeat(np.arange(batch), time).reshape(batch, time))  # (N,), whose the steps are
        total, count = (array.copy() for array in self._before(state, batch))
        scatter_add(total, owners, np.ascontiguousarray(steps.pick(x)))
        scatter_add(count, owners, np.ones((len(owners), 1), self.dtype))
        read = np.bincount(owners, minlength=batch)[:, None] > 0  # (B, 1); the mean of no steps is 0
        y = np.divide(total, count, out=np.zeros_like(total), where=read)
        return y, Cache(steps, owners, read, y, (total, count))

    def _before(self, state: State | None, batch: int) -> State:
        """The sums and numbers before a call."""
        return state_or_zeros(state, ("sum", "count"), (batch, self.input_size, 1), self.dtype, self.name)

    def backward(
        self, dy: np.ndarray, cache: Cache, dstate: State | None = None, input_grad: bool = True
    ) -> tuple[np.ndarray | None, State]:
        """Gradient of the input and of the sums and numbers before."""
        dy = as_gradient(dy, cache.y.shape, self.dtype, self.name)
        share = np.divide(dy, cache.state[1], out=np.zeros_like(dy), where=cache.read)
        dtotal, dcount = share, -(share * cache.y).sum(axis=1, keepdims=True)
        if dstate:
            dtotal, dcount = dtotal + dstate[0], dcount + dstate[1]
        return (cache.steps.spread(dtotal[cache.owners]) if input_grad else None), (dtotal, dcount)

    def step(self, x_t: np.ndarray, state: State | None = None) -> tuple[np.ndarray, State]:
        """One step of a stream: the mean so far."""
        self._require_built()
        x_t = as_vectors(x_t, self.dtype, self.name, self.input_size)
        total, count = self._before(state, len(x_t))
        return (total + x_t) / (count + 1), (total + x_t, count + 1)
