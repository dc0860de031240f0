"""Classification of sequences
===========================

`SequenceClassifier` with its defaults on public data sets: spoken vowels (JapaneseVowels), motion sensors
(BasicMotions), power demand of days (ItalyPowerDemand), movements of a hand (GunPoint).  The defaults were chosen by
cross-validation on the training parts (decision 27).  With ``--members`` several networks vote, by scikit-learn's own
means: the mean of their probabilities has a log loss that is never above the mean of theirs.
"""

from __future__ import annotations

import time
from statistics import mean
from typing import Any

import common
from sklearn.ensemble import VotingClassifier

from seqkit.estimators import SequenceClassifier

SETS = ("JapaneseVowels", "BasicMotions", "ItalyPowerDemand", "GunPoint")


def voters(members: int, seed: int, options: dict[str, Any]) -> VotingClassifier:
    """Networks that differ in their seeds, and whose probabilities are averaged."""
    networks = [SequenceClassifier(**options, random_state=members * seed + number) for number in range(members)]
    return VotingClassifier([(f"network {number}", network) for number, network in enumerate(networks)], voting="soft")


def accuracies(name: str, members: int, seeds: range, options: dict[str, Any]) -> list[float]:
    """Accuracy on the test part, of what is trained with each seed."""
    data = common.load(name)
    found = []
    for seed in seeds:
        start = time.perf_counter()
        classifier = voters(members, seed, options).fit(data.train.x, data.train.labels)
        found.append(classifier.score(data.test.x, data.test.labels))
        print(f"{name}: seed {seed}: accuracy {found[-1]:.4f}  ({time.perf_counter() - start:.0f} s)", flush=True)
    return found


def main() -> None:
    """Train, measure, and say how well each data set is told apart."""
    parser = common.parser(__doc__)
    parser.add_argument("names", nargs="*", default=SETS, metavar="DATASET", help=f"some of {', '.join(SETS)} (all)")
    parser.add_argument("--seeds", type=int, default=3, help="seeds to try, from --seed on (default 3)")
    parser.add_argument("--members", type=int, default=1, help="networks that vote (default 1)")
    options = parser.parse_args()
    names, count = (options.names[:1], 1) if options.quick else (options.names, options.seeds)
    for name in names:
        seeds = range(options.seed, options.seed + count)
        found = accuracies(name, options.members, seeds, {"epochs": 2} if options.quick else {})
        print(f"{name}: mean accuracy of {len(found)} seeds: {mean(found):.4f}")


if __name__ == "__main__":
    main()
