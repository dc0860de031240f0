"""Texts and sizes that somebody else wrote: what is taken, what is refused, and at what cost."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from seqkit.errors import ConfigError, LoadError, UnsafeFileError
from seqkit.limits import LIMITS, Limits, array_bytes, limits_of, parse_json, read_file

VALUES: tuple[Any, ...] = (
    {"a": [1, -2.5e-3, True, None, 'x\n"\\\u4e00\U0001f600'], "b": {}, "": []},
    2**127,
    "[[[[" * 40,
    [0.1, 1e308, 5e-324, -0.0],
    [[[1], [2]], [[3]]],
)


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_what_json_writes_is_read(value: Any, ascii_only: bool) -> None:
    assert parse_json(json.dumps(value, ensure_ascii=ascii_only).encode(), "t") == value


DAMAGED = {
    "Expecting value": b"",
    "Extra data": b"{} {}",
    "Unterminated string": b'["abc',
    "Invalid control character": b'"a\x00b"',
    "can't decode byte 0xff": b'{"a": "\xff"}',
    "in position 0: invalid start byte": "[1]".encode("utf-16"),
    "Unexpected UTF-8 BOM": b"\xef\xbb\xbf[1]",
    "NaN is not a number": b'{"a": NaN}',
    "-Infinity is not a number": b"[-Infinity]",
    "the number 1e999 is too large": b"[1e999]",
    "a whole number of 41 digits": b"1" * 41,
    "the key 'a' stands twice": b'{"b": 1, "a": {"c": 1}, "a": 2}',
    "the key 'c' stands twice": b'{"a": {"c": 1, "c": 1}}',
    "surrogates not allowed": rb'{"a": "\uD800"}',
    "position 3: surrogates not allowed": rb'["\uD83D\uDE00\uDE00"]',
}


@pytest.mark.parametrize("match", DAMAGED)
def test_damaged_texts(match: str) -> None:
    with pytest.raises(LoadError, match=rf"^f\.json: not a JSON text that can be used \(.*{re.escape(match)}"):
        parse_json(DAMAGED[match], "f.json")


BOMBS = {
    "deeper than 64 levels": (b"[" * 65 + b"]" * 65, b'{"a":' * 100_000, b'[["]]]]",' * 65),
    "more values than fit": (b"[" + b"[]," * 600_000 + b"1]", b"[" + b'"ab",' * 1_000_000 + b"1]"),
    "expected at most": (b" " * (LIMITS.text + 1),),
}


@pytest.mark.parametrize("match", BOMBS)
def test_bombs(match: str) -> None:
    for text in BOMBS[match]:
        with pytest.raises(UnsafeFileError, match=rf"^f\.json: a text .*{match}"):
            parse_json(text, "f.json")


def test_as_deep_as_allowed() -> None:
    assert parse_json(b"[" * 64 + b"]" * 64, "t") == json.loads("[" * 64 + "]" * 64)
    assert parse_json(b'["]]", "[[[", {"[": "\\"[["}]', "t", Limits(depth=2)) == ["]]", "[[[", {"[": '"[['}]
    with pytest.raises(UnsafeFileError, match="deeper than 1 levels"):
        parse_json(b'["\\"]", []]', "t", Limits(depth=1))


FILLINGS = (
    *("1,", "1.5,", "12345678901234567890,", '"ab",', "[],", "[1],", "{},", '{"a":1},', "[[[[1]]]],", '"\u4e00",'),
    *('{"a":1,"b":1,"c":1,"d":2,"e":1,"f":3},', '{"a":{"b":{"c":"de"}}},'),
)


@pytest.mark.parametrize("filling", FILLINGS)
def test_the_estimate_of_memory_is_an_upper_bound(filling: str) -> None:
    """What parsing takes, beside the text itself, is never more than what it was allowed."""
    text = ("[" + filling * 30_000 + "1]").encode()
    allowed = 1
    while not _fits(text, allowed):
        allowed += allowed // 20 + 1
    assert _peak(text) - 2 * len(text) < allowed


def _fits(text: bytes, objects: int) -> bool:
    try:
        parse_json(text, "t", Limits(objects=objects))
    except UnsafeFileError:
        return False
    return True


def _peak(text: bytes) -> int:
    tracemalloc.start()
    try:
        parse_json(text, "t")
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_many_keys_of_which_two_are_one() -> None:
    """The search for it takes no square of their number, which would be hours."""
    text = b"{" + b",".join(b'"%d":1' % place for place in range(200_000)) + b',"199999":2}'
    with pytest.raises(LoadError, match=r"'199999' stands twice"):
        parse_json(text, "t")


@pytest.mark.parametrize("sizes", [(-1,), (True, 2), (1.0,), (1,) * 9])
def test_impossible_shapes(sizes: tuple[Any, ...]) -> None:
    with pytest.raises(UnsafeFileError, match="w: an array"):
        array_bytes(sizes, 4, "w")


def test_sizes_do_not_overflow() -> None:
    assert array_bytes((2**62, 4), 8, "w") == 2**67
    assert array_bytes((), 8, "w") == 8


@pytest.mark.parametrize(
    "text", ["ratio", "ratio=", "ratio=x", "ratio=0", "ratio=-1", "size=3", "ratio=1,text=2", "=1"]
)
def test_limits_of_other_texts_are_errors(text: str) -> None:
    with pytest.raises(ConfigError, match=r"SEQKIT_LIMITS: expected positive numbers by name.*there are file, text"):
        limits_of(text)


def test_limits_are_changed_by_the_environment() -> None:
    assert limits_of("") == Limits()
    assert limits_of(" depth=3  file=7 ") == Limits(depth=3, file=7)
    program = "from seqkit.limits import parse_json; parse_json(b'[[[]]]', 't')"
    for depth, code in ((2, 1), (3, 0)):
        environment = os.environ | {"SEQKIT_LIMITS": f"depth={depth}", "PYTHONPATH": os.pathsep.join(sys.path)}
        run = subprocess.run([sys.executable, "-P", "-c", program], env=environment, capture_output=True, check=False)
        assert run.returncode == code, run.stderr


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # must not be waited for
    for name in ("pipe", ".", "missing"):
        with pytest.raises(LoadError):
            read_file(tmp_path / name)
    with pytest.raises(LoadError, match="not a regular file"):
        read_file("/dev/zero")
    (tmp_path / "file").write_bytes(b"abc")
    with pytest.raises(LoadError, match="has 3 bytes, at most 2 are read"):
        read_file(tmp_path / "file", 2)
