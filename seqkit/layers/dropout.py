"""Dropout between layers.

Legend: B batch, T time, F features, N valid steps (or vectors).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seqkit.layer import Layer, State
from seqkit.options import fraction
from seqkit.sequences import as_vectors
from seqkit.steps import Steps


class Dropout(Layer):
    """Set each value to 0 with probability `rate` while training, and scale up the others.

    ``y = m * x / (1 - rate)`` with a fresh m of zeros and ones for every value, so that the
    expected value of y is x.  Outside training y is x.

    Parameters
    ----------
    rate : float
        Probability of a 0, at least 0 and below 1.
    seed : int, optional
        Seed of the layer's own generator; without one it comes from the seed given to `build`.

    Raises
    ------
    ConfigError
        If `rate` is outside [0, 1).

    Notes
    -----
    Only valid steps draw numbers, so padding does not change what is dropped.

    Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from
    overfitting", JMLR 15, 2014.

    Examples
    --------
    >>> import numpy as np
    >>> dropout = Dropout(0.5, seed=1).build(4)
    >>> dropout(np.ones((1, 4))).tolist(), sorted(set(dropout(np.ones((9, 4)), training=True).ravel().tolist()))
    ([[1.0, 1.0, 1.0, 1.0]], [0.0, 2.0])
    """

    name = "dropout"
    training_only = True

    def __init__(self, rate: float, seed: int | None = None) -> None:
        self.rate = fraction(rate, f"{self.name}: rate")
        self.seed = seed

    def config(self) -> dict[str, Any]:
        return {"rate": self.rate, "seed": self.seed}

    def _build(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        # Not the caller's generator itself: other layers may go on drawing from it.
        self._rng = np.random.default_rng(int(rng.integers(2**63)) if self.seed is None else self.seed)
        return {}

    def forward(
        self, x: np.ndarray, lengths: np.ndarray | None = None, state: State | None = None, training: bool = True
    ) -> tuple[np.ndarray, Any]:
        self._require_built()
        steps = Steps.of(np.shape(x)[:-1], lengths, self.dtype, self.name)
        rows = steps.rows(x, self.input_size)  # (N, F)
        if not training:
            return steps.spread(rows), None
        factor = self._factors(rows.shape)
        return steps.spread(rows * factor), (steps, factor)

    def _factors(self, shape: tuple[int, ...]) -> np.ndarray:
        kept = self._rng.random(shape, dtype=self.dtype) >= self.rate
        return kept * self.dtype.type(1.0 / (1.0 - self.rate))

    def backward(
        self, dy: np.ndarray, cache: Any, dstate: State | None = None, input_grad: bool = True
    ) -> tuple[np.ndarray | None, State]:
        steps, factor = cache
        rows = steps.rows(dy, self.input_size, "dy")
        return (steps.spread(rows * factor) if input_grad else None), ()

    def step(self, x_t: np.ndarray, state: State | None = None) -> tuple[np.ndarray, State]:
        """One step of a stream: (B, F), unchanged."""
        self._require_built()
        return as_vectors(x_t, self.dtype, self.name, self.input_size), ()
