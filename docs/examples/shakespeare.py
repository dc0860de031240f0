"""Bits per character of tinyshakespeare: the next character from all before it.

The first 90 % of the text train, the last 10 % are measured, in one piece, so that every
character but the first is predicted from everything before it.  Needs the file input.txt in the
folder tinyshakespeare of SEQKIT_DATA.
"""

from __future__ import annotations

import time

import common
import numpy as np

import seqkit
from seqkit.training.losses import SparseCategoricalCrossentropy
from seqkit.training.optimizers import Adam

STEPS = 64


def read() -> tuple[np.ndarray, np.ndarray, int]:
    """Ids of the characters to train on and of those to measure, and the number of symbols."""
    text = (common.data_folder("tinyshakespeare") / "input.txt").read_text()
    symbols, ids = np.unique(list(text), return_inverse=True)
    cut = len(ids) * 9 // 10
    return ids[:cut], ids[cut:], len(symbols)


def pieces(ids: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The text from a random place on, cut into pieces of 64 characters, and what follows each character."""
    ids = ids[rng.integers(STEPS) :]
    count = (len(ids) - 1) // STEPS
    return ids[: count * STEPS].reshape(count, STEPS), ids[1 : count * STEPS + 1].reshape(count, STEPS)


def bits(model: seqkit.Sequential, ids: np.ndarray) -> float:
    """Bits per character of a text in one piece."""
    return float(model.evaluate(ids[None, :-1], ids[None, 1:])) / np.log(2)


def main() -> None:
    """Train with a learning rate that falls along half a cosine; measure after every epoch."""
    parser = common.parser(__doc__)
    parser.add_argument("--units", type=int, default=512)
    parser.add_argument("--epochs", type=int, default=15)
    options = parser.parse_args()
    train, test, symbols = read()
    if options.quick:
        train, test, options.units, options.epochs = train[:20_000], test[:2000], 32, 1
    lstm = seqkit.LSTM(options.units, recurrent_dropout=0.2, return_sequences=True)
    layers = [seqkit.Embedding(symbols, 64), lstm, seqkit.Dropout(0.3), seqkit.Dense(symbols)]
    model = seqkit.Sequential(layers, seed=options.seed)
    model.compile(Adam(0.002, global_clipnorm=1.0), SparseCategoricalCrossentropy(from_logits=True))
    rng = np.random.default_rng([options.seed, 1])
    for epoch in range(options.epochs):
        model.optimizer.learning_rate = 0.001 * (1 + np.cos(np.pi * epoch / options.epochs))
        began = time.perf_counter()
        loss = model.fit(*pieces(train, rng), batch_size=32).history["loss"][0]
        took = time.perf_counter() - began
        print(
            f"epoch {epoch + 1}: {took:.0f} s, training {loss / np.log(2):.3f}, test {bits(model, test):.3f} bits per "
            f"character",
            flush=True,
        )


if __name__ == "__main__":
    main()
