"""
Periodic functions out of nothing
=================================

Generating a periodic function out of nothing (Gers, Schraudolph and Schmidhuber 2002), with peepholes and without.

One memory cell whose input and output are not squashed, a linear output, no input at all: from a
state of zeros the output must follow a triangle (or a cosine) of ten steps a period.  Solved, as
in the paper: a free run of 1,000 periods with every output within 0.3 of its target; training
sees the first ten.  As there, the biases of the gates start at 0 (i), -2 (f) and 2 (o), and all
other weights between -0.1 and 0.1.
"""

from __future__ import annotations

import common
import numpy as np

import seqkit
from seqkit.training.optimizers import Adam

PERIOD, TRAINED, MEASURED = 10, 10, 1000
CHUNK = 500  # updates between measurements


def function(shape: str, periods: int) -> tuple[np.ndarray, np.ndarray]:
    """An input of zeros and the values of the function from its second step on, (1, steps, 1)."""
    phase = np.arange(1, periods * PERIOD + 1) % PERIOD / PERIOD
    values = (1 - np.cos(2 * np.pi * phase)) / 2 if shape == "cosine" else 1 - abs(2 * phase - 1)
    target = values.astype(np.float32)[None, :, None]
    return np.zeros_like(target), target


def build(cell: type[seqkit.Recurrent], seed: int) -> seqkit.Sequential:
    """One cell and an output, with the initial values of the paper."""
    layer = cell(1, activation="linear", return_sequences=True, input_shape=(None, 1))
    model = seqkit.Sequential([layer, seqkit.Dense(1)], seed=seed)
    rng = np.random.default_rng(seed)
    for name, array in model.params.items():
        model.params[name] = np.zeros_like(array) if "bias" in name else rng.uniform(-0.1, 0.1, array.shape)
    layer.params["bias"] = np.array([0, -2, 0, 2])
    model.compile(Adam(0.003, global_clipnorm=1.0), "mse")
    return model


def right_steps(model: seqkit.Sequential, shape: str, periods: int) -> int:
    """Steps of a free run before the first output that is off by more than 0.3."""
    x, y = function(shape, periods)
    wrong = abs(model.predict(x) - y) > 0.3
    return int(wrong.argmax()) if wrong.any() else periods * PERIOD


def train(model: seqkit.Sequential, shape: str, most: int) -> int:
    """Updates until the task is solved, or 0."""
    x, y = (np.repeat(array, CHUNK, axis=0) for array in function(shape, TRAINED))
    for updates in range(CHUNK, most + 1, CHUNK):
        model.fit(x, y, batch_size=1, shuffle=False)
        if right_steps(model, shape, MEASURED) == MEASURED * PERIOD:
            return updates
    return 0


def main() -> None:
    """Ten seeds with either cell."""
    parser = common.parser(__doc__)
    parser.add_argument("--shape", choices=("triangle", "cosine"), default="triangle")
    parser.add_argument("--updates", type=int, default=30_000, help="most updates of a run (default 30000)")
    parser.add_argument("--seeds", type=int, default=10, help="runs of each cell (default 10)")
    options = parser.parse_args()
    if options.quick:
        options.seeds, options.updates = 1, CHUNK
    for cell in (seqkit.PeepholeLSTM, seqkit.LSTM):
        solved = 0
        for seed in range(options.seed, options.seed + options.seeds):
            model = build(cell, seed)
            updates = train(model, options.shape, options.updates)
            solved += updates > 0
            right = right_steps(model, options.shape, MEASURED)
            after = updates or options.updates
            print(f"{cell.__name__:12s}  seed {seed}  right for {right} steps after {after} updates", flush=True)
        print(f"{cell.__name__:12s}  solved {solved} of {options.seeds}", flush=True)


if __name__ == "__main__":
    main()
