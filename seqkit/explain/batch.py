"""What a model that is looked into is given.

Legend: B batch, T time, F features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.arrays import as_array
from seqkit.errors import ConfigError, ShapeError
from seqkit.inputs import Inputs
from seqkit.model import Sequential
from seqkit.sequences import as_lengths, is_ragged, pad


@dataclass(frozen=True)
class Batch:
    """Sequences, padded on the right, and their true lengths; of several inputs, the first is what is looked at.

    Attributes
    ----------
    arrays : tuple of ndarray, (B, T, F) or ids (B, T)
        Of every input.
    ends : tuple of ndarray of int64, (B,)
        Their lengths.
    """

    arrays: tuple[np.ndarray, ...]
    ends: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, model: Sequential, x: Any, lengths: Any = None) -> Batch:
        """An array, an array with lengths, a list of sequences, a tuple of such for a model of several inputs.

        Raises
        ------
        ShapeError
            If an input has other dimensions, there is not one length for each sequence, or no sequence.
        """
        if isinstance(x, Batch):
            return x
        first = model.layers[0]
        if len(first.inputs) == 1 or not isinstance(x, tuple):
            given = Inputs((x,), (lengths,), alone=True)
        else:
            given = Inputs.of(x, lengths, first.inputs, model.name)
        each = zip(given.arrays, given.lengths, first.ids_of_inputs, strict=False)
        arrays, ends = zip(*(_padded(*one, model.name) for one in each), strict=True)
        if not len(arrays[0]):
            raise ShapeError(f"{model.name}: x has no sequences, expected at least one to look at.")
        return cls(arrays, ends)

    @property
    def x(self) -> np.ndarray:
        """The input that is looked at, (B, T, F) or ids (B, T)."""
        return self.arrays[0]

    @property
    def lengths(self) -> np.ndarray:
        """Its lengths, (B,)."""
        return self.ends[0]

    @property
    def given(self) -> tuple[Any, Any]:
        """Inputs and lengths as a model takes them."""
        return (self.arrays, self.ends) if len(self.arrays) > 1 else (self.x, self.lengths)

    @property
    def ids(self) -> bool:
        """Whether the input that is looked at is ids."""
        return self.x.ndim == 2

    @property
    def valid(self) -> np.ndarray:
        """Which steps are inside their sequences, (B, T)."""
        return np.arange(self.x.shape[1]) < self.lengths[:, None]

    def select(self, rows: Any) -> Batch:
        """Some of the sequences, without the padding that none of them needs."""
        ends = tuple(end[rows] for end in self.ends)
        arrays = zip(self.arrays, ends, strict=True)
        return Batch(tuple(array[rows, : end.max(initial=0)] for array, end in arrays), ends)

    def one(self, sequence: int, owner: str) -> Batch:
        """One of the sequences.

        Raises
        ------
        ConfigError
            If there is no such sequence, or it has no steps.
        """
        if not 0 <= sequence < len(self.lengths) or not self.lengths[sequence]:
            raise ConfigError(
                f"{owner}: sequence {sequence} has no steps or is not among 0 to {len(self.lengths) - 1}."
            )
        return self.select([sequence])

    def ending(self, lengths: np.ndarray) -> Batch:
        """A single sequence as often as there are lengths, ending there."""
        rest = [np.repeat(array, len(lengths), axis=0) for array in self.arrays]
        ends = [np.repeat(end, len(lengths)) for end in self.ends]
        return Batch((rest[0][:, : lengths.max(initial=0)], *rest[1:]), (lengths, *ends[1:]))

    def with_x(self, x: np.ndarray) -> Batch:
        """The same with other features in place of the input that is looked at."""
        return Batch((x, *self.arrays[1:]), self.ends)


def _padded(x: Any, lengths: Any, ids: bool, owner: str) -> tuple[np.ndarray, np.ndarray]:
    if is_ragged(x, ndim=1 if ids else 2):
        return pad(x, owner)
    array = as_array(x, owner)
    if array.ndim != (2 if ids else 3):
        expected = "ids (batch, time)" if ids else "(batch, time, features)"
        raise ShapeError(f"{owner}: x has shape {array.shape}, expected {expected} or a list of sequences.")
    batch, time = array.shape[:2]
    given = as_lengths(lengths, batch, time, owner)
    return array, np.full(batch, time, np.int64) if given is None else given
