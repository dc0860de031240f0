"""Classification of sequences
===========================

`SequenceClassifier` with its defaults on public data sets: spoken vowels (JapaneseVowels), motion sensors
(BasicMotions), power demand of days (ItalyPowerDemand), movements of a hand (GunPoint).  The defaults were chosen by
cross-validation on the training parts; the test parts are only measured on.
"""

from __future__ import annotations

import time
from statistics import mean
from typing import Any

import common

from seqkit.estimators import SequenceClassifier

SETS = ("JapaneseVowels", "BasicMotions", "ItalyPowerDemand", "GunPoint")


def accuracies(name: str, seeds: int, first: int, options: dict[str, Any]) -> list[float]:
    """Accuracy on the test part, of networks trained with some seeds."""
    data = common.load(name)
    found = []
    for seed in range(first, first + seeds):
        start = time.perf_counter()
        classifier = SequenceClassifier(**options, random_state=seed).fit(data.train.x, data.train.labels)
        found.append(classifier.score(data.test.x, data.test.labels))
        print(f"{name}: seed {seed}: accuracy {found[-1]:.4f}  ({time.perf_counter() - start:.0f} s)", flush=True)
    return found


def main() -> None:
    """Train, measure, and say how well each data set is told apart."""
    parser = common.parser(__doc__)
    parser.add_argument("names", nargs="*", default=SETS, metavar="DATASET", help=f"one of {', '.join(SETS)} (all)")
    parser.add_argument("--seeds", type=int, default=3, help="networks to train, from --seed on (default 3)")
    options = parser.parse_args()
    names, seeds = (options.names[:1], 1) if options.quick else (options.names, options.seeds)
    for name in names:
        found = accuracies(name, seeds, options.seed, {"epochs": 2} if options.quick else {})
        print(f"{name}: mean accuracy of {len(found)} networks: {mean(found):.4f}")


if __name__ == "__main__":
    main()
