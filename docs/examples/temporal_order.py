"""
Temporal order
==============

Temporal order, tasks 6a and 6b (Hochreiter and Schmidhuber 1997, section 5.6).

The class of a sequence of some 105 symbols is the order of 2 (6a) or 3 (6b) of them.  A sequence
is classified correctly if all outputs are within 0.3 of their targets, 0 or 1.  Solved, by the
paper's criterion: the last 2,000 training sequences were classified correctly and their mean
error is below 0.1.  Then 2,560 new sequences are counted.
"""

from __future__ import annotations

from typing import Any

import common
import numpy as np

import seqkit
from seqkit.data.synthetic import temporal_order
from seqkit.training.optimizers import Adam


def errors(classes: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
    """The largest error of the outputs of each sequence."""
    return np.abs(np.eye(y_pred.shape[1])[classes] - y_pred).max(axis=1)


def correct(y_true: Any, y_pred: np.ndarray, lengths: Any) -> float:
    """Share of sequences with all outputs within 0.3 of their targets."""
    return float((errors(y_true, y_pred) < 0.3).mean())


def mean_error(y_true: Any, y_pred: np.ndarray, lengths: Any) -> float:
    """Mean of the largest errors."""
    return float(errors(y_true, y_pred).mean())


def main() -> None:
    """Train until solved, then count errors."""
    parser = common.parser(__doc__)
    parser.add_argument("--marks", type=int, choices=(2, 3), default=2, help="2 for task 6a (default), 3 for 6b")
    parser.add_argument("--units", type=int, default=32)
    options = parser.parse_args()
    outputs = seqkit.Dense(2**options.marks, activation="softmax")
    lstm = seqkit.LSTM(options.units, input_shape=(None, 8))
    model = seqkit.Sequential([lstm, outputs], seed=options.seed)
    common.remember(lstm, 100, options.seed)
    model.compile(Adam(0.002, global_clipnorm=1.0), "sparse_categorical_crossentropy", metrics=[correct, mean_error])
    seen = common.train_on_stream(
        model,
        lambda samples, rng: temporal_order(samples, options.marks, rng),
        lambda logs: logs["correct"] == 1.0 and logs["mean_error"] < 0.1,
        most=common.CHUNK if options.quick else 2_000_000,
        seed=options.seed,
    )
    test = temporal_order(2560, options.marks, seed=[options.seed, 2])
    wrong = int((errors(test.y, model.predict(test.x, lengths=test.lengths)) >= 0.3).sum())
    print(f"solved after {seen} sequences" if seen else "not solved", f"- wrong: {wrong} of {len(test.y)}")


if __name__ == "__main__":
    main()
