"""Normalization of every step over its features.

Legend: B batch, T time, F features, N valid steps (or vectors).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seqkit._core import add_column_sums
from seqkit.layer import Layer, State
from seqkit.options import positive_number
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

    def forward(
        self, x: np.ndarray, lengths: np.ndarray | None = None, state: State | None = None, training: bool = True
    ) -> tuple[np.ndarray, Any]:
        self._require_built()
        steps = Steps.of(np.shape(x)[:-1], lengths, self.dtype, self.name)
        rows = np.ascontiguousarray(steps.rows(x, self.input_size))  # (N, F)
        centred = rows - _mean(rows)
        inverse = 1 / np.sqrt(_mean(centred * centred) + self.dtype.type(self.epsilon))  # (N, 1)
        normal = centred * inverse
        params = self.params.reading()
        y = normal * params["gamma"] if self.scale else normal
        y = y + params["beta"] if self.center else y
        return steps.spread(y), ((steps, normal, inverse) if training else None)

    def backward(
        self, dy: np.ndarray, cache: Any, dstate: State | None = None, input_grad: bool = True
    ) -> tuple[np.ndarray | None, State]:
        steps, normal, inverse = cache
        dnormal = np.ascontiguousarray(steps.rows(dy, self.input_size, "dy"))  # (N, F)
        if self.center:
            add_column_sums(self.grads["beta"], dnormal)
        if self.scale:
            add_column_sums(self.grads["gamma"], dnormal * normal)
            dnormal = dnormal * self.params.reading()["gamma"]
        if not input_grad:
            return None, ()
        along = dnormal - _mean(dnormal) - normal * _mean(dnormal * normal)
        return steps.spread(inverse * along), ()


def _mean(rows: np.ndarray) -> np.ndarray:
    """Over the features of each row, (N, 1)."""
    return np.asarray(rows.mean(axis=1, keepdims=True))
