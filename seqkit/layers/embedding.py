"""Vectors for integer ids.

Legend: B batch, T time, V number of ids (`input_dim`), F features (`output_dim`), N valid steps.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from seqkit import initializers
from seqkit._core import scatter_add
from seqkit.arrays import as_array
from seqkit.errors import ConfigError, DataError, DTypeError, ShapeError
from seqkit.layer import Layer, State
from seqkit.options import positive_integer
from seqkit.steps import Steps


class Embedding(Layer):
    """Row ``W[id]`` of a trained table for every id: (B, T) integers to (B, T, F).

    Parameters
    ----------
    input_dim : int
        Number of different ids; they run from 0 to ``input_dim - 1``.
    output_dim : int
        Number of features of a vector.
    embeddings_initializer : str
        Name of the initial values, see :mod:`seqkit.initializers`.
    mask_zero : bool
        Whether the id 0 is padding and nothing else.  A `Sequential` that begins with this layer and is given an array
        without lengths takes the zeros at the end of each row for padding; elsewhere give lengths.  An id 0 before the
        end of a sequence, as of rows that are padded on the left, is an error: pad on the right, or write
        ``Masked([Embedding(...), LSTM(...)])``, which skips masked steps anywhere, as Keras does.

    Attributes
    ----------
    params : Parameters
        ``weight`` (V, F).

    Notes
    -----
    An id is one value per step, so `input_size` is 1 and the layer can be built without data.
    Ids past the end of their sequence are not looked at and may be anything.

    Examples
    --------
    >>> import numpy as np
    >>> embedding = Embedding(3, 2).build()
    >>> embedding.params["weight"] = [[0, 0], [1, 2], [3, 4]]
    >>> embedding(np.array([[2, 1]])).tolist()
    [[[3.0, 4.0], [1.0, 2.0]]]
    >>> Embedding(3, 2, mask_zero=True).lengths_of(np.array([[2, 1, 0], [1, 0, 0], [0, 0, 0]])).tolist()
    [2, 1, 0]
    """

    name = "embedding"
    accepts_ids = True

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: str = "random_uniform",
        mask_zero: bool = False,
    ) -> None:
        self.input_dim = positive_integer(input_dim, f"{self.name}: input_dim")
        self.output_dim = positive_integer(output_dim, f"{self.name}: output_dim")
        self.embeddings_initializer = embeddings_initializer
        self.mask_zero = bool(mask_zero)
        self._initialize = initializers.get(embeddings_initializer)

    def config(self) -> dict[str, Any]:
        return {
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "embeddings_initializer": self.embeddings_initializer,
            "mask_zero": self.mask_zero,
        }

    @property
    def output_size(self) -> int:
        return self.output_dim

    def build(
        self,
        input_size: int | tuple[int, ...] = 1,
        seed: int | np.random.Generator | None = None,
        dtype: str = "float32",
    ) -> Self:
        """Make the table; see :meth:`seqkit.Layer.build`.

        Raises
        ------
        ConfigError
            If `input_size` is not 1: the number of ids is `input_dim`.
        """
        if input_size not in (1, (1,)):
            raise ConfigError(f"{self.name}: input_size must be 1 (one id per step), got {input_size!r}.")
        return super().build(input_size, seed, dtype)

    def _build(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        initializers.require_room((self.input_dim, self.output_dim), self.name)
        return {"weight": self._initialize((self.input_dim, self.output_dim), rng)}

    def lengths_of(self, x: np.ndarray) -> np.ndarray | None:
        """With `mask_zero`, the steps before the zeros at the end of each row of ids (B, T); else None."""
        if not self.mask_zero or x.ndim != 2:
            return None
        zeros_behind = np.cumprod(x[:, ::-1] == 0, axis=1)  # 1 from the end to the last id
        return np.asarray(x.shape[1] - zeros_behind.sum(axis=1, dtype=np.int64))

    def forward(
        self, x: np.ndarray, lengths: np.ndarray | None = None, state: State | None = None, training: bool = True
    ) -> tuple[np.ndarray, Any]:
        self._require_built()
        ids = as_array(x, self.name)
        if ids.ndim != 2:
            raise ShapeError(f"{self.name}: x has shape {ids.shape}, expected ids (batch, time).")
        steps = Steps.of(ids.shape, lengths, self.dtype, self.name)
        valid = self._checked(steps.pick(ids))  # (N,)
        return steps.spread(self.params["weight"][valid]), ((steps, valid) if training else None)

    def _checked(self, ids: np.ndarray) -> np.ndarray:
        if ids.size and ids.dtype.kind not in "iu":
            raise DTypeError(f"{self.name}: ids must be integers, got dtype {ids.dtype}; convert them to int64.")
        wrong = ids[(ids < 0) | (ids >= self.input_dim)]
        if wrong.size:
            raise DataError(
                f"{self.name}: x holds the id {wrong[0]}, expected 0 to {self.input_dim - 1}; "
                f"make input_dim larger or map unknown ids to a known one."
            )
        if self.mask_zero and not ids.all():
            raise DataError(
                f"{self.name}: x has the id 0 inside a sequence, which is padding with mask_zero=True; pad on the "
                f"right and give lengths, or write seqkit.Masked([seqkit.Embedding(...), ...]), which skips it."
            )
        return np.ascontiguousarray(ids, np.int64)

    def backward(
        self, dy: np.ndarray, cache: Any, dstate: State | None = None, input_grad: bool = True
    ) -> tuple[np.ndarray | None, State]:
        steps, ids = cache
        rows = np.ascontiguousarray(steps.rows(dy, self.output_dim, "dy"))  # (N, F)
        scatter_add(self.grads["weight"], ids, rows)  # in the order of the batch
        return None, ()  # integers have no gradient

    def step(self, x_t: np.ndarray, state: State | None = None) -> tuple[np.ndarray, State]:
        """One step of a stream: ids (B,) to (B, F)."""
        self._require_built()
        ids = as_array(x_t, self.name, "x_t")
        if ids.ndim != 1:
            raise ShapeError(f"{self.name}: x_t has shape {ids.shape}, expected ids (batch,).")
        return self.params["weight"][self._checked(ids)], ()
