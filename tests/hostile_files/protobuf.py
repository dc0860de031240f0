"""Protocol Buffers without tables: a message as a tree of fields, to be changed and written again.

What a length announces is taken for a message where it can be read as one; that is a guess, and good enough here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from hostile_files.mutate import NUMBERS, corrupt

VARINT, BITS64, LENGTH, BITS32 = 0, 1, 2, 5


@dataclass
class Field:
    """Number, wire type, and an int, bytes, or a list of fields."""

    number: int
    wire: int
    value: Any


def varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def parse(data: bytes) -> list[Field]:
    """Fields of a message; IndexError or ValueError where it is none."""
    fields, at = [], 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        value: Any
        if wire == VARINT:
            value, at = _varint(data, at)
        elif wire in (BITS64, BITS32, LENGTH):
            size, at = _varint(data, at) if wire == LENGTH else (8 if wire == BITS64 else 4, at)
            value, at = data[at : at + size], at + size
            if at > len(data):
                raise ValueError
            value = _inner(value) if wire == LENGTH else value
        else:
            raise ValueError
        fields.append(Field(number, wire, value))
    return fields


def _inner(data: bytes) -> Any:
    try:
        fields = parse(data)
    except (IndexError, ValueError):
        return data
    return fields if fields and serialize(fields) == data else data


def serialize(fields: list[Field]) -> bytes:
    return b"".join(map(_written, fields))


def _written(field: Field) -> bytes:
    tag = varint(field.number << 3 | field.wire)
    value = serialize(field.value) if isinstance(field.value, list) else field.value
    if isinstance(value, int):
        return tag + varint(value)
    return tag + (varint(len(value)) if field.wire == LENGTH else b"") + value


def message(number: int, *content: bytes) -> bytes:
    """A field that holds a message."""
    inner = b"".join(content)
    return varint(number << 3 | LENGTH) + varint(len(inner)) + inner


def integer(number: int, value: int) -> bytes:
    """A field that holds a number, which may be negative."""
    return varint(number << 3 | VARINT) + varint(value % (1 << 64))


def damaged(rng: Random, seeds: list[bytes]) -> bytes:
    """A message with a few of its fields changed, its lengths right."""
    fields = parse(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 2, 3))):
        owners = list(_lists(fields))
        owner = rng.choice(owners)
        if owner:
            rng.choice(_EDITS)(rng, owner, rng.randrange(len(owner)), owners)
    return serialize(fields)


def _lists(fields: list[Field]) -> Iterator[list[Field]]:
    yield fields
    for field in fields:
        if isinstance(field.value, list):
            yield from _lists(field.value)


def _value(rng: Random, owner: list[Field], at: int, owners: list[list[Field]]) -> None:
    """Another number, or other bytes."""
    field = owner[at]
    if field.wire == VARINT:
        field.value = rng.choice((*NUMBERS, field.value + 1, max(0, field.value - 1), 1 << 70))
    else:
        data = serialize(field.value) if isinstance(field.value, list) else field.value
        field.value = corrupt(rng, [data])


def _number(rng: Random, owner: list[Field], at: int, owners: list[list[Field]]) -> None:
    owner[at].number = rng.choice((*range(1, 22), 0, 1 << 29))


def _delete(rng: Random, owner: list[Field], at: int, owners: list[list[Field]]) -> None:
    del owner[at]


def _repeat(rng: Random, owner: list[Field], at: int, owners: list[list[Field]]) -> None:
    field = owner[at]
    owner[at:at] = [Field(field.number, field.wire, field.value)] * rng.choice((1, 1, 2, 50))


def _graft(rng: Random, owner: list[Field], at: int, owners: list[list[Field]]) -> None:
    """A field of another message in place of this one, with its number or its own."""
    other = rng.choice(rng.choice(owners) or owner)
    kept = rng.choice((owner[at].number, other.number))
    data = serialize(other.value) if isinstance(other.value, list) else other.value
    owner[at] = Field(kept, other.wire, data)


_EDITS = (_value, _value, _value, _value, _number, _delete, _repeat, _graft)
