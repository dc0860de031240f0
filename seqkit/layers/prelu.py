"""A rectifier with a trained slope.

Legend: B batch, T time, F features, N valid steps (or vectors).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seqkit import initializers
from seqkit._core import add_column_sums
from seqkit.layer import Layer, State
from seqkit.steps import Steps


class PReLU(Layer):
    r"""``y = x`` where x is at least 0, ``y = alpha x`` below, at every step of a sequence, or of a vector.

    Parameters
    ----------
    alpha_initializer : str
        Name of the initial values of alpha, see :mod:`seqkit.initializers`.

    Attributes
    ----------
    params : Parameters
        ``alpha`` (F,).

    Notes
    -----
    Source: He et al., "Delving deep into rectifiers", ICCV 2015.

    Examples
    --------
    >>> import numpy as np
    >>> layer = PReLU().build(2, dtype="float64")
    >>> layer.params["alpha"] = [0.5, 0.1]
    >>> layer(np.array([[-2.0, -2.0], [3.0, 0.0]])).tolist()
    [[-1.0, -0.2], [3.0, 0.0]]
    """

    name = "prelu"

    def __init__(self, alpha_initializer: str = "zeros") -> None:
        self.alpha_initializer = alpha_initializer
        self._initialize = initializers.get(alpha_initializer)

    def config(self) -> dict[str, Any]:
        return {"alpha_initializer": self.alpha_initializer}

    def _build(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        return {"alpha": self._initialize((self.input_size,), rng)}

    def forward(
        self, x: np.ndarray, lengths: np.ndarray | None = None, state: State | None = None, training: bool = True
    ) -> tuple[np.ndarray, Any]:
        self._require_built()
        steps = Steps.of(np.shape(x)[:-1], lengths, self.dtype, self.name)
        rows = steps.rows(x, self.input_size)  # (N, F)
        y = np.where(rows < 0, rows * self.params.reading()["alpha"], rows)
        return steps.spread(y), ((steps, rows.copy()) if training else None)

    def backward(
        self, dy: np.ndarray, cache: Any, dstate: State | None = None, input_grad: bool = True
    ) -> tuple[np.ndarray | None, State]:
        steps, rows = cache
        drows = steps.rows(dy, self.input_size, "dy")
        add_column_sums(self.grads["alpha"], np.where(rows < 0, drows * rows, 0).astype(self.dtype, copy=False))
        if not input_grad:
            return None, ()
        return steps.spread(np.where(rows < 0, drows * self.params.reading()["alpha"], drows)), ()
