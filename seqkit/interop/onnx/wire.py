"""Protocol Buffers on the wire, from tables of fields: what is read of a message, and in what bytes it is written.

A message is a sequence of fields: a varint with the field's number and wire type, then the value.  Read are messages
whose fields a table names; others are skipped, as the specification asks.  Nested messages and numbers are counted,
so that time and memory are bounded by the size of the file and by LIMITS.

Source: "Encoding", Protocol Buffers documentation, protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from seqkit.errors import LoadError, UnsafeFileError
from seqkit.limits import LIMITS

VARINT, BITS64, LENGTH, BITS32 = 0, 1, 2, 5
MOST_FIELDS = 10 * LIMITS.arrays
"""Fields of all messages of a file, which take about a microsecond each."""

Record = dict[str, Any]
"""A message: values by the names of fields; numbers of a repeated field are an array, other repeated values a list."""


class Field(NamedTuple):
    """What a table says of a field: `kind` is int, float, double, text, bytes, or the name of a message."""

    name: str
    kind: str
    repeated: bool = False


Tables = Mapping[str, Mapping[int, Field]]


class _Number(NamedTuple):
    wire: int
    dtype: str
    format: str


_NUMBERS = {
    "int": _Number(VARINT, "<i8", ""),
    "float": _Number(BITS32, "<f4", "<f"),
    "double": _Number(BITS64, "<f8", "<d"),
}


def parse(tables: Tables, kind: str, data: bytes) -> Record:
    """The message of a kind that these bytes are.

    Raises
    ------
    LoadError
        If they are none: cut off, a field of another type, a single field given twice.
    UnsafeFileError
        If messages are nested too deeply, or there are too many of them.

    Examples
    --------
    >>> tables = {"Point": {1: Field("name", "text"), 2: Field("at", "int", repeated=True)}}
    >>> parse(tables, "Point", serialize(tables, "Point", {"name": "p", "at": [1, -2]}))
    {'name': 'p', 'at': array([ 1, -2])}
    """
    return _Parser(tables).message(kind, memoryview(data), 0)


class _Parser:
    """Reads nested messages and counts them."""

    def __init__(self, tables: Tables) -> None:
        self.tables, self.messages, self.fields = tables, 0, 0

    def message(self, kind: str, data: memoryview, depth: int) -> Record:
        self.messages += 1
        if depth > LIMITS.depth or self.messages > LIMITS.arrays:
            raise UnsafeFileError(
                f"{kind}: messages are nested deeper than {LIMITS.depth} or more than {LIMITS.arrays} in number; "
                "no model of recurrent layers needs as many."
            )
        table = self.tables[kind]
        values: dict[Field, list[Any]] = {}
        for number, wire, value in self._fields(data, kind):
            field = table.get(number)
            if field is not None:
                values.setdefault(field, []).append(self._value(kind, field, wire, value, depth))
        return {field.name: _joined(kind, field, found) for field, found in values.items()}

    def _fields(self, data: memoryview, kind: str) -> Iterator[tuple[int, int, Any]]:
        """Number, wire type and value of every field."""
        at, end = 0, len(data)
        while at < end:
            self.fields += 1
            if self.fields > MOST_FIELDS:
                raise UnsafeFileError(f"{kind}: the file has more than {MOST_FIELDS} fields, which are read at most.")
            tag, at = _varint(data, at)
            number, wire = tag >> 3, tag & 7
            value: int | memoryview
            if wire == VARINT:
                value, at = _varint(data, at)
            elif wire in (LENGTH, BITS32, BITS64):
                size, at = _varint(data, at) if wire == LENGTH else (4 if wire == BITS32 else 8, at)
                value, at = data[at : at + size], at + size
            else:  # groups are of the year 2008, and 6 and 7 are nothing
                raise LoadError(f"{kind}: field {number} has wire type {wire}, which is not read; the file is damaged.")
            if not 0 < number < 1 << 29 or at > end:
                raise LoadError(f"{kind}: field {number} is not whole; the file is damaged or cut off.")
            yield number, wire, value

    def _value(self, kind: str, field: Field, wire: int, value: Any, depth: int) -> Any:
        number = _NUMBERS.get(field.kind)
        if number is None and wire == LENGTH:
            return self._bytes(field.kind, value, depth)
        if number is not None and wire == number.wire:
            return struct.unpack(number.format, value)[0] if number.format else _signed(value)
        if number is not None and wire == LENGTH and field.repeated:
            return _unpacked(number, value)
        raise LoadError(f"{kind}.{field.name}: wire type {wire} is none of {field.kind}; the file is damaged.")

    def _bytes(self, kind: str, value: memoryview, depth: int) -> Any:
        if kind == "bytes":
            return value
        if kind != "text":
            return self.message(kind, value, depth + 1)
        try:
            return str(value, "utf-8")
        except UnicodeDecodeError as error:
            raise LoadError(f"a text in the file is not UTF-8 ({error.reason}); the file is damaged.") from error


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """Seven bits a byte, the lowest first, in at most ten bytes; and where the next field is."""
    value = shift = 0
    for byte in data[at : at + 10]:
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            if value >> 64:
                break
            return value, at + shift // 7
    raise LoadError("a number in the file is cut off or has more than 64 bits; the file is damaged.")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _unpacked(number: _Number, data: memoryview) -> np.ndarray:
    """All numbers of a packed field; those of varints are put together byte by byte, all at once."""
    if number.wire != VARINT:
        if len(data) % np.dtype(number.dtype).itemsize:
            raise LoadError("packed numbers in the file are cut off; the file is damaged.")
        return np.frombuffer(data, number.dtype)
    bytes_ = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(bytes_ < 128)
    starts = np.concatenate([[0], ends + 1])
    sizes = np.diff(starts)
    if starts[-1] != len(bytes_) or (sizes > 10).any():
        raise LoadError("packed numbers in the file are cut off or have more than 64 bits; the file is damaged.")
    values = np.zeros(len(ends), np.uint64)
    for place in range(sizes.max(initial=0)):
        inside = sizes > place
        values[inside] |= (bytes_[starts[:-1][inside] + place] & 127).astype(np.uint64) << np.uint64(7 * place)
    return values.view(np.int64)


def _joined(kind: str, field: Field, values: list[Any]) -> Any:
    """What the occurrences of a field are together."""
    if not field.repeated:
        if len(values) > 1:
            raise LoadError(f"{kind}.{field.name} is given {len(values)} times; the file is damaged.")
        return values[0]
    if field.kind not in _NUMBERS:
        return values
    dtype = _NUMBERS[field.kind].dtype
    if not any(isinstance(value, np.ndarray) for value in values):
        return np.array(values, dtype)
    return values[0] if len(values) == 1 else np.concatenate([np.atleast_1d(np.asarray(v, dtype)) for v in values])


def serialize(tables: Tables, kind: str, record: Mapping[str, Any]) -> bytes:
    """The bytes of a message; fields are written in the order of their numbers, those that are None or [] are not.

    Examples
    --------
    >>> serialize({"Point": {2: Field("at", "int", repeated=True)}}, "Point", {"at": [1, 300]}).hex()
    '120301ac02'
    """
    return b"".join(_chunks(tables, kind, record))


def _chunks(tables: Tables, kind: str, record: Mapping[str, Any]) -> list[bytes | memoryview]:
    """Pieces that nothing is copied in: a tensor lies in three messages, one around another."""
    chunks: list[bytes | memoryview] = []
    for number, field in sorted(tables[kind].items()):
        value = record.get(field.name)
        if value is None:
            continue
        if field.repeated and field.kind in _NUMBERS:
            packed = [b"".join(_scalar(field.kind, each) for each in value)] if len(value) else []
            chunks += _with_length(number, packed) if packed else []
            continue
        for each in value if field.repeated else [value]:
            chunks += _field(tables, number, field.kind, each)
    return chunks


def _field(tables: Tables, number: int, kind: str, value: Any) -> list[bytes | memoryview]:
    if kind in _NUMBERS:
        return [_tag(number, _NUMBERS[kind].wire), _scalar(kind, value)]
    if kind == "text":
        return _with_length(number, [value.encode()])
    return _with_length(number, [value] if kind == "bytes" else _chunks(tables, kind, value))


def _with_length(number: int, chunks: Iterable[bytes | memoryview]) -> list[bytes | memoryview]:
    content = list(chunks)
    size = sum(memoryview(chunk).nbytes for chunk in content)
    return [_tag(number, LENGTH), _as_varint(size), *content]


def _tag(number: int, wire: int) -> bytes:
    return _as_varint(number << 3 | wire)


def _scalar(kind: str, value: Any) -> bytes:
    form = _NUMBERS[kind].format
    return struct.pack(form, value) if form else _as_varint(int(value) & (1 << 64) - 1)


def _as_varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)
    return bytes(found)
