"""Where sequences have their steps.

Legend: B batch, T time, F features.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from seqkit.interop.onnx.export.builder import Builder
from seqkit.interop.onnx.schema import number_of

ENDLESS = np.iinfo(np.int64).max
"""The length of a sequence that is as long as its array."""


class Times:
    """The axis of time of sequences (T, B, F), and what lies inside them.

    Parameters
    ----------
    builder : Builder
        Where nodes are written, when they are first asked for.
    shape : str
        Name of the array's shape, (B, T, ...).
    lengths : str
        Name of lengths, one for each sequence or one for all; "" where all are as long as the array.
    """

    def __init__(self, builder: Builder, shape: str = "", lengths: str = "") -> None:
        self.builder, self.shape, self.given = builder, shape, lengths

    @property
    def ragged(self) -> bool:
        """Whether sequences may end before the array does."""
        return bool(self.given)

    @cached_property
    def lengths(self) -> str:
        """Lengths (B,), of which none is above T."""
        b = self.builder
        everyone = b.op("Expand", self.given, b.slice(self.shape, 0, 0, 1))
        return b.op("Min", everyone, self._count)

    @cached_property
    def _count(self) -> str:
        """T, as a shape of one axis."""
        return self.builder.slice(self.shape, 0, 1, 2)

    @cached_property
    def sequence_lens(self) -> str:
        """Lengths (B,) as the recurrent operators take them; "" where all sequences are as long as the array."""
        if not self.ragged:
            return ""
        return self.builder.op("Cast", self.lengths, to=number_of(np.dtype(np.int32), "sequence_lens"))

    @cached_property
    def inside_steps(self) -> str:
        """Which steps are inside their sequence, (T, B)."""
        b = self.builder
        zero, one = b.array(np.array(0)), b.array(np.array(1))
        steps = b.op("Range", zero, b.squeeze(self._count, 0), one)
        return b.op("Less", b.unsqueeze(steps, 1), b.unsqueeze(self.lengths, 0))

    @cached_property
    def inside(self) -> str:
        """Which steps are inside their sequence, (T, B, 1)."""
        return self.builder.unsqueeze(self.inside_steps, 2)

    @property
    def read(self) -> str:
        """Which steps a recurrent layer reads, (T, B, 1); "" where it reads all."""
        return self.inside if self.ragged else ""

    @cached_property
    def any_step(self) -> str:
        """Which sequences have a step, (B, 1)."""
        return self.builder.unsqueeze(self.builder.op("Greater", self.lengths, self.builder.ints(0)), 1)

    @property
    def any_read(self) -> str:
        """Which sequences have a step that a recurrent layer reads, (B, 1); "" where all have."""
        return self.any_step if self.ragged else ""

    def zeroed(self, sequences: str) -> str:
        """Sequences (T, B, F) that are 0 past their end."""
        b = self.builder
        return b.op("Where", self.inside, sequences, b.number(0.0)) if self.ragged else sequences

    def last(self, sequences: str, features: int) -> str:
        """The last step (B, F) of every sequence (T, B, F), 0 where there is none."""
        b = self.builder
        if not self.ragged:
            return b.op("Gather", sequences, b.array(np.array(-1)), axis=0)
        number = b.op("Max", b.op("Sub", self.lengths, b.ints(1)), b.ints(0))
        places = b.op("Expand", b.op("Unsqueeze", number, b.ints(0, 2)), b.ints(1, 1, features))
        found = b.squeeze(b.op("GatherElements", sequences, places, axis=0), 0)
        return b.op("Where", self.any_step, found, b.number(0.0))

    def reversed(self, sequences: str) -> str:
        """Sequences (T, B, F) from their end to their start; what is past the end stays."""
        if self.ragged:
            return self.builder.op("ReverseSequence", sequences, self.lengths, time_axis=0, batch_axis=1)
        return self.builder.slice(sequences, 0, -1, -ENDLESS, -1)


class MaskedTimes(Times):
    """Times of sequences of which recurrent layers skip some steps, wherever they are.

    Parameters
    ----------
    times : Times
        Of the same sequences, for all other layers.
    mask : str
        Name of the steps that are read, (T, B, 1).
    """

    def __init__(self, times: Times, mask: str) -> None:
        super().__init__(times.builder, times.shape, times.given)
        self.times, self.mask = times, mask

    @property
    def read(self) -> str:
        """The mask."""
        return self.mask

    @cached_property
    def any_read(self) -> str:
        """Which sequences have a step that is read, (B, 1)."""
        b = self.builder
        found = b.op("Cast", self.mask, to=number_of(b.dtype, "mask"))
        return b.op("Greater", b.op("ReduceSum", found, b.ints(0), keepdims=0), b.number(0.0))
