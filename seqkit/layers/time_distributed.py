"""A layer of vectors on every step.

Legend: B batch, T time, F features, N valid steps.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seqkit.errors import ConfigError, ShapeError
from seqkit.layer import Layer, State
from seqkit.sequences import as_sequences, as_vectors
from seqkit.steps import Steps
from seqkit.wrapper import Wrapper

VectorLayer = Layer
"""A layer that takes vectors (batch, features)."""


class TimeDistributed(Wrapper):
    r"""The same layer of vectors on every step: :math:`y_t = f(x_t)`.

    The inner layer is given the valid steps of all sequences as one batch of vectors, and none that are past the end.
    `Dense`, `Activation`, `LayerNorm` and `Dropout` take sequences themselves and need no wrapper; with it they give
    the same, but that dropout draws a row of random numbers for every step.

    Parameters
    ----------
    layer : Layer
        A layer that takes vectors (batch, features) and gives vectors.

    Raises
    ------
    ConfigError
        If the layer takes ids or several inputs.
    ShapeError
        If it does not give a vector for each vector.

    Examples
    --------
    >>> import numpy as np
    >>> import seqkit
    >>> inner = seqkit.Dense(2).build(3, seed=0)
    >>> x = np.random.default_rng(0).standard_normal((2, 4, 3), dtype=np.float32)
    >>> bool((TimeDistributed(inner)(x) == inner(x)).all())
    True
    """

    name = "time_distributed"

    def __init__(self, layer: VectorLayer) -> None:
        super().__init__(layer)
        if layer.accepts_ids or len(layer.inputs) > 1:
            raise ConfigError(f"{self.name}: a layer of vectors such as seqkit.Dense(8) was expected, got {layer!r}.")

    @property
    def returns_sequences(self) -> bool:
        """A step comes out for every step."""
        return True

    @property
    def reads_backwards(self) -> bool:
        """No step knows of another one."""
        return False

    def output_lengths(self, lengths: Any) -> np.ndarray | None:
        """The lengths themselves."""
        return Layer.output_lengths(self, lengths)

    def forward(
        self, x: np.ndarray, lengths: np.ndarray | None = None, state: State | None = None, training: bool = True
    ) -> tuple[np.ndarray, Any]:
        """The inner layer's output for every valid step, 0 past the end."""
        self._require_built()
        x = as_sequences(x, self.dtype, self.name, self.input_size)
        steps = Steps.of(x.shape[:2], lengths, self.dtype, self.name)
        y, cache = self._vectors(steps.pick(x), training)
        return steps.spread(y), (steps, cache)

    def _vectors(self, rows: np.ndarray, training: bool) -> tuple[np.ndarray, Any]:
        """What the inner layer gives for vectors (N, F)."""
        y, cache = self.layer.forward(rows, None, None, training)
        if np.shape(y) != (len(rows), self.output_size):
            raise ShapeError(
                f"{self.name}: {self.layer.name} gives {np.shape(y)} for vectors {rows.shape}, expected "
                f"{(len(rows), self.output_size)}, a vector for each."
            )
        return y, cache

    def backward(
        self, dy: np.ndarray, cache: Any, dstate: State | None = None, input_grad: bool = True
    ) -> tuple[np.ndarray | None, State]:
        """Gradient of the input; adds to `grads`."""
        steps, inner = cache
        dx, _ = self.layer.backward(steps.rows(dy, self.output_size, "dy"), inner, None, input_grad)
        return (None if dx is None else steps.spread(dx)), ()

    def step(self, x_t: np.ndarray, state: State | None = None) -> tuple[np.ndarray, State]:
        """One step of a stream."""
        self._require_built()
        return self._vectors(as_vectors(x_t, self.dtype, self.name, self.input_size), training=False)[0], ()
