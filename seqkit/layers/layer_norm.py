"""Normalization of every step over its features.

Legend: B batch, F features.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seqkit import _core
from seqkit.layer import Layer, State
from seqkit.options import positive_number
from seqkit.rows import Rows
from seqkit.sequences import as_gradient, as_vectors
from seqkit.steps import Steps


class LayerNorm(Layer):
    r"""Every step, or vector, with mean 0 and deviation 1 over its features, then scaled and moved.

    .. math:: y_f = \gamma_f \frac{x_f - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta_f, \quad
        \mu = \frac{1}{F} \sum_f x_f, \quad \sigma^2 = \frac{1}{F} \sum_f (x_f - \mu)^2

    No step knows of another one, so it is the same in a stream.  Keras calls it LayerNormalization.

    Parameters
    ----------
    epsilon : float
        Added to the variance; Keras' value, where PyTorch has 1e-5.
    center, scale : bool
        Whether there is a :math:`\beta`, a :math:`\gamma`.

    Attributes
    ----------
    params : Parameters
        ``gamma`` (F,) and ``beta`` (F,), which begin at 1 and 0; PyTorch's ``weight`` and ``bias``.

    Raises
    ------
    ConfigError
        If `epsilon` is not a positive number.

    References
    ----------
    Ba, Kiros and Hinton, "Layer normalization", 2016.

    Examples
    --------
    >>> import numpy as np
    >>> LayerNorm()(np.array([[1.0, 3.0]])).round(2).tolist()
    [[-1.0, 1.0]]
    """

    name = "layer_norm"

    def __init__(self, epsilon: float = 1e-3, center: bool = True, scale: bool = True) -> None:
        self.epsilon = positive_number(epsilon, f"{self.name}: epsilon")
        self.center, self.scale = bool(center), bool(scale)

    def config(self) -> dict[str, Any]:
        return {"epsilon": self.epsilon, "center": self.center, "scale": self.scale}

    def _build(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        size = self.input_size
        gamma = {"gamma": np.ones(size)} if self.scale else {}
        return gamma | ({"beta": np.zeros(size)} if self.center else {})

    def _factors(self) -> tuple[np.ndarray, np.ndarray]:
        """gamma and beta, those that are not there as 1 and 0."""
        params, size = self.params.reading(), self.input_size
        gamma = params["gamma"] if self.scale else np.ones(size, self.dtype)
        return gamma, params["beta"] if self.center else np.zeros(size, self.dtype)

    def forward(
        self, x: np.ndarray, lengths: np.ndarray | None = None, state: State | None = None, training: bool = True
    ) -> tuple[np.ndarray, Any]:
        self._require_built()
        steps = Steps.of(np.shape(x)[:-1], lengths, self.dtype, self.name)
        rows = Rows.of_array(_sequences(x), lengths, self.dtype, self.name, self.input_size)
        y, shape = rows.new(self.input_size), (*steps.leading, self.input_size)
        moments = _core.normalize(rows.place, y.place, rows.lengths, *self._factors(), self.epsilon)
        return y.array.reshape(shape), ((rows, moments, shape) if training else None)

    def backward(
        self, dy: np.ndarray, cache: Any, dstate: State | None = None, input_grad: bool = True
    ) -> tuple[np.ndarray | None, State]:
        rows, moments, shape = cache
        given = rows.of_view(_sequences(as_gradient(dy, shape, self.dtype, self.name)))
        dx = rows.new(self.input_size) if input_grad else None
        place, grads = None if dx is None else dx.place, self.grads
        sums = grads.get("gamma"), grads.get("beta")
        _core.normalize_back(rows.place, given.place, place, rows.lengths, moments, self._factors()[0], *sums)
        return (None if dx is None else dx.array.reshape(shape)), ()

    def step(self, x_t: np.ndarray, state: State | None = None) -> tuple[np.ndarray, State]:
        """One step of a stream: (B, F) to (B, F)."""
        self._require_built()
        y = _core.normalize_rows(x_t, *self._factors(), self.epsilon)
        return (y, ()) if y is not None else self.step(as_vectors(x_t, self.dtype, self.name, self.input_size))


def _sequences(x: np.ndarray) -> np.ndarray:
    """Vectors as the steps of one sequence."""
    return np.asarray(x)[None] if np.ndim(x) == 2 else x
