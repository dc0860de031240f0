"""Runs on disk, and what has become slower since one of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from seqkit.bench.cases import Case
from seqkit.bench.intervals import Ratio, independent_ratio
from seqkit.errors import DataError, words

SCHEMA = "seqkit.bench/2"
SAME_PEAK = 0.05
"""Share by which peaks of two runs may differ without a remark."""

Document = Mapping[str, Any]


def save_run(path: Path, document: Document) -> None:
    """Write a run as JSON; NaN has no place in it."""
    path.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n")


def load_run(path: Path) -> Document:
    """Read a run that was saved.

    Raises
    ------
    DataError
        If the file is not such a run, or of another version.
    """
    try:
        document = json.loads(path.read_text())
    except ValueError as error:
        raise DataError(f"{path}: expected a run of `seqkit bench --save`, but it is not JSON ({error}).") from None
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != SCHEMA:
        raise DataError(f"{path}: expected a run with schema {SCHEMA!r}, got {schema!r}; measure and save it anew.")
    try:
        compare(document, document)  # now, not after the new run has been measured
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: the run is incomplete ({words(error)}); measure and save it anew.") from None
    return dict(document)


@dataclass(frozen=True)
class Change:
    """A case in two runs: new time / old time.

    Attributes
    ----------
    time : Ratio
        As measured.
    normalised : Ratio
        Of times counted in operations that the machine could have done at the peak measured in
        the same run: a processor that was slower that day does not make seqkit slower.
    """

    case: Case
    time: Ratio
    normalised: Ratio


@dataclass(frozen=True)
class Comparison:
    """What is in both runs, and what else must be known to read it."""

    changes: list[Change]
    remarks: list[str]

    def slower(self, allowed: float) -> list[Change]:
        """Cases whose whole interval, normalised, lies above `allowed`."""
        return [change for change in self.changes if change.normalised.low > allowed]


def compare(old: Document, new: Document) -> Comparison:
    """Compare two runs.

    Raises
    ------
    DataError
        If they have no case in common.
    """
    before, now = _by_case(old), _by_case(new)
    changes = [_change(case, before[case], row) for case, row in now.items() if case in before]
    if not changes:
        raise DataError(
            "the two runs have no case in common, so nothing was compared; measure the cells, modes, sizes and "
            f"threads of the old run, such as {next(iter(before), 'none: it is empty')}."
        )
    return Comparison(changes, [*_machines(old, new), *_peaks(changes), *_missing(before, now)])


def _by_case(document: Document) -> dict[Case, Document]:
    names = [field.name for field in fields(Case)]
    return {Case(**{name: row[name] for name in names}): row for row in document["results"]}


def _change(case: Case, old: Document, new: Document) -> Change:
    time = independent_ratio(new["round_ms"], old["round_ms"])
    return Change(case, time, time.scaled(new["peak_GFLOP_per_s"] / old["peak_GFLOP_per_s"]))


def _machines(old: Document, new: Document) -> list[str]:
    """Where the runs come from different machines."""
    pairs = [(name, old["environment"][name], new["environment"][name]) for name in ("processor", "instruction_set")]
    return [
        f"{name.replace('_', ' ')} differs: {before}, now {now}; only normalised ratios can be compared, and roughly"
        for name, before, now in pairs
        if before != now
    ]


def _peaks(changes: list[Change]) -> list[str]:
    """Where the machine was faster or slower than in the old run."""
    factors = [change.normalised.value / change.time.value for change in changes]
    far = max(factors, key=lambda factor: abs(factor - 1))
    if abs(far - 1) <= SAME_PEAK:
        return []
    return [f"the measured peak is {far:.2f} of what it was; times change with it, normalised ratios do not"]


def _missing(before: Mapping[Case, Document], now: Mapping[Case, Document]) -> list[str]:
    """What could not be compared."""
    both = len(before.keys() & now.keys())
    return [
        f"{len(run) - both} case(s) only in the {name} run, not compared"
        for name, run in (("old", before), ("new", now))
        if len(run) > both
    ]
