"""
Spoken digits
=============

Spoken digits (the Free Spoken Digit Dataset): which of ten was said, from 8 kHz recordings.

Three speakers said every digit 50 times; recordings 0 to 4 of each are tested, 5 to 49 train.
Frames of 25 ms, every 10 ms, become 40 logarithms of mel energies, normalised by the mean and
deviation of the training frames.  Needs SciPy.
"""

from __future__ import annotations

import common
import numpy as np
from scipy.signal import ShortTimeFFT

import seqkit
from seqkit.data.dataset import Sequences
from seqkit.training.optimizers import Adam

RATE, WINDOW, HOP, FFT, BANDS = 8000, 200, 80, 256, 40


def mel_filters() -> np.ndarray:
    """Triangles (bands, bins) that are equally wide on the mel scale, 2595 log10(1 + f / 700)."""
    top = 2595 * np.log10(1 + RATE / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, BANDS + 2) / 2595) - 1)
    bins = np.fft.rfftfreq(FFT, 1 / RATE)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(np.minimum(rising, falling), 0)


def log_mel(data: Sequences) -> tuple[list[np.ndarray], np.ndarray]:
    """Frames of recordings, (frames, bands) each, and their digits."""
    transform, filters = ShortTimeFFT(np.hanning(WINDOW), HOP, RATE, mfft=FFT), mel_filters()
    power = [transform.spectrogram(signal[:, 0]) for signal in data.x]
    return [np.log(filters @ row + 1e-6).T.astype(np.float32) for row in power], np.array(data.labels, dtype=int)


def main() -> None:
    """Train on recordings 5 to 49, test on 0 to 4."""
    parser = common.parser(__doc__)
    parser.add_argument("--units", type=int, default=96)
    parser.add_argument("--epochs", type=int, default=25)
    options = parser.parse_args()
    data = common.load("fsdd")
    (x, digits), (test, true) = log_mel(data.train), log_mel(data.test)
    if options.quick:
        x, digits, options.units, options.epochs = x[::20], digits[::20], 16, 1
    kept = np.concatenate(x)
    x, test = ([(row - kept.mean(axis=0)) / kept.std(axis=0) for row in rows] for rows in (x, test))
    layers = [
        seqkit.Bidirectional(seqkit.LSTM(options.units, dropout=0.2)),
        seqkit.Dropout(0.3),
        seqkit.Dense(10, activation="softmax"),
    ]
    model = seqkit.Sequential(layers, seed=options.seed)
    model.compile(Adam(0.002, global_clipnorm=1.0), "sparse_categorical_crossentropy", metrics=["accuracy"])
    for epoch in range(options.epochs):
        model.optimizer.learning_rate = 0.001 * (1 + np.cos(np.pi * epoch / options.epochs))
        history = model.fit(x, digits, batch_size=32).history
        print(f"epoch {epoch + 1}: training accuracy {history['accuracy'][0]:.3f}", flush=True)
    accuracy = model.evaluate(test, true)[1]
    print(f"test accuracy: {accuracy:.4f} ({round(accuracy * len(test))} of {len(test)})")


if __name__ == "__main__":
    main()
