"""
Timed spikes
============

Generating timed spikes (Gers, Schraudolph and Schmidhuber 2002), with peepholes and without.

Four units, no input but a constant: the output must spike (1, else 0) every tenth step.  Solved:
over 10,000 steps, of which training never saw more than the first 55, every output is on the
right side of 0.5.
"""

from __future__ import annotations

import common

import seqkit
from seqkit.data.synthetic import timed_spikes
from seqkit.training.optimizers import Adam

PERIOD = 10


def right_steps(model: seqkit.Sequential) -> int:
    """Steps of a free run of 10,000 before the first wrong one."""
    free = timed_spikes(1, 10_000, (PERIOD,))
    wrong = (model.predict(free.x) > 0.5) != (free.y > 0.5)
    return int(wrong.argmax()) if wrong.any() else 10_000


def train(cell: type[seqkit.Recurrent], seed: int, epochs: int) -> tuple[float, int]:
    """Loss after training from one seed, and the steps that go right in a free run."""
    data = timed_spikes(4, 55, (PERIOD,))
    layers = [cell(4, return_sequences=True), seqkit.Dense(1, activation="sigmoid")]
    model = seqkit.Sequential(layers, seed=seed)
    model.compile(Adam(0.02, global_clipnorm=1.0), "binary_crossentropy")
    history = model.fit(data.x, data.y, batch_size=4, epochs=epochs).history
    return history["loss"][-1], right_steps(model)


def main() -> None:
    """Six seeds with either cell."""
    options = common.parser(__doc__).parse_args()
    seeds = range(options.seed, options.seed + (1 if options.quick else 6))
    for cell in (seqkit.PeepholeLSTM, seqkit.LSTM):
        results = [train(cell, seed, 20 if options.quick else 6_000) for seed in seeds]
        for seed, (loss, right) in zip(seeds, results, strict=True):
            print(f"{cell.__name__:13s} seed {seed}  loss {loss:.5f}  right for {right} steps", flush=True)
        print(f"{cell.__name__:13s} solved {sum(right == 10_000 for _, right in results)} of {len(results)}")


if __name__ == "__main__":
    main()
