"""Corrupted and hostile files of every format: a model or a SeqkitError, soon, in little memory, and nothing else done.

A hundred corrupted files of each format, and all that are made by hand, are read here; 10,000 of each with
``pytest -m slow tests/test_hostile_files.py``.  Models that corrupted files still give are run, too.  A file that does
harm is kept where the failure says.
"""

from __future__ import annotations

from itertools import chain

import pytest
from hostile_files.formats import FORMATS
from hostile_files.harness import Summary, run

FEW, MANY = 100, 10_000
SEED = 1


def check(summary: Summary) -> None:
    assert not summary.findings, f"{summary}\n" + "\n".join(map(str, summary.findings))


@pytest.mark.parametrize("name", FORMATS)
def test_files_made_by_hand_and_some_corrupted(name: str) -> None:
    kind = FORMATS[name]
    summary = run(kind, chain(kind.made(), kind.corrupted(FEW, SEED)), running=True)
    check(summary)
    assert summary.refused > FEW // 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["keras", "hdf5"])
def test_files_made_by_hand_through_the_child_that_users_have(name: str) -> None:
    check(run(FORMATS[name], FORMATS[name].made()))


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_ten_thousand_corrupted_files(name: str) -> None:
    summary = run(FORMATS[name], FORMATS[name].corrupted(MANY, SEED + 1), running=True)
    check(summary)
    assert (summary.read + summary.refused, summary.refused > MANY // 3) == (MANY, True)
