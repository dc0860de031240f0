"""Anomalies by reconstruction: what does not pass through a narrow place unharmed is not normal.

An encoder reads W steps into one vector, of which a decoder makes them again.  The error of a step
is how far it is from that; sequences are cut into windows, the last one at their end, and where
two overlap the error is the mean of both.

Source: Malhotra, Ramakrishnan, Anand, Vig, Agarwal and Shroff, "LSTM-based encoder-decoder for
multi-sensor anomaly detection", ICML 2016 anomaly detection workshop.

Legend: T_i steps, W window, F features.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqkit import registry
from seqkit.errors import DataError
from seqkit.layer import Layer
from seqkit.model import Sequential
from seqkit.tasks.scaling import as_output
from seqkit.tasks.settings import Settings

WINDOWS_AT_ONCE = 256


def layers(settings: Settings, features: int, window: int) -> list[Layer]:
    """The layers of the network."""
    encoder = [_recurrent(settings, number < settings.layers) for number in range(1, settings.layers + 1)]
    decoder = [_recurrent(settings, True) for _ in range(settings.layers)]
    return [*encoder, registry.create("repeat_vector", window), *decoder, registry.create("dense", features)]


def examples(sequences: Sequence[np.ndarray], window: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows, each beginning a quarter of one after the one before, and the same to be made of them."""
    step = max(window // 4, 1)
    starts = [range(0, len(sequence) - window + 1, step) for sequence in sequences]
    cut = [x[start : start + window] for x, own in zip(sequences, starts, strict=True) for start in own]
    windows = np.stack(cut)
    return windows, windows


def errors(model: Sequential, sequences: Sequence[np.ndarray], window: int, owner: str) -> list[np.ndarray]:
    """Absolute errors of every step, (T_i, F).

    Raises
    ------
    DataError
        If a sequence is shorter than the window.
    """
    return [_errors(model, sequence, window, owner) for sequence in sequences]


def _errors(model: Sequential, x: np.ndarray, window: int, owner: str) -> np.ndarray:
    if len(x) < window:
        raise DataError(f"{owner}: a sequence has {len(x)} steps to look at, the network reads windows of {window}.")
    starts = sorted({*range(0, len(x) - window + 1, window), len(x) - window})
    windows = np.stack([x[start : start + window] for start in starts])
    made = as_output(model.predict(windows, WINDOWS_AT_ONCE), owner)
    total, count = np.zeros_like(x), np.zeros((len(x), 1))
    for start, off in zip(starts, abs(windows - made), strict=True):
        total[start : start + window] += off
        count[start : start + window] += 1
    return total / count


def _recurrent(settings: Settings, sequences: bool) -> Layer:
    return registry.create(settings.cell, settings.units, return_sequences=sequences, dropout=settings.dropout)
