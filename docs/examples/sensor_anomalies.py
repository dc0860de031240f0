"""
Anomalies of sensors
====================

The artificial files of the Numenta Anomaly Benchmark (Lavin and Ahmad 2015): two weeks of a
measurement every five minutes, six files with a labelled window that holds an anomaly, five
without.  One detector with one setting learns from the first 15 % of every file, the benchmark's
probationary part, and scores the rest; no label is used.  A window is found if an alarm overlaps
it; an alarm that overlaps none is false.  Needs the folder nab of SEQKIT_DATA.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import common
import numpy as np

from seqkit.data.files import read_series
from seqkit.estimators import SequenceAnomalyDetector

PROBATION = 0.15


def look(path: Path, windows: list[list[str]], seed: int, options: dict[str, float]) -> tuple[int, int, int]:
    """Labelled windows of a file, how many of them are found, and false alarms."""
    series = read_series(path, "value")
    known = int(PROBATION * len(series.values))
    detector = SequenceAnomalyDetector(season="auto", warmup=known, random_state=seed, **options)
    detector.fit(series.values[:known])
    alarms = [(series.index[a.start], series.index[a.end - 1]) for a in detector.alarms(series.values)[0]]
    hits = np.array([[a <= end[:19] and b >= start[:19] for start, end in windows] for a, b in alarms])
    hits = hits.reshape(len(alarms), len(windows)).astype(bool)
    return len(windows), int(hits.any(axis=0).sum()), int((~hits.any(axis=1)).sum())


def main() -> None:
    """A line for every file."""
    parser = common.parser(__doc__)
    parser.add_argument("--smoothing", type=int, default=48, help="steps of the longer mean (default 48)")
    parser.add_argument("--threshold", type=float, default=3.0, help="score of an alarm (default 3)")
    options = parser.parse_args()
    setting = {"smoothing": options.smoothing, "threshold": options.threshold, "epochs": 2 if options.quick else 20}
    folder = common.data_folder("nab")
    labels = json.loads((folder / "combined_windows.json").read_text())
    totals = np.zeros(3, dtype=int)
    print(f"{'file':40} windows  found  false alarms  seconds")
    for path in sorted(folder.glob("artificial*/*.csv")):
        began = time.perf_counter()
        figures = look(path, labels[f"{path.parent.name}/{path.name}"], options.seed, setting)
        totals += figures
        print(f"{path.stem:40} {figures[0]:7} {figures[1]:6} {figures[2]:13} {time.perf_counter() - began:8.2f}")
    print(f"{'all':40} {totals[0]:7} {totals[1]:6} {totals[2]:13}")


if __name__ == "__main__":
    main()
