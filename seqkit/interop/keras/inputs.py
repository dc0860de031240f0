"""Inputs to compare models on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from seqkit.errors import ConvertError
from seqkit.interop.keras.config import Chain
from seqkit.interop.keras.convert import input_size

BATCH, TIME = 5, 12
"""Most sequences and steps of what is drawn."""
LARGEST = 1 << 22
"""Most numbers of what is drawn."""


@dataclass(frozen=True)
class Inputs:
    """What a model takes.

    Attributes
    ----------
    shape : tuple of int or None
        (batch, time) or, of vectors, (batch,); None where the model takes any.
    features : int
        Numbers of a step; of ids, how many there are.
    ids : bool
        Whether the input is ids.
    mask_value : float or None
        What masked steps hold.
    dtype : str
        Of the numbers.
    """

    shape: tuple[int | None, ...]
    features: int
    ids: bool
    mask_value: float | None
    dtype: str

    @classmethod
    def of(cls, chain: Chain) -> Inputs:
        """The inputs of a model; ConvertError where they are neither sequences nor vectors."""
        first = chain.blocks[0]
        ids = first.kind == "Embedding"
        given = chain.shape or ((None, None) if ids else (None, None, None))
        shape = given if ids else given[:-1]
        if not 1 <= len(shape) <= 2:
            raise ConvertError(f"the model's input has the shape {given!r:.80}; expected (batch, time, features).")
        masking = [block.options["mask_value"] for block in chain.blocks if block.kind == "Masking"]
        value = 0.0 if first.options.get("mask_zero") else next(iter(masking), None)
        features = first.options["input_dim"] if ids else input_size(chain)
        return cls(shape, features, ids, value, chain.dtype)

    def draw(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Random numbers; where there is a mask, padded on the left, on the right, and with gaps.

        ConvertError where sizes that the model fixes are too large for that.
        """
        most = (BATCH, TIME)
        shape = tuple(size or int(rng.integers(1, most[axis] + 1)) for axis, size in enumerate(self.shape))
        if math.prod(shape) * (1 if self.ids else self.features) > LARGEST:
            raise ConvertError(f"inputs of the shape {shape} are too large to be drawn, at most {LARGEST} numbers are.")
        if self.ids:
            low = 0 if self.mask_value is None or self.features == 1 else 1
            x = rng.integers(low, self.features, shape)
        else:
            x = rng.normal(size=(*shape, self.features)).astype(self.dtype)
        if self.mask_value is not None and len(shape) == 2:
            x[_masked(rng, *shape)] = self.mask_value
        return {"x": x}


def _masked(rng: np.random.Generator, batch: int, time: int) -> np.ndarray:
    """Which steps are masked, (batch, time): each row in a way of its own."""
    times = np.arange(time)
    ends = rng.integers(0, time + 1, (batch, 1))
    ways = [times < ends, times >= ends, rng.random((batch, time)) < 0.4, np.zeros((batch, 1), bool)]
    way = (rng.integers(4) + np.arange(batch)) % 4
    return np.choose(way[:, None], [np.broadcast_to(mask, (batch, time)) for mask in ways]).astype(bool)
