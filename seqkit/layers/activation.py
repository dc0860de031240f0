"""A function of every number.

Legend: B batch, T time, F features.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from seqkit import activations
from seqkit.layer import Layer, State
from seqkit.sequences import as_vectors
from seqkit.steps import Steps


class Activation(Layer):
    """``y = f(x)`` at every step of a sequence, or of a vector.

    Parameters
    ----------
    activation : str or mapping
        Name of f, "relu", "softmax" and so on, see :mod:`seqkit.activations`; or ``{"name": "leaky_relu",
        "alpha": 0.3}``.

    Raises
    ------
    ConfigError
        If the name is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> Activation("relu")(np.array([[-1.0, 2.0]])).tolist()
    [[0.0, 2.0]]
    """

    name = "activation"

    def __init__(self, activation: str | Mapping[str, Any] = "relu") -> None:
        self.activation = dict(activation) if isinstance(activation, Mapping) else activation
        self._activation = activations.get(activation)

    def config(self) -> dict[str, Any]:
        return {"activation": self.activation}

    def forward(
        self, x: np.ndarray, lengths: np.ndarray | None = None, state: State | None = None, training: bool = True
    ) -> tuple[np.ndarray, Any]:
        self._require_built()
        steps = Steps.of(np.shape(x)[:-1], lengths, self.dtype, self.name)
        rows = steps.rows(x, self.input_size)  # (N, F)
        y = self._activation.forward(rows)
        cache = (steps, self._activation.kept(rows, y)) if training else None
        return steps.spread(y), cache

    def backward(
        self, dy: np.ndarray, cache: Any, dstate: State | None = None, input_grad: bool = True
    ) -> tuple[np.ndarray | None, State]:
        if not input_grad:
            return None, ()
        steps, kept = cache
        return steps.spread(self._activation.backward(steps.rows(dy, self.input_size, "dy"), kept)), ()

    def step(self, x_t: np.ndarray, state: State | None = None) -> tuple[np.ndarray, State]:
        """One step of a stream: (B, F) to (B, F)."""
        self._require_built()
        return self._activation.forward(as_vectors(x_t, self.dtype, self.name, self.input_size)), ()
