"""
Activity from motion sensors
============================

What somebody with a smart watch is doing, standing, walking, running or playing badminton, from
ten seconds of its accelerometer and gyroscope (BasicMotions: 40 recordings to train on, 40 to
test).  A GRU and the largest values of its outputs so far decide, at every step: with ``--stream``
the recordings of the test are read step by step, as they would come from the watch, and printed is
how many are recognised after each second and what a step costs.
"""

from __future__ import annotations

import time

import common
import numpy as np

import seqkit
from seqkit.training.optimizers import Adam

STEPS_A_SECOND = 10


def network(classes: int, units: int, seed: int) -> seqkit.Sequential:
    """A GRU whose largest outputs decide."""
    layers = [
        seqkit.GRU(units, return_sequences=True),
        seqkit.create("max_pool"),
        seqkit.Dropout(0.3),
        seqkit.Dense(classes, activation="softmax"),
    ]
    model = seqkit.Sequential(layers, seed=seed)
    model.compile(Adam(0.005, global_clipnorm=1.0), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def stream(model: seqkit.Sequential, x: np.ndarray, y: np.ndarray) -> None:
    """Read all recordings step by step; they end at the same time."""
    state, spent = None, []
    for step in range(x.shape[1]):
        began = time.perf_counter()
        outputs, state = model.step(x[:, step], state)
        spent.append(time.perf_counter() - began)
        if (step + 1) % STEPS_A_SECOND == 0:
            right = int((outputs.argmax(axis=1) == y).sum())
            print(f"after {(step + 1) // STEPS_A_SECOND:2d} s: {right} of {len(y)} recognised")
    print(f"a step of {len(y)} watches takes {1e6 * np.median(spent):.0f} microseconds")


def main() -> None:
    """Train from three seeds; the last model may read a stream."""
    parser = common.parser(__doc__)
    parser.add_argument("--units", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--stream", action="store_true", help="read the test recordings step by step")
    options = parser.parse_args()
    data = common.load("BasicMotions")
    if options.quick:
        options.units, options.epochs, options.seeds = 8, 2, 1
    classes = sorted(set(data.train.labels))
    steps = np.concatenate(data.train.x)
    x, x_test = ((np.stack(part.x) - steps.mean(axis=0)) / steps.std(axis=0) for part in (data.train, data.test))
    y, y_test = (np.array([classes.index(label) for label in part.labels]) for part in (data.train, data.test))
    found = []
    for seed in range(options.seed, options.seed + options.seeds):
        model = network(len(classes), options.units, seed)
        for epoch in range(options.epochs):
            model.optimizer.learning_rate = 0.0025 * (1 + np.cos(np.pi * epoch / options.epochs))
            model.fit(x, y, batch_size=8)
        found.append(model.evaluate(x_test, y_test)[1])
    print(f"test accuracy: {np.mean(found):.4f} ({', '.join(f'{value:.3f}' for value in found)})")
    if options.stream:
        stream(model, x_test, y_test)


if __name__ == "__main__":
    main()
