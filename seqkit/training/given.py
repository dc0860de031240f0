"""What samples are made of: inputs, targets and weights as the user gave them.

Only the sequences of one batch are ever padded together, on the right and with zeros, so a
long sequence costs nothing to the batches it is not in.  A list of sequences is kept as one array,
from which a batch is gathered by compiled code.

Legend: S sequences (samples), B batch, T time, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqkit._core import gather_padded
from seqkit.arrays import as_array
from seqkit.errors import ConfigError, DTypeError, ShapeError
from seqkit.sequences import as_lengths, as_list, is_ragged


class Joined:
    """Sequences that lie one behind the other in one array, of which any can be taken as a batch.

    Parameters
    ----------
    rows : sequence of array_like, (T_i, F) or (T_i,)
        The sequences; they are copied.
    what : str
        Name used in error messages.

    Examples
    --------
    >>> import numpy as np
    >>> joined = Joined([np.array([1.0, 2.0]), np.array([3.0]), np.array([])], "x")
    >>> joined.take(np.array([1, 0])).tolist(), joined.lengths.tolist()
    ([[3.0, 0.0], [1.0, 2.0]], [2, 1, 0])
    """

    def __init__(self, rows: Sequence[Any], what: str) -> None:
        arrays, self.lengths = as_list(rows, what)
        self.values = np.ascontiguousarray(np.concatenate(arrays))
        if self.values.dtype.hasobject:
            raise DTypeError(f"{what} must hold numbers, got dtype {self.values.dtype}; convert it to float32.")
        self.starts = np.cumsum(self.lengths) - self.lengths

    def __len__(self) -> int:
        return len(self.lengths)

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Sequences `rows` as (B, T, F) or (B, T) with zeros past their ends."""
        return gather_padded(self.values, self.starts, self.lengths, rows)


class Input:
    """One input of all samples.

    Parameters
    ----------
    x : array_like or list of ndarray
        (S, T, F) sequences, (S, F) vectors, (S, T) ids, or a list of (T_i, F) sequences or of (T_i,) ids.
    lengths : array_like of int, (S,), optional
        True lengths of right-padded sequences.
    ids : bool
        Whether it is integer ids.
    what : str
        Name used in error messages.

    Attributes
    ----------
    values : ndarray or Joined
    lengths : ndarray or None
    """

    def __init__(self, x: Any, lengths: Any, ids: bool, what: str = "x") -> None:
        self.ids, self.ragged = ids, is_ragged(x, ndim=1 if ids else 2)
        self.values: np.ndarray | Joined = Joined(x, what) if self.ragged else _rectangular(x, what)
        self.lengths = self.values.lengths if isinstance(self.values, Joined) else None
        if lengths is not None:
            if self.ragged:
                raise ConfigError(f"{what} is a list of sequences, which have their own lengths; leave lengths out.")
            self.lengths = as_lengths(lengths, self._array.shape[0], self._array.shape[1], what)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def _array(self) -> np.ndarray:
        return self.values.values if isinstance(self.values, Joined) else self.values

    @property
    def features(self) -> int:
        """Number of features."""
        return int(self._array.shape[-1])

    @property
    def sequences(self) -> bool:
        """Whether there are steps, not vectors."""
        return self.ids or self.ragged or self._array.ndim == 3

    @property
    def time(self) -> int:
        """Steps of the longest sequence; 1 for vectors."""
        if isinstance(self.values, Joined):
            return int(self.values.lengths.max(initial=0))
        return int(self.values.shape[1]) if self.sequences else 1

    @property
    def step_bytes(self) -> int:
        """Bytes of one step."""
        return self._array.itemsize * (1 if self.ids else self.features)


def _rectangular(x: Any, what: str) -> np.ndarray:
    array = as_samples(x, what)
    if array.ndim not in (2, 3):
        raise ShapeError(
            f"{what} has shape {array.shape}, expected (samples, time, features), (samples, features) or a list of "
            f"(time_i, features) arrays; one series of one feature is series[None, :, None]."
        )
    return array


def as_samples(values: Any, what: str) -> np.ndarray:
    """An array with samples along its first axis."""
    try:
        array = as_array(values, "model", what)
    except ValueError as error:
        raise ShapeError(f"{what} is neither a rectangular array nor a list of sequences ({error}).") from None
    if array.ndim == 0:
        raise ShapeError(f"{what} must hold samples along its first axis, got the single value {values!r:.80}.")
    return array


def take(values: Any, rows: np.ndarray) -> Any:
    """Some samples of an array, of a list, or of nothing."""
    if isinstance(values, Joined):
        return values.take(rows)
    return None if values is None else values[rows]
