"""
The embedded Reber grammar
==========================

The embedded Reber grammar (Hochreiter and Schmidhuber 1997, section 5.1).

At every step of a string the symbols that may come next are asked for; for the last but one, the
second symbol must have been remembered.  256 distinct strings to train on, 256 others to test.
A string is predicted correctly if, at every step, the outputs of all symbols that may come next
are above those of all others.  Solved, by the paper's criterion: all strings of both sets are.
"""

from __future__ import annotations

import common
import numpy as np

import seqkit
from seqkit.data.synthetic import Synthetic, embedded_reber
from seqkit.training.optimizers import Adam


def halves(seed: int) -> tuple[Synthetic, Synthetic]:
    """256 strings to train on and 256 others."""
    both = embedded_reber(512, seed)
    return Synthetic(*(part[:256] for part in both)), Synthetic(*(part[256:] for part in both))


def drawn(data: Synthetic) -> np.ndarray:
    """The symbol that does come next at each step, as a class id: what the network is trained on."""
    following = np.zeros(data.x.shape[:2], dtype=np.int64)
    following[:, :-1] = data.x[:, 1:].argmax(axis=2)
    following[np.arange(len(following)), data.lengths - 1] = 6  # every string ends with E
    return following


def wrong(model: seqkit.Sequential, data: Synthetic) -> int:
    """Number of strings that are not predicted correctly at every step."""
    outputs = model.predict(data.x, lengths=data.lengths)
    least_legal = np.where(data.y == 1, outputs, np.inf).min(axis=2)
    most_illegal = np.where(data.y == 0, outputs, -np.inf).max(axis=2)
    inside = np.arange(data.x.shape[1]) < data.lengths[:, None]
    return int(((least_legal <= most_illegal) & inside).any(axis=1).sum())


def main() -> None:
    """Train until solved."""
    options = common.parser(__doc__).parse_args()
    train, test = halves(options.seed)
    layers = [seqkit.LSTM(16, return_sequences=True), seqkit.Dense(7, activation="softmax")]
    model = seqkit.Sequential(layers, seed=options.seed)
    model.compile(Adam(0.01), "sparse_categorical_crossentropy")
    for epoch in range(1, 3 if options.quick else 401):
        model.fit(train.x, drawn(train), batch_size=8, lengths=train.lengths)
        failures = wrong(model, train), wrong(model, test)
        print(f"{256 * epoch:8d} strings  wrong in training {failures[0]}, in the test {failures[1]}", flush=True)
        if failures == (0, 0):
            print(f"solved after {256 * epoch} strings")
            return
    print("not solved")


if __name__ == "__main__":
    main()
