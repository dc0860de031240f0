"""What is printed of a comparison, for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Any

from comparing.builds import Commit
from comparing.comparison import Effort, Outcome
from comparing.looks import CONFIDENCE, Look

SCHEMA = "seqkit.compare/1"
HEADER = f"{'case':32}{'old_ms':>10}{'new_ms':>10}{'new/old':>9}  {f'{CONFIDENCE:.0%} interval':15}  verdict"


def line(outcome: Outcome) -> str:
    """One row of the table; its columns are those of `HEADER`."""
    look = outcome.last
    if look is None:
        return f"{outcome.case:32}  {outcome.status}: {outcome.reason}"
    low, high = look.interval
    interval = f"{low:.3f} to {high:.3f}"
    times = f"{1e3 * median(look.old):10.4g}{1e3 * median(look.new):10.4g}"
    return f"{outcome.case:32}{times}{look.ratio:9.3f}  {interval:15}  {outcome.status}"


def summary(outcomes: Sequence[Outcome]) -> str:
    """How many cases ended how."""
    count = Counter(outcome.status for outcome in outcomes)
    return f"{len(outcomes)} cases: " + ", ".join(f"{number} {status}" for status, number in count.most_common())


def document(old: Commit, new: Commit, threads: int, effort: Effort, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Everything as plain values, with units in the names."""
    return {
        "schema": SCHEMA,
        "old": vars(old),
        "new": vars(new),
        "threads": threads,
        "limit": effort.limit,
        "confidence": CONFIDENCE,
        "results": [_facts(outcome) for outcome in outcomes],
    }


def _facts(outcome: Outcome) -> dict[str, Any]:
    facts = {"case": outcome.case, "status": outcome.status}
    if outcome.reason:
        facts["reason"] = outcome.reason
    looks = {"first_look": outcome.first, "second_look": outcome.second}
    return facts | {name: _seen(look) for name, look in looks.items() if look is not None}


def _seen(look: Look) -> dict[str, Any]:
    return {
        "ratio": look.ratio,
        "interval": look.interval,
        "old_ms": [1e3 * seconds for seconds in look.old],
        "new_ms": [1e3 * seconds for seconds in look.new],
    }
