"""
An LSTM with and without attention
==================================

Key-value recall: a sequence of pairs, a letter and a digit each, and then one of the letters alone; its digit is asked
for.  An LSTM has to keep all pairs in its state, whose size does not grow with them; attention looks the pair up among
the states of all steps.  Both have the same LSTM; the one with attention is a :class:`seqkit.Graph`.
"""

from __future__ import annotations

import time

import common
import numpy as np

import seqkit
from seqkit.training.losses import SparseCategoricalCrossentropy

LETTERS, DIGITS = 26, 10


def draw(count: int, pairs: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Vectors (count, pairs + 1, 36), a 1 for the letter and one for the digit of a pair; and the digits wanted."""
    letters = rng.permuted(np.tile(np.arange(LETTERS), (count, 1)), axis=1)[:, :pairs]
    digits = rng.integers(DIGITS, size=(count, pairs))
    asked = rng.integers(pairs, size=count)
    rows = np.arange(count)
    x = np.zeros((count, pairs + 1, LETTERS + DIGITS), np.float32)
    x[rows[:, None], np.arange(pairs), letters] = 1
    x[rows[:, None], np.arange(pairs), LETTERS + digits] = 1
    x[rows, pairs, letters[rows, asked]] = 1
    return x, digits[rows, asked]


def with_attention(units: int) -> list[seqkit.Layer]:
    """The last letter asks, the states of an LSTM at all steps answer."""
    nodes = {
        "h": seqkit.LSTM(units, return_sequences=True),
        "question": (seqkit.Dense(units), "x"),
        "answer": (seqkit.Attention(), "question", "h"),
        "both": (seqkit.Concatenate(), "answer", "h"),
        "last": seqkit.LastStep(),
    }
    return [seqkit.Graph(nodes), seqkit.Dense(DIGITS)]


def without(units: int) -> list[seqkit.Layer]:
    """The last state of an LSTM alone."""
    return [seqkit.LSTM(units), seqkit.Dense(DIGITS)]


def main() -> None:
    """Train both on the same new sequences and count right answers on others."""
    parser = common.parser(__doc__)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--units", type=int, default=64)
    parser.add_argument("--sequences", type=int, default=60_000, help="to train on (default 60,000)")
    options = parser.parse_args()
    if options.quick:
        options.pairs, options.units, options.sequences = 3, 8, 2000
    test = draw(2000, options.pairs, np.random.default_rng([options.seed, 2]))
    for name, layers in (("LSTM", without(options.units)), ("LSTM and attention", with_attention(options.units))):
        model = seqkit.Sequential(layers, seed=options.seed)
        model.compile(seqkit.Adam(0.005), SparseCategoricalCrossentropy(from_logits=True), ["accuracy"])
        rng, began = np.random.default_rng([options.seed, 1]), time.perf_counter()
        for seen in range(2000, options.sequences + 1, 2000):
            model.fit(*draw(2000, options.pairs, rng), batch_size=64, shuffle=False, verbose=0)
            if seen % 10_000 == 0:
                print(f"{name}: {seen} sequences, accuracy {model.evaluate(*test)[1]:.4f}", flush=True)
        print(f"{name}: test accuracy {model.evaluate(*test)[1]:.4f}, {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
