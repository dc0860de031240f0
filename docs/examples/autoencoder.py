"""
An autoencoder of sequences
===========================

An LSTM reads a window of two series into a vector of a few numbers, another one writes the window again from nothing
else (Srivastava, Mansimov and Salakhutdinov, "Unsupervised learning of video representations using LSTMs", ICML 2015).
What it has learned is how windows usually look: those that look otherwise are written badly, and so are found.

The series are two waves of one frequency, of random phase, height and distance; in the windows to be found one of them
loses its rhythm.
"""

from __future__ import annotations

import time

import common
import numpy as np

import seqkit

STEPS = 40


def draw(count: int, rng: np.random.Generator, broken: bool = False) -> np.ndarray:
    """Windows (count, 40, 2) with a little noise; in broken ones the second wave is of another frequency."""
    phase, apart, height, frequency = (
        rng.uniform(*bounds, size=(count, 1)) for bounds in ((0, 2 * np.pi), (0.5, 1.5), (0.5, 1.5), (0.2, 0.35))
    )
    angles = phase + frequency * np.arange(STEPS)
    other = phase + (1.6 * frequency if broken else frequency) * np.arange(STEPS)
    waves = np.stack([height * np.sin(angles), height * np.sin(other + apart)], axis=2)
    return (waves + 0.05 * rng.normal(size=waves.shape)).astype(np.float32)


def model_of(code: int, seed: int) -> seqkit.Sequential:
    """A window, a code of a few numbers, the window again."""
    layers = [
        seqkit.LSTM(64),
        seqkit.Dense(code),
        seqkit.RepeatVector(STEPS),
        seqkit.LSTM(64, return_sequences=True),
        seqkit.Dense(2),
    ]
    return seqkit.Sequential(layers, seed=seed)


def errors(model: seqkit.Sequential, x: np.ndarray) -> np.ndarray:
    """Mean square error of every window."""
    return ((model.predict(x) - x) ** 2).mean(axis=(1, 2))


def area(usual: np.ndarray, unusual: np.ndarray) -> float:
    """Probability that an unusual window has a larger error than a usual one: the area under the ROC curve."""
    ranks = np.searchsorted(np.sort(usual), unusual)
    return float(ranks.mean() / len(usual))


def main() -> None:
    """Train, and measure what is written and what is found."""
    parser = common.parser(__doc__)
    parser.add_argument("--code", type=int, default=6, help="numbers of the code (default 6)")
    parser.add_argument("--windows", type=int, default=60_000, help="to train on (default 60,000)")
    options = parser.parse_args()
    if options.quick:
        options.windows = 2000
    rng = np.random.default_rng([options.seed, 1])
    usual, unusual = draw(1000, rng), draw(1000, rng, broken=True)
    model = model_of(options.code, options.seed)
    model.compile(seqkit.Adam(0.005, global_clipnorm=1.0), "mse")
    began = time.perf_counter()
    for seen in range(2000, options.windows + 1, 2000):
        model.optimizer.learning_rate = 0.005 * (1 - (seen - 2000) / options.windows)
        x = draw(2000, rng)
        model.fit(x, x, batch_size=64, verbose=0)
        if seen % 10_000 == 0:
            print(f"{seen} windows: error {errors(model, usual).mean():.4f}, {time.perf_counter() - began:.0f} s")
    found = errors(model, usual)
    print(f"{1 - found.mean() / usual.var():.4f} of the variance is written again from {options.code} numbers")
    print(f"area under the ROC curve of unusual windows: {area(found, errors(model, unusual)):.4f}")


if __name__ == "__main__":
    main()
