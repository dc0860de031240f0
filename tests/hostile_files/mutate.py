"""Damage to bytes, whatever they mean: bits, places, lengths, runs; and to plain values, as JSON has them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, MutableMapping, MutableSequence
from random import Random
from typing import Any

NUMBERS = (
    0,
    1,
    2,
    3,
    7,
    8,
    127,
    128,
    255,
    256,
    2**15,
    2**16 - 1,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63 - 1,
    2**63,
    2**64 - 1,
)
MOST = 1 << 16
"""Bytes that a file is let grow to by repetition."""


def flip(rng: Random, data: bytearray) -> None:
    """One to eight bits."""
    for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def truncate(rng: Random, data: bytearray) -> None:
    """Cut off at any place."""
    del data[rng.randrange(len(data) + 1) :]


def overwrite(rng: Random, data: bytearray) -> None:
    """A number of 1 to 8 bytes, of either end first, that a length or a place might be."""
    size = rng.choice((1, 2, 4, 8))
    if len(data) >= size:
        at = rng.randrange(len(data) - size + 1)
        value = rng.choice((*NUMBERS, len(data), len(data) - at, len(data) + 1, rng.getrandbits(64)))
        data[at : at + size] = (value % (1 << 8 * size)).to_bytes(size, rng.choice(("little", "little", "big")))


def delete(rng: Random, data: bytearray) -> None:
    """A run of bytes."""
    start, stop = _run(rng, data)
    del data[start:stop]


def repeat(rng: Random, data: bytearray) -> None:
    """A run of bytes, again and again."""
    start, stop = _run(rng, data)
    data[start:start] = (data[start:stop] * rng.choice((1, 1, 2, 10, 300)))[:MOST]


def move(rng: Random, data: bytearray) -> None:
    """A run of bytes to another place."""
    start, stop = _run(rng, data)
    run = data[start:stop]
    del data[start:stop]
    at = rng.randrange(len(data) + 1)
    data[at:at] = run


def blank(rng: Random, data: bytearray) -> None:
    """A run of bytes that are all the same."""
    start, stop = _run(rng, data)
    data[start:stop] = bytes([rng.choice((0, 0, 0xFF, 0x20, rng.randrange(256)))]) * (stop - start)


def insert(rng: Random, data: bytearray) -> None:
    """A few random bytes, often at the end or the beginning."""
    at = rng.choice((0, len(data), rng.randrange(len(data) + 1)))
    data[at:at] = rng.randbytes(rng.choice((1, 2, 4, 8, 64)))


def _run(rng: Random, data: bytearray) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.choice((1, 2, 4, 8, 30, 100, 1000)))


DAMAGES: tuple[Callable[[Random, bytearray], None], ...] = (
    *(flip, flip, flip, overwrite, overwrite, truncate, delete, repeat, move, blank, insert),
)


def corrupt(rng: Random, seeds: list[bytes]) -> bytes:
    """One of the seeds, damaged once or a few times, or put together from two."""
    data = bytearray(rng.choice(seeds))
    if rng.random() < 0.1:
        other = rng.choice(seeds)
        data = data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        rng.choice(DAMAGES)(rng, data)
    return bytes(data)


# ---- plain values --------------------------------------------------------------------------------

HOSTILE: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        2,
        3,
        7,
        64,
        10**4,
        10**6,
        10**9,
        2**31,
        2**32,
        2**62,
        2**63,
        2**64,
        10**30,
        0.5,
        -0.0,
        1e308,
        1e-320,
    ),
    *(
        "",
        "x",
        "x" * 5000,
        "\u0000",
        "../../etc/passwd",
        "/etc/passwd",
        "os",
        "__class__",
        "__init__",
        "linear",
        "é\U0001f600",
    ),
    *(
        [],
        {},
        [0],
        [1, 2],
        [[[]]],
        [None],
        {"a": 1},
        {"class_name": "Lambda", "config": {}},
        "{}",
        "[]",
        "nan",
        "1e999",
    ),
)
RAW = (
    "NaN",
    "-Infinity",
    "1e999",
    "1" * 5000,
    "[" * 200,
    "[" * 60 + "]" * 60,
    '{"a":1,"a":2}',
    '"\\ud800"',
    "-",
    "1.",
    "01",
    "''",
    "",
)
"""Texts that are no JSON, or only nearly."""


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in a nested value: the list or dict, and the key."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield value, key
        yield from places(inner)


def corrupt_value(rng: Random, value: Any) -> Any:
    """A nested value of dicts and lists, changed in place at one or a few places."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        found = list(places(value))
        if not found:
            return rng.choice(HOSTILE)
        rng.choice(_EDITS)(rng, *rng.choice(found), found)
    return value


def _replace(rng: Random, owner: Any, key: Any, found: list[tuple[Any, Any]]) -> None:
    owner[key] = json.loads(json.dumps(rng.choice(HOSTILE)))


def _near(rng: Random, owner: Any, key: Any, found: list[tuple[Any, Any]]) -> None:
    """A value that is nearly the same."""
    old = owner[key]
    if isinstance(old, bool):
        owner[key] = not old
    elif isinstance(old, (int, float)):
        near = (old + 1, old - 1, -old, 2 * old, 1000 * old, float(old), old / 3)
        owner[key] = rng.choice((*(value for value in near if math.isfinite(value)), str(old), [old]))
    elif isinstance(old, str):
        owner[key] = rng.choice((old + "x", old[:-1], old.upper(), old * 50, [old], {old: old}))
    else:
        owner[key] = [old]


def _delete(rng: Random, owner: Any, key: Any, found: list[tuple[Any, Any]]) -> None:
    del owner[key]


def _swap(rng: Random, owner: Any, key: Any, found: list[tuple[Any, Any]]) -> None:
    """A copy of what stands elsewhere."""
    other, place = rng.choice(found)
    owner[key] = json.loads(json.dumps(other[place]))


def _add(rng: Random, owner: MutableMapping[str, Any] | MutableSequence[Any], key: Any, found: Any) -> None:
    extra = json.loads(json.dumps(owner[key]))
    if isinstance(owner, list):
        owner[key:key] = [extra] * rng.choice((1, 1, 3, 100))
    else:
        owner[rng.choice((f"{key}x", "extra", "__class__", ""))] = extra  # type: ignore[call-overload]


_EDITS: tuple[Callable[..., None], ...] = (_replace, _replace, _replace, _near, _near, _delete, _swap, _add)


def corrupt_json(rng: Random, text: bytes) -> bytes:
    """A JSON text with other values in it, and now and then something that is none."""
    value = corrupt_value(rng, json.loads(text))
    if rng.random() < 0.15:
        found = list(places(value))
        if found:
            owner, key = rng.choice(found)
            owner[key] = "\u2603raw\u2603"
            return json.dumps(value, ensure_ascii=False).replace('"\u2603raw\u2603"', rng.choice(RAW)).encode()
    return json.dumps(value).encode()
