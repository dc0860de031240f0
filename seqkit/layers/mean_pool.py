"""From a sequence to the mean of its steps.

Legend: B batch, T time, F features, N valid steps.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seqkit._core import scatter_add
from seqkit.layer import Layer, State
from seqkit.sequences import as_gradient, as_sequences, as_state, as_vectors
from seqkit.steps import Steps


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
    ) -> tuple[np.ndarray, Any]:
        self._require_built()
        x = as_sequences(x, self.dtype, self.name, self.input_size)
        batch, time, features = x.shape
        steps = Steps.of((batch, time), lengths, self.dtype, self.name)
        owners = steps.pick(np.repeat(np.arange(batch), time).reshape(batch, time))  # (N,), whose the steps are
        count = np.maximum(np.bincount(owners, minlength=batch), 1).astype(self.dtype)[:, None]  # (B, 1)
        total = np.zeros((batch, features), self.dtype)
        scatter_add(total, owners, np.ascontiguousarray(steps.pick(x)))
        return total / count, ((steps, owners, count) if training else None)

    def backward(
        self, dy: np.ndarray, cache: Any, dstate: State | None = None, input_grad: bool = True
    ) -> tuple[np.ndarray | None, State]:
        steps, owners, count = cache
        dy = as_gradient(dy, (len(count), self.input_size), self.dtype, self.name)
        return (steps.spread((dy / count)[owners]) if input_grad else None), ()

    def step(self, x_t: np.ndarray, state: State | None = None) -> tuple[np.ndarray, State]:
        """One step of a stream: the mean so far; the state is the sum of the steps and their number."""
        self._require_built()
        x_t = as_vectors(x_t, self.dtype, self.name, self.input_size)
        before = as_state(state, ("sum", "count"), (*x_t.shape, 1), self.dtype, self.name)
        total, count = (np.zeros_like(x_t), np.zeros((len(x_t), 1), self.dtype)) if before is None else before
        return (total + x_t) / (count + 1), (total + x_t, count + 1)
