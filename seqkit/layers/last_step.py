"""From a sequence to its last step.

Legend: B batch, T time, F features.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seqkit.layer import Layer, State
from seqkit.sequences import as_gradient, as_lengths, as_sequences, as_vectors


class LastStep(Layer):
    """The last valid step of every sequence: ``y_b = x_{b, length_b - 1}``, 0 if it is empty.

    It turns the output of a layer that returns sequences into one vector per sequence.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(6.0).reshape(2, 3, 1)
    >>> LastStep()(x, lengths=[3, 1]).tolist()
    [[2.0], [3.0]]
    """

    name = "last_step"

    @property
    def returns_sequences(self) -> bool:
        return False

    def forward(
        self, x: np.ndarray, lengths: np.ndarray | None = None, state: State | None = None, training: bool = True
    ) -> tuple[np.ndarray, Any]:
        self._require_built()
        x = as_sequences(x, self.dtype, self.name, self.input_size)
        batch, time, features = x.shape
        checked = as_lengths(lengths, batch, time, self.name)
        ends = np.full(batch, time) if checked is None else checked
        rows = np.flatnonzero(ends)
        y = np.zeros((batch, features), dtype=self.dtype)
        y[rows] = x[rows, ends[rows] - 1]
        return y, ((x.shape, rows, ends[rows] - 1) if training else None)

    def backward(
        self, dy: np.ndarray, cache: Any, dstate: State | None = None, input_grad: bool = True
    ) -> tuple[np.ndarray | None, State]:
        (batch, time, features), rows, ends = cache
        dy = as_gradient(dy, (batch, features), self.dtype, self.name)
        if not input_grad:
            return None, ()
        dx = np.zeros((batch, time, features), dtype=self.dtype)
        dx[rows, ends] = dy[rows]
        return dx, ()

    def step(self, x_t: np.ndarray, state: State | None = None) -> tuple[np.ndarray, State]:
        """One step of a stream: (B, F), unchanged."""
        self._require_built()
        return as_vectors(x_t, self.dtype, self.name, self.input_size), ()
