"""
The adding problem
==================

The adding problem (Hochreiter and Schmidhuber 1997, section 5.4).

Two numbers of a sequence are marked; their sum is asked for at its end.  A sequence is processed
correctly if the error is below 0.04.  Solved, by the paper's criterion: the last 2,000 training
sequences were processed correctly and their mean absolute error is below 0.01.  Then 2,560 new
sequences are counted.
"""

from __future__ import annotations

from typing import Any

import common
import numpy as np

import seqkit
from seqkit.data.synthetic import adding_problem
from seqkit.training.optimizers import Adam


def correct(y_true: Any, y_pred: np.ndarray, lengths: Any) -> float:
    """Share of sequences with an error below 0.04."""
    return float((np.abs(y_true - y_pred) < 0.04).mean())


def main() -> None:
    """Train until solved, then count errors."""
    parser = common.parser(__doc__)
    parser.add_argument("--length", type=int, default=100, help="least length of a sequence (default 100)")
    parser.add_argument("--units", type=int, default=32)
    options = parser.parse_args()
    lstm = seqkit.LSTM(options.units, input_shape=(None, 2))
    model = seqkit.Sequential([lstm, seqkit.Dense(1)], seed=options.seed)
    common.remember(lstm, options.length, options.seed)
    model.compile(Adam(0.002, global_clipnorm=1.0), "mse", metrics=["mae", correct])
    seen = common.train_on_stream(
        model,
        lambda samples, rng: adding_problem(samples, options.length, rng),
        lambda logs: logs["correct"] == 1.0 and logs["mae"] < 0.01,
        most=common.CHUNK if options.quick else 2_000_000,
        seed=options.seed,
    )
    test = adding_problem(2560, options.length, seed=[options.seed, 2])
    wrong = int((np.abs(model.predict(test.x, lengths=test.lengths) - test.y) >= 0.04).sum())
    print(f"solved after {seen} sequences" if seen else "not solved", f"- wrong: {wrong} of {len(test.y)}")


if __name__ == "__main__":
    main()
