"""
Measuring time
==============

Measuring time (Gers, Schraudolph and Schmidhuber 2002), with peepholes and without.

Three spikes are 49 or 50 steps apart; which, is asked for at the last one.  Solved: the last
2,000 training sequences were all answered within 0.3 of 0 or 1.  Then 2,560 new ones are counted.
"""

from __future__ import annotations

from typing import Any

import common
import numpy as np

import seqkit
from seqkit.data.synthetic import spike_intervals
from seqkit.training.optimizers import Adam


def correct(y_true: Any, y_pred: np.ndarray, lengths: Any) -> float:
    """Share of sequences with an error below 0.3."""
    return float((np.abs(y_true - y_pred) < 0.3).mean())


def main() -> None:
    """Train until solved, then count errors."""
    parser = common.parser(__doc__)
    parser.add_argument("--cell", choices=("peephole", "lstm"), default="peephole")
    parser.add_argument("--units", type=int, default=16)
    options = parser.parse_args()
    layer = seqkit.create(options.cell, options.units, input_shape=(None, 1))
    model = seqkit.Sequential([layer, seqkit.Dense(1, activation="sigmoid")], seed=options.seed)
    common.remember(layer, 50, options.seed)
    model.compile(Adam(0.005, global_clipnorm=1.0), "binary_crossentropy", metrics=[correct])
    seen = common.train_on_stream(
        model,
        lambda samples, rng: spike_intervals(samples, seed=rng),
        lambda logs: logs["correct"] == 1.0,
        most=common.CHUNK if options.quick else 1_000_000,
        seed=options.seed,
    )
    test = spike_intervals(2560, seed=[options.seed, 2])
    wrong = int((np.abs(model.predict(test.x, lengths=test.lengths) - test.y) >= 0.3).sum())
    print(f"solved after {seen} sequences" if seen else "not solved", f"- wrong: {wrong} of {len(test.y)}")


if __name__ == "__main__":
    main()
