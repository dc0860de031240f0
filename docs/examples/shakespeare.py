"""
A language model of characters
==============================

Bits per character of tinyshakespeare: the next character from all before it.

The first 90 % of the text train, the last 10 % are measured, once, after training: in pieces of
1,000 characters, each read from nothing, and in one piece.  The settings were chosen with
``--choose``, which trains without ten pieces from all over the first 90 % and measures on these.
"""

from __future__ import annotations

import time

import common
import numpy as np

import seqkit
from seqkit.data.text import Vocabulary
from seqkit.training.losses import SparseCategoricalCrossentropy
from seqkit.training.optimizers import Adam

STEPS = 64
PIECE = 1000
STRETCHES = 200
EVERY = 20  # of the stretches one is held out


def read() -> tuple[np.ndarray, np.ndarray, int]:
    """Ids of the characters to train on and of those to measure, and the number of symbols."""
    text = common.load("tinyshakespeare")
    symbols = Vocabulary.fit([text.train, text.test], "characters", unknown=False)
    return symbols.encode(text.train), symbols.encode(text.test), len(symbols)


def hold_out(ids: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Every twentieth of 200 stretches of a text, and what is left of it."""
    stretches = np.array_split(ids, STRETCHES)
    held_out = stretches[EVERY // 2 :: EVERY]
    del stretches[EVERY // 2 :: EVERY]
    return np.concatenate(stretches), held_out


def windows(ids: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The text from a random place on, cut into windows of 64 characters, and what follows each character."""
    ids = ids[rng.integers(STEPS) :]
    count = (len(ids) - 1) // STEPS
    return ids[: count * STEPS].reshape(count, STEPS), ids[1 : count * STEPS + 1].reshape(count, STEPS)


def bits(model: seqkit.Sequential, texts: list[np.ndarray], piece: int) -> float:
    """Bits per character of texts that are read in pieces, each from nothing."""
    parts = [text[n : n + piece + 1] for text in texts for n in range(0, len(text) - 1, piece)]
    return float(model.evaluate([part[:-1] for part in parts], [part[1:] for part in parts])) / np.log(2)


def main() -> None:
    """Train with a learning rate that falls along half a cosine, then measure."""
    parser = common.parser(__doc__)
    parser.add_argument("--units", type=int, default=512)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--dropout", type=float, default=0.4)
    parser.add_argument("--learning-rate", type=float, default=0.003)
    parser.add_argument("--choose", action="store_true", help="hold out a part of the training text and measure on it")
    options = parser.parse_args()
    train, test, symbols = read()
    if options.quick:
        train, test, options.units, options.epochs = train[:20_000], test[:2000], 32, 1
    train, measured = hold_out(train) if options.choose else (train, [test])
    lstm = seqkit.LSTM(options.units, recurrent_dropout=0.2, return_sequences=True)
    layers = [seqkit.Embedding(symbols, 64), lstm, seqkit.Dropout(options.dropout), seqkit.Dense(symbols)]
    model = seqkit.Sequential(layers, seed=options.seed)
    model.compile(Adam(global_clipnorm=1.0), SparseCategoricalCrossentropy(from_logits=True))
    rng = np.random.default_rng([options.seed, 1])
    for epoch in range(options.epochs):
        model.optimizer.learning_rate = options.learning_rate * (1 + np.cos(np.pi * epoch / options.epochs)) / 2
        began = time.perf_counter()
        loss = model.fit(*windows(train, rng), batch_size=32).history["loss"][0]
        print(f"epoch {epoch + 1}: {time.perf_counter() - began:.0f} s, training {loss / np.log(2):.3f}", flush=True)
    part = "held out" if options.choose else "test"
    in_pieces, whole = bits(model, measured, PIECE), bits(model, measured, len(train))
    print(f"{part}: {in_pieces:.4f} bits per character in pieces of 1,000 characters, {whole:.4f} in whole texts")


if __name__ == "__main__":
    main()
