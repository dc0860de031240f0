"""
What the units of a network do
==============================

An LSTM learns the adding problem, in which two numbers of a sequence are marked and their sum is asked for at its end.
Then its gates are read: how long each unit remembers, what it follows, and which steps an answer depends on.  With
--out DIR a page to move along a sequence and three figures are written.
"""

from __future__ import annotations

from pathlib import Path

import common
import numpy as np

import seqkit
from seqkit import explain
from seqkit.data.synthetic import adding_problem
from seqkit.training.optimizers import Adam

FEATURES = ["number", "mark"]


def trained(units: int, length: int, samples: int, seed: int) -> seqkit.Sequential:
    """A network that adds the marked numbers."""
    lstm = seqkit.LSTM(units, input_shape=(None, 2))
    model = seqkit.Sequential([lstm, seqkit.Dense(1)], seed=seed)
    common.remember(lstm, length, seed)
    model.compile(Adam(0.005, global_clipnorm=1.0), "mse")
    data = adding_problem(samples, length, seed)
    model.fit(data.x, data.y, lengths=data.lengths, epochs=10, verbose=0)
    return model


def found_marks(found: explain.Attribution, marked: np.ndarray) -> float:
    """Share of the sequences with two marks whose two most important numbers are the marked ones."""
    importance = np.abs(found.values[:, :, FEATURES.index("number")])
    two = np.argsort(-importance, axis=1)[:, :2]
    right = np.take_along_axis(marked, two, axis=1).all(axis=1)
    return float(right[marked.sum(axis=1) == 2].mean())


def main() -> None:
    """Train, look inside, say what was found."""
    parser = common.parser(__doc__)
    parser.add_argument("--length", type=int, default=100, help="least length of a sequence (default 100)")
    parser.add_argument("--units", type=int, default=16)
    parser.add_argument("--out", type=Path, help="folder for the page and the figures")
    options = parser.parse_args()
    length, samples = (40, 2000) if options.quick else (options.length, 10_000)
    model = trained(options.units, length, samples, options.seed)
    test = adding_problem(200, length, [options.seed, 2])
    error = np.abs(model.predict(test.x, lengths=test.lengths) - test.y).mean()
    print(f"mean absolute error {error:.4f}, of always giving the mean {np.abs(test.y - test.y.mean()).mean():.4f}")
    told = explain.summary(model, test.x, lengths=test.lengths, features=FEATURES, target=test.y)
    print(told)
    found = explain.integrated_gradients(model, test.x, lengths=test.lengths)
    share = found_marks(found, test.x[..., FEATURES.index("mark")] == 1)
    print(f"the two most important numbers are the marked ones in {share:.0%} of the sequences with two")
    if options.out:
        write(options.out, model, test.x, test.lengths, told)


def write(folder: Path, model: seqkit.Sequential, x: np.ndarray, lengths: np.ndarray, told: explain.Summary) -> None:
    """The page and the figures."""
    folder.mkdir(parents=True, exist_ok=True)
    explain.page(
        model, x, folder / "gates.html", lengths=lengths, features=FEATURES, outputs=["sum"], title="Adding", found=told
    )
    explain.figure(model, x, folder / "gates.png", lengths=lengths, features=FEATURES, found=told)
    explain.figure_of_half_lives(told, folder / "half_lives.png")
    if told.lags is not None:
        explain.figure_of_lags(told.lags, folder / "lags.png")
    print(f"written: {', '.join(sorted(path.name for path in folder.iterdir()))} in {folder}")


if __name__ == "__main__":
    main()
