"""The steps of a batch as rows of a matrix.

What works on every step alone (a dense layer, a loss) sees the valid steps of all sequences as
the rows of one matrix, and spreads its result back over the batch.  Steps past the end of their
sequence are never read, not even to be multiplied by 0, and come out as 0.

Legend: B batch, T time, F features, N valid steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.errors import ShapeError
from seqkit.sequences import as_lengths, as_numbers, valid_steps


@dataclass(frozen=True)
class Steps:
    """Where the valid steps of one batch are.

    Attributes
    ----------
    owner : str
        Name used in error messages.
    dtype : dtype
        Type of the rows.
    leading : tuple of int
        ``(B, T)`` for sequences, ``(B,)`` for vectors.
    valid : ndarray of bool, (B, T), or None
        Which steps are inside their sequence; None where all are.

    Examples
    --------
    >>> import numpy as np
    >>> steps = Steps.of((2, 2), [2, 1], np.dtype("float64"), "demo")
    >>> rows = steps.rows([[[1.0], [2.0]], [[3.0], [np.nan]]])
    >>> rows.tolist(), steps.spread(2 * rows).tolist()
    ([[1.0], [2.0], [3.0]], [[[2.0], [4.0]], [[6.0], [0.0]]])
    """

    owner: str
    dtype: np.dtype
    leading: tuple[int, ...]
    valid: np.ndarray | None

    @classmethod
    def of(cls, leading: tuple[int, ...], lengths: Any, dtype: np.dtype, owner: str) -> Steps:
        """The steps of a batch of sequences with these lengths, or of vectors.

        Raises
        ------
        ShapeError
            If `leading` is neither (B, T) nor (B,), or the lengths don't fit it.
        """
        if len(leading) == 2:
            checked = as_lengths(lengths, leading[0], leading[1], owner)
            return cls(owner, dtype, leading, valid_steps(checked, leading[0], leading[1]))
        if len(leading) != 1:
            raise ShapeError(
                f"{owner}: got an array of {len(leading) + 1} dimensions, expected (batch, time, features) or "
                f"(batch, features)."
            )
        if lengths is not None:
            raise ShapeError(f"{owner}: got lengths with vectors (batch, features); only sequences have lengths.")
        return cls(owner, dtype, leading, None)

    @property
    def count(self) -> int:
        """N, the number of valid steps (or of vectors)."""
        return math.prod(self.leading) if self.valid is None else int(np.count_nonzero(self.valid))

    def rows(self, array: Any, features: int | None = None, what: str = "x") -> np.ndarray:
        """The valid steps of `array`, shape `leading` + (F,), as (N, F).

        Raises
        ------
        ShapeError
            If `array` is not of this batch or has not `features` features.
        DTypeError
            If it does not hold real numbers.
        """
        array = as_numbers(array, self.dtype, self.owner, what)
        expected = (*self.leading, array.shape[-1] if array.ndim and features is None else features)
        if array.shape != expected:
            raise ShapeError(f"{self.owner}: {what} has shape {array.shape}, expected {expected}.")
        return self.pick(array)

    def pick(self, array: np.ndarray) -> np.ndarray:
        """The valid entries of an array of shape `leading` + anything, first axis N."""
        if self.valid is None:
            return array.reshape(self.count, *array.shape[len(self.leading) :])
        return array[self.valid]

    def spread(self, rows: np.ndarray) -> np.ndarray:
        """Rows (N, F) put back in their places, shape `leading` + (F,), 0 elsewhere."""
        if self.valid is None:
            return rows.reshape(*self.leading, rows.shape[-1])
        array = np.zeros((*self.leading, rows.shape[-1]), dtype=rows.dtype)
        array[self.valid] = rows
        return array
