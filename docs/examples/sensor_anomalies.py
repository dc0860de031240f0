"""
Anomalies of sensors
====================

The artificial files of the Numenta Anomaly Benchmark (Lavin and Ahmad 2015): two weeks of a
measurement every five minutes, six files with a labelled window that holds an anomaly, five
without.  One detector with one setting learns from the first 15 % of every file, the benchmark's
probationary part, and scores the rest; no label is used.  A window is found if an alarm overlaps
it; an alarm that overlaps none is false.
"""

from __future__ import annotations

import time

import common
import numpy as np

from seqkit.datasets.parts import Monitored
from seqkit.estimators import SequenceAnomalyDetector

PROBATION = 0.15


def look(data: Monitored, seed: int, options: dict[str, float]) -> tuple[int, int, int]:
    """Labelled windows of a series, how many of them are found, and false alarms."""
    values = data.series.values
    known = int(PROBATION * len(values))
    detector = SequenceAnomalyDetector(season="auto", warmup=known, random_state=seed, **options).fit(values[:known])
    alarms = detector.alarms(values)[0]
    found = [any(alarm.start < stop and alarm.end > start for alarm in alarms) for start, stop in data.windows]
    false = [not any(alarm.start < stop and alarm.end > start for start, stop in data.windows) for alarm in alarms]
    return len(data.windows), sum(found), sum(false)


def main() -> None:
    """A line for every file."""
    parser = common.parser(__doc__)
    parser.add_argument("--smoothing", type=int, default=48, help="steps of the longer mean (default 48)")
    parser.add_argument("--threshold", type=float, default=3.0, help="score of an alarm (default 3)")
    options = parser.parse_args()
    setting = {"smoothing": options.smoothing, "threshold": options.threshold, "epochs": 2 if options.quick else 20}
    totals = np.zeros(3, dtype=int)
    print(f"{'series':30} windows  found  false alarms  seconds")
    for data in common.load("nab"):
        began = time.perf_counter()
        figures = look(data, options.seed, setting)
        totals += figures
        print(f"{data.name:30} {figures[0]:7} {figures[1]:6} {figures[2]:13} {time.perf_counter() - began:8.2f}")
    print(f"{'all':30} {totals[0]:7} {totals[1]:6} {totals[2]:13}")


if __name__ == "__main__":
    main()
