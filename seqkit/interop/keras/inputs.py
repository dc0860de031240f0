"""Inputs to compare models on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seqkit.interop.keras.config import Chain
from seqkit.interop.keras.convert import input_size

BATCH, TIME = 4, 9


@dataclass(frozen=True)
class Inputs:
    """What a model takes.

    Attributes
    ----------
    batch, time : int
        Sizes where the model leaves them open; `time` is None where it takes vectors.
    features : int
        Numbers of a step; of ids, how many there are.
    ids : bool
        Whether the input is ids.
    mask_value : float or None
        What masked steps hold.
    dtype : str
        Of the numbers.
    """

    batch: int
    time: int | None
    features: int
    ids: bool
    mask_value: float | None
    dtype: str

    @classmethod
    def of(cls, chain: Chain) -> Inputs:
        """The inputs of a model."""
        first = chain.blocks[0]
        ids = first.kind == "Embedding"
        given = chain.shape or ((None, None) if ids else (None, None, None))
        time = None if len(given) == 2 and not ids else (given[1] if len(given) > 1 else None) or TIME
        masking = [block.options["mask_value"] for block in chain.blocks if block.kind == "Masking"]
        value = 0.0 if first.options.get("mask_zero") else next(iter(masking), None)
        features = first.options["input_dim"] if ids else input_size(chain)
        return cls(given[0] or BATCH, time, features, ids, value, chain.dtype)

    def draw(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Random numbers; where there is a mask, padded on the left, on the right, and with gaps."""
        if self.time is None:
            return {"x": rng.normal(size=(self.batch, self.features)).astype(self.dtype)}
        shape = (self.batch, self.time)
        if self.ids:
            low = 0 if self.mask_value is None or self.features == 1 else 1
            x = rng.integers(low, self.features, shape)
        else:
            x = rng.normal(size=(*shape, self.features)).astype(self.dtype)
        if self.mask_value is not None:
            x[self._masked(rng)] = self.mask_value
        return {"x": x}

    def _masked(self, rng: np.random.Generator) -> np.ndarray:
        """Which steps are masked, (batch, time): each row in a way of its own."""
        assert self.time is not None
        times = np.arange(self.time)
        ends = rng.integers(0, self.time + 1, (self.batch, 1))
        kinds = [
            times < ends,
            times >= ends,
            rng.random((self.batch, self.time)) < 0.4,
            np.zeros((self.batch, 1), bool),
        ]
        way = (rng.integers(4) + np.arange(self.batch)) % 4
        return np.choose(way[:, None], [np.broadcast_to(kind, (self.batch, self.time)) for kind in kinds]).astype(bool)
