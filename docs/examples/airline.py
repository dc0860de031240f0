"""
Three years of airline passengers
=================================

Monthly totals of passengers, 1949 to 1960 (Box and Jenkins 1970).  The last 36 months are held
out and forecast at once from the end of 1957.  The seasonal naive forecast, which repeats the
last year, has a root mean squared error of 73.6 there.

What the forecaster is told: the season has 12 months.  Whether it works on logarithms, and with
which strategy, is chosen by backtests inside the first 108 months; the held-out months are looked
at once.  Needs Airline/Airline.csv in SEQKIT_DATA.
"""

from __future__ import annotations

import itertools
import time

import common
import numpy as np

from seqkit.estimators import SequenceForecaster
from seqkit.tasks.baselines import repeated, rmse

SEASON, HELD_OUT, FIRST_ORIGIN = 12, 36, 66
CHOICES = {"log": (True, False), "strategy": ("direct", "recursive")}


def choose(months: np.ndarray, seeds: list[int], epochs: int) -> dict[str, object]:
    """The options whose forecasts of 36 months were best, at origins inside the training months."""
    errors = {}
    for values in itertools.product(*CHOICES.values()):
        options = dict(zip(CHOICES, values, strict=True))
        models = [forecaster(seed, epochs, **options) for seed in seeds]
        tests = [model.backtest(months, start=FIRST_ORIGIN).report()["rmse"] for model in models]
        errors[values] = float(np.mean(tests))
        print(f"backtest  {options}: RMSE {errors[values]:.1f}")
    return dict(zip(CHOICES, min(errors, key=errors.__getitem__), strict=True))


def forecaster(seed: int, epochs: int, **options: object) -> SequenceForecaster:
    """One of 36 months."""
    return SequenceForecaster(
        horizon=HELD_OUT, window=SEASON, season=SEASON, interval=None, epochs=epochs, random_state=seed, **options
    )


def main() -> None:
    """Choose, train, forecast, measure."""
    parser = common.parser(__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="networks to train (default 3)")
    options = parser.parse_args()
    began, epochs = time.perf_counter(), 2 if options.quick else 50
    seeds = list(range(options.seed, options.seed + options.seeds))
    months = common.load("airline").values
    known, true = months[:-HELD_OUT], months[-HELD_OUT:]
    chosen = choose(known, seeds, epochs)
    print(f"chosen: {chosen}")
    errors = [rmse(forecaster(seed, epochs, **chosen).fit(known).predict(), true) for seed in seeds]
    for seed, error in zip(seeds, errors, strict=True):
        print(f"seed {seed}: RMSE {error:.1f}")
    print(f"mean RMSE {np.mean(errors):.1f} in {time.perf_counter() - began:.0f} s")
    print(f"seasonal naive RMSE {rmse(repeated(known, SEASON, HELD_OUT), true):.1f}")
    print(f"persistence RMSE {rmse(repeated(known, 1, HELD_OUT), true):.1f}")


if __name__ == "__main__":
    main()
