"""
Outcome from irregular health records
=====================================

GRU-D (Che and others 2018) reads values, masks of what was measured and the time since each was
measured last; a plain GRU reads values that were carried forward.  A third network, a GRU that
reads all that the GRU-D reads, tells what the masks and times alone are worth.  Records are made up
(seqkit.datasets.irregular_records), or the 4,000 of set A of PhysioNet's challenge of 2012 where
the folder physionet2012 of SEQKIT_DATA holds Outcomes-a.txt and set-a/.  A quarter of the patients
is for testing; printed is the area under the ROC curve, for each seed and as a mean.

Needs the package seqkit-zoo (plugins/seqkit-zoo).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import common
import numpy as np

import seqkit
from seqkit.data.csv_file import read_csv
from seqkit.data.records import carried_forward, gaps, irregular_records
from seqkit.training.optimizers import Adam

Records = tuple[list[np.ndarray], np.ndarray]


def auc(true: np.ndarray, score: np.ndarray) -> float:
    """Probability that a case with outcome 1 has a higher score than one with 0; ties count half."""
    positive, negative = score[true == 1], np.sort(score[true == 0])
    below = np.searchsorted(negative, positive) + np.searchsorted(negative, positive, side="right")
    return float(below.mean() / 2 / len(negative))


def made_up(samples: int, informative: float, seed: int) -> Records:
    """Stays as lists of (T, 3 V) arrays, and outcomes."""
    data = irregular_records(samples, informative, seed=seed)
    return [row[:length] for row, length in zip(data.x, data.lengths, strict=True)], data.y[:, 0]


def challenge(folder: Path) -> Records:
    """Set A of the challenge: one file a patient with lines ``HH:MM,variable,value``; -1 is unknown."""
    table = read_csv(folder / "Outcomes-a.txt")
    deaths = dict(zip(table.texts("RecordID"), table.numbers("In-hospital_death"), strict=True))
    stays = [patient(folder / "set-a" / f"{record}.txt") for record in deaths]
    variables = sorted({name for stay in stays for _, name, _ in stay} - {"RecordID"})
    return [as_steps(stay, variables) for stay in stays], np.array(list(deaths.values()))


def patient(path: Path) -> list[tuple[float, str, float]]:
    """Hour, variable and value of each measurement."""
    lines = (line.split(",") for line in path.read_text().splitlines()[1:])
    hours = ((int(time[:-3]) + int(time[-2:]) / 60, name, float(value)) for time, name, value in lines)
    return [(hour, name, value) for hour, name, value in hours if name and value != -1]


def as_steps(stay: list[tuple[float, str, float]], variables: list[str]) -> np.ndarray:
    """Values, masks and gaps of a stay, one step for each time at which something was measured, (T, 3 V)."""
    times = sorted({hour for hour, _, _ in stay})
    values, mask = np.zeros((2, len(times), len(variables)))
    for hour, name, value in stay:
        if name in variables:
            place = times.index(hour), variables.index(name)
            values[place], mask[place] = value, 1.0
    return np.concatenate([values, mask, gaps(np.array(times), mask)], axis=1)


def scaled(x: list[np.ndarray], train: np.ndarray) -> list[np.ndarray]:
    """Values by mean and deviation of those measured in training, gaps in units of 12 hours."""
    steps = np.concatenate([x[n] for n in train])
    values, mask, _ = np.split(steps, 3, axis=1)
    count = np.maximum(mask.sum(axis=0), 1)
    mean = (values * mask).sum(axis=0) / count
    deviation = np.sqrt((mask * (values - mean) ** 2).sum(axis=0) / count) + 1e-6
    parts = (np.split(row, 3, axis=1) for row in x)
    return [np.concatenate([(v - mean) / deviation * m, m, gap / 12], axis=1).astype(np.float32) for v, m, gap in parts]


def network(kind: str, units: int, seed: int) -> seqkit.Sequential:
    """A recurrent layer and one output."""
    from seqkit_zoo.gru_d import GRUD

    layer = seqkit.Recurrent(GRUD, units) if kind == "GRU-D" else seqkit.GRU(units)
    model = seqkit.Sequential([layer, seqkit.Dropout(0.3), seqkit.Dense(1, activation="sigmoid")], seed=seed)
    model.compile(Adam(0.005, global_clipnorm=1.0), "binary_crossentropy")
    return model


def inputs(kind: str, x: list[np.ndarray]) -> list[np.ndarray]:
    """What a network of this kind reads."""
    if kind != "GRU, carried forward":
        return x
    parts = (np.split(row, 3, axis=1) for row in x)
    return [carried_forward(values, mask) for values, mask, _ in parts]


def main() -> None:
    """Three networks, three seeds."""
    parser = common.parser(__doc__)
    parser.add_argument("--patients", type=int, default=3000, help="made-up patients (default 3000)")
    parser.add_argument(
        "--informative", type=float, default=1.0, help="how much severity has to do with what is measured"
    )
    parser.add_argument("--units", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    try:
        import seqkit_zoo  # noqa: F401
    except ImportError:
        sys.exit("skipped: it needs the package seqkit-zoo: pip install plugins/seqkit-zoo")
    if options.quick:
        options.patients, options.units, options.epochs, options.seeds = 80, 4, 1, 1
    folder = Path(os.environ.get("SEQKIT_DATA", "")) / "physionet2012"
    real = challenge(folder) if (folder / "Outcomes-a.txt").exists() else None
    found: dict[str, list[float]] = {}
    for seed in range(options.seed, options.seed + options.seeds):
        x, y = real or made_up(options.patients, options.informative, seed)
        order = np.random.default_rng([seed, 1]).permutation(len(x))
        test, train = np.split(order, [len(x) // 4])
        x = scaled(x, train)
        for kind in ("GRU-D", "GRU, carried forward", "GRU, values, masks and gaps"):
            rows, model = inputs(kind, x), network(kind, options.units, seed)
            for epoch in range(options.epochs):
                model.optimizer.learning_rate = 0.0025 * (1 + np.cos(np.pi * epoch / options.epochs))
                model.fit([rows[n] for n in train], y[train], batch_size=32)
            found.setdefault(kind, []).append(auc(y[test], model.predict([rows[n] for n in test])[:, 0]))
    for kind, values in found.items():
        print(f"{kind:28s} AUC {np.mean(values):.4f}  ({', '.join(f'{value:.4f}' for value in values)})")


if __name__ == "__main__":
    main()
