"""From a vector to a sequence.

Legend: B batch, T time, F features.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seqkit.errors import ConfigError, ShapeError
from seqkit.layer import Layer, State
from seqkit.options import positive_integer
from seqkit.sequences import as_gradient, as_numbers


class RepeatVector(Layer):
    """The same vector at every step: ``y_t = x`` for t from 1 to `n`.

    So the decoder of a sequence-to-sequence model is given what the encoder has made of a whole sequence.

    Parameters
    ----------
    n : int
        Number of steps.

    Examples
    --------
    >>> import numpy as np
    >>> RepeatVector(2)(np.array([[1.0, 2.0]])).tolist()
    [[[1.0, 2.0], [1.0, 2.0]]]
    """

    name = "repeat_vector"

    def __init__(self, n: int = 1) -> None:
        self.n = positive_integer(n, f"{self.name}: n")

    def config(self) -> dict[str, Any]:
        return {"n": self.n}

    def forward(
        self, x: np.ndarray, lengths: np.ndarray | None = None, state: State | None = None, training: bool = True
    ) -> tuple[np.ndarray, Any]:
        self._require_built()
        x = as_numbers(x, self.dtype, self.name)
        if x.ndim != 2 or x.shape[1] != self.input_size:
            raise ShapeError(f"{self.name}: x has shape {x.shape}, expected (batch, {self.input_size}).")
        return np.repeat(x[:, None], self.n, axis=1), (len(x) if training else None)

    def backward(
        self, dy: np.ndarray, cache: Any, dstate: State | None = None, input_grad: bool = True
    ) -> tuple[np.ndarray | None, State]:
        dy = as_gradient(dy, (cache, self.n, self.input_size), self.dtype, self.name)
        return (dy.sum(axis=1) if input_grad else None), ()

    def step(self, x_t: np.ndarray, state: State | None = None) -> tuple[np.ndarray, State]:
        """Not possible: one vector gives all steps."""
        raise ConfigError(f"{self.name}: one vector gives a whole sequence, so there is no stream of its steps.")
