"""Anomalies by forecasts: what a network does not see coming is not normal.

The network reads a sequence and gives at every step what it expects of it, from the steps before.
The error of a step is how far it is from that; the first step, before which nothing is known, has
none.

Source: Malhotra, Vig, Shroff and Agarwal, "Long short term memory networks for anomaly detection
in time series", ESANN 2015.

Legend: T_i steps, W window, F features.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqkit import registry
from seqkit.layer import Layer
from seqkit.model import Sequential
from seqkit.tasks.scaling import as_output
from seqkit.tasks.settings import Settings


def layers(settings: Settings, features: int, window: int) -> list[Layer]:
    """The layers of the network."""
    recurrent = [
        registry.create(settings.cell, settings.units, return_sequences=True, dropout=settings.dropout)
        for _ in range(settings.layers)
    ]
    return [*recurrent, registry.create("dense", features)]


def examples(sequences: Sequence[np.ndarray], window: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Stretches of W steps, each beginning a quarter of a window after the one before, and what follows each step."""
    x, y = [], []
    for sequence in sequences:
        read = before(sequence)
        for start in range(0, max(len(sequence) - window, 0) + 1, max(window // 4, 1)):
            x.append(read[start : start + window])
            y.append(sequence[start : start + window])
    return x, y


def errors(model: Sequential, sequences: Sequence[np.ndarray], window: int, owner: str) -> list[np.ndarray]:
    """Absolute errors of every step, (T_i, F)."""
    expected = model.predict([before(sequence) for sequence in sequences])
    off = [abs(sequence - as_output(y, owner)) for sequence, y in zip(sequences, expected, strict=True)]
    for rows in off:
        rows[0] = 0.0
    return off


def before(sequence: np.ndarray) -> np.ndarray:
    """What is known at every step: the step before, zeros at the first."""
    return np.concatenate([np.zeros_like(sequence[:1]), sequence[:-1]])
