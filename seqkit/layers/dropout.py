"""Dropout between layers.

Legend: B batch, T time, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqkit import _core
from seqkit.counter import Counter
from seqkit.errors import ConfigError
from seqkit.layer import Layer, State
from seqkit.options import fraction
from seqkit.rows import Rows
from seqkit.sequences import as_gradient, as_vectors
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
        Seed of the layer's own masks; without one it comes from the seed given to `build`.
    noise_shape : sequence of None or 1, optional
        Which numbers share an m, as (batch, time, features): 1 for an axis along which it is the same.
        ``(None, 1, None)`` drops the same features at every step of a sequence, as Keras'
        ``SpatialDropout1D`` does; ``(None, None, 1)`` drops whole steps.

    Raises
    ------
    ConfigError
        If `rate` is outside [0, 1), `seed` no integer of 64 bits, or `noise_shape` of another form.

    Notes
    -----
    What is dropped depends on the seed, on the number of the row since the layer was built, on time and
    feature alone: neither padding nor the size of batches changes it.  No mask is kept: the backward pass
    draws it again.

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
    _counter: Counter

    def __init__(self, rate: float, seed: int | None = None, noise_shape: Sequence[int | None] | None = None) -> None:
        self.rate = fraction(rate, f"{self.name}: rate")
        self.seed = seed if seed is None else _seed(seed, self.name)
        self.noise_shape = _axes(noise_shape, self.name)

    def config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        shape = None if self.noise_shape is None else list(self.noise_shape)
        return {"rate": self.rate, "seed": self.seed, "noise_shape": shape}

    def _build(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        # Not the caller's generator itself: other layers may go on drawing from it.
        self._counter = Counter(int(rng.integers(2**63)) if self.seed is None else self.seed)
        return {}

    def forward(
        self, x: np.ndarray, lengths: np.ndarray | None = None, state: State | None = None, training: bool = True
    ) -> tuple[np.ndarray, Any]:
        self._require_built()
        steps = Steps.of(np.shape(x)[:-1], lengths, self.dtype, self.name)
        if not training:
            return steps.spread(steps.rows(x, self.input_size)), None
        rows = Rows.of_array(_sequences(x), lengths, self.dtype, self.name, self.input_size)
        counter, shape = self._counter, (*steps.leading, self.input_size)
        cache = rows, _core.Noise(counter.seed, 0, self.rate), counter.row, shape
        y = self._drop(*cache)
        counter.advance(len(rows.lengths))
        return y, cache

    def _drop(self, rows: Rows, noise: _core.Noise, first_row: int, shape: tuple[int, ...]) -> np.ndarray:
        """The rows times their mask."""
        out, axes = rows.new(self.input_size), self.noise_shape or (None, None, None)
        sizes = rows.time, self.input_size, self.dtype.name
        _core.drop(noise, first_row, rows.place, out.place, rows.lengths, *sizes, axes[1] == 1, axes[2] == 1)
        return out.array.reshape(shape)

    def backward(
        self, dy: np.ndarray, cache: Any, dstate: State | None = None, input_grad: bool = True
    ) -> tuple[np.ndarray | None, State]:
        rows, noise, first_row, shape = cache
        dy = as_gradient(dy, shape, self.dtype, self.name)
        return (self._drop(rows.of_view(_sequences(dy)), noise, first_row, shape) if input_grad else None), ()

    def step(self, x_t: np.ndarray, state: State | None = None) -> tuple[np.ndarray, State]:
        """One step of a stream: (B, F), unchanged."""
        self._require_built()
        return as_vectors(x_t, self.dtype, self.name, self.input_size), ()


def _sequences(x: np.ndarray) -> np.ndarray:
    """Vectors as sequences of one step."""
    return np.asarray(x)[:, None] if np.ndim(x) == 2 else x


def _axes(shape: Sequence[int | None] | None, owner: str) -> tuple[int | None, ...] | None:
    """A noise_shape that has been checked."""
    if shape is None:
        return None
    axes = tuple(shape)
    if len(axes) != 3 or axes[0] is not None or any(axis not in (None, 1) for axis in axes[1:]):
        raise ConfigError(
            f"{owner}: noise_shape must be (None, time, features) with 1 for an axis along which a mask is the same "
            f"and None for another, got {shape!r}."
        )
    return axes


def _seed(seed: Any, owner: str) -> int:
    """A seed that has been checked."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**64:
        raise ConfigError(f"{owner}: seed must be an integer of at least 0 and below 2**64, got {seed!r}.")
    return int(seed)
