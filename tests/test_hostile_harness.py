"""The harness itself: readers that are wrong on purpose are caught, with the file that made them wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hostile_files import harness
from hostile_files.cases import Case, Format
from hostile_files.harness import Summary, run
from hostile_files.mutate import DAMAGES, corrupt, corrupt_json

CAUGHT = {
    "fail": "IndexError: 'list index out of range'",
    "talk": "an error of 3000 characters",
    "mumble": "an error that cannot be printed",
    "warn": "RuntimeWarning: 'an overflow'",
    "leave": "SystemExit",
    "recur": "RecursionError",
    "take_much": "MemoryError",
    "take_and_touch": "MiB of memory, allowed were 64",
    "spin": "s of processor time",
    "crash": "the worker ended with -11: Fatal Python error: Segmentation fault .* in crash",
    "vanish": "the worker ended with 0",
    "import_something": r"import \('colorsys'",
    "look_elsewhere": r"open \('/etc/hostname', 'r'",
    "look_upwards": r"open \('../../model.txt', 'r'",
    "follow": r"open \('link', 'r'",
    "write": r"open \('written', 'w'",
    "remove": r"os.remove \(",
    "evaluate": r"compile \(",
    "start": r"subprocess.Popen \('true'",
    "connect": r"socket.__new__ \(",
    "unpickle": r"pickle.find_class \('os', 'getcwd'",
    "keep_open": "left behind: open files",
    "keep_running": "left behind: threads 1 -> 2",
    "wander": "os.chdir",
}


def case(behaviour: str, refused: bool = False) -> Case:
    return Case(behaviour, behaviour.encode(), refused, prepare=_link)


def _link(folder: Path) -> None:
    (folder / "link").symlink_to("/etc/hostname")


def made() -> Iterator[Case]:
    yield from ()


WRONG = Format("wrong", ".txt", "hostile_files.wrong_readers:read", lambda: [b"fine"], corrupt, made)


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Findings go to a folder of the test."""
    monkeypatch.setattr(harness, "KEPT", tmp_path / "findings")
    return tmp_path / "findings"


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    """One run over all behaviours, a good file before and after each."""
    cases = [each for name in CAUGHT for each in (case("fine"), case(name), case("refuse", refused=True))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(harness, "KEPT", tmp_path_factory.mktemp("findings"))
        return run(WRONG, cases, most=100)


@pytest.mark.parametrize("behaviour", CAUGHT)
def test_caught(behaviour: str, summary: Summary) -> None:
    (finding,) = (finding for finding in summary.findings if finding.case == behaviour)
    assert re.search(CAUGHT[behaviour], " ".join(finding.problems))
    assert finding.path is not None
    assert finding.path.read_text() == behaviour


def test_nothing_else_is_caught(summary: Summary) -> None:
    assert sorted(finding.case for finding in summary.findings) == sorted(CAUGHT)
    assert summary.refused >= summary.read == len(CAUGHT)


def test_a_hang_is_ended() -> None:
    summary = run(WRONG, [case("fine"), case("sleep"), case("fine")], patience=2)
    (finding,) = summary.findings
    assert re.search("the worker hangs: Fatal Python error: Aborted .* in sleep", " ".join(finding.problems))
    assert (finding.case, summary.read) == ("sleep", 2)


def test_what_must_be_refused_is_not_read() -> None:
    summary = run(WRONG, [case("fine", refused=True), case("refuse", refused=True), case("fine")])
    assert [finding.problems for finding in summary.findings] == [("was read, although it must be refused",)]


def test_a_seed_that_cannot_be_read_is_an_error() -> None:
    broken = Format("wrong", ".txt", WRONG.reader, lambda: [b"refuse"], corrupt, made)
    with pytest.raises(AssertionError, match=r"seed-0 is a valid file and must be read: .*a fine answer"):
        run(broken, [case("fine")])


def test_enough_is_enough() -> None:
    assert len(run(WRONG, [case("fail")] * 9, most=3).findings) == 3


def test_corrupted_files_are_the_same_for_a_seed_and_others_for_another() -> None:
    seeds = [bytes(range(200)), b"short", b""]
    files = [corrupt(Random(f"{number}"), seeds) for number in range(2000)]
    assert files == [corrupt(Random(f"{number}"), seeds) for number in range(2000)]
    assert len(set(files)) > 1200
    assert max(map(len, files)) < 1 << 20


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_damage_takes_everything(damage: object) -> None:
    assert callable(damage)
    for length in (0, 1, 2, 9, 3000):
        for number in range(30):
            damage(Random(number), bytearray(length))


def test_json_texts_are_changed_and_mostly_still_texts() -> None:
    text = b'{"a": [1, 2.5, "x"], "b": {"c": null, "d": true}}'
    found = [corrupt_json(Random(number), text) for number in range(1000)]
    assert sum(b"\x00" in each or each == text for each in found) < 50
    assert len(set(found)) > 300
