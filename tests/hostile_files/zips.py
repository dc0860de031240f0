"""Zip files: members changed and packed again, and files whose headers lie (F26)."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping

CENTRAL, LOCAL, END = b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06"


def pack(members: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip file as it should be."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as writer:
        for name, data in members.items():
            writer.writestr(zipfile.ZipInfo(name), data, method, compresslevel=1)  # enough for a bomb, and quick
    return file.getvalue()


def unpack(data: bytes) -> dict[str, bytes]:
    """The members of one of our own files."""
    with zipfile.ZipFile(io.BytesIO(data)) as reader:
        return {name: reader.read(name) for name in reader.namelist()}


def _patched(data: bytes, mark: bytes, offset: int, form: str, value: int) -> bytes:
    """A number in the first header of a kind, changed."""
    changed = bytearray(data)
    struct.pack_into(form, changed, data.index(mark) + offset, value)
    return bytes(changed)


def _both(data: bytes, local: int, central: int, form: str, value: int) -> bytes:
    return _patched(_patched(data, LOCAL, local, form, value), CENTRAL, central, form, value)


def lies(members: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Files of these members that no two readers read alike, each with a name."""
    good = pack(members)
    first = next(iter(members))
    yield "encrypted", _both(good, 6, 8, "<H", 1)
    yield "flags that contradict", _patched(good, LOCAL, 6, "<H", 1)
    yield "patched data", _both(good, 6, 8, "<H", 1 << 5)
    for method in (1, 9, 12, 14, 93, 99):
        yield f"method {method}", _both(good, 8, 10, "<H", method)
    yield "methods that contradict", _patched(good, LOCAL, 8, "<H", 8)
    yield "a wrong checksum", _both(good, 14, 16, "<L", 1)
    yield "checksums that contradict", _patched(good, LOCAL, 14, "<L", 1)
    for value in (0, 1, len(good), 0xFFFFFFFE, 0xFFFFFFFF):
        yield f"sizes of {value}", _both(_both(good, 18, 20, "<L", value), 22, 24, "<L", value)
        yield f"sizes that contradict, {value}", _patched(good, LOCAL, 22, "<L", value)
        yield f"a directory at {value}", _patched(good, END, 16, "<L", value)
        yield f"a directory of {value}", _patched(good, END, 12, "<L", value)
        yield f"a member at {value}", _patched(good, CENTRAL, 42, "<L", value or 1)
    for count in (0, 1, 0xFFFF):
        yield f"{count} members", _patched(_patched(good, END, 8, "<H", count), END, 10, "<H", count)
    yield "a comment", _patched(good, END, 20, "<H", 4) + b"PK\x05\x06"
    yield "something before it", b"#!/bin/sh\n" + good
    yield "something behind it", good + b"\0"
    yield "two archives", good + good
    yield "a second directory", good + good[good.index(CENTRAL) :]
    yield "a gap", _gap(good)
    yield "a link", _patched(good, CENTRAL, 38, "<L", 0o120777 << 16)
    yield "another disk", _patched(good, CENTRAL, 34, "<H", 1)
    yield "another disk at the end", _patched(good, END, 4, "<H", 1)
    for bad in ("../" * 3 + "x", "/etc/x", "a\\..\\b", "C:x", "a//b", "./x", "", "x" * 60_000, "a\0b"):
        yield f"a member {bad[:10]!r}", _named(members, bad)
    yield "a name twice", _twice(members, first)
    yield "a bomb", pack(dict(members) | {first: bytes(100 << 20)}, zipfile.ZIP_DEFLATED)
    yield "a bomb beside", pack(dict(members) | {"bomb": bytes(100 << 20)}, zipfile.ZIP_DEFLATED)
    yield (
        "a bomb of small bombs",
        pack(dict(members) | {f"b{n}": bytes(1 << 20) for n in range(80)}, zipfile.ZIP_DEFLATED),
    )
    yield "a bomb that says less", _shrunk(members, first)
    yield "overlapping members", _overlapping(200)
    yield "zip64 that lies", _zip64(good)
    yield "70,000 members", pack({f"{n}": b"" for n in range(70_000)})


def _gap(good: bytes) -> bytes:
    at = good.index(CENTRAL)
    end = good.rindex(END)
    start = struct.unpack_from("<L", good, end + 16)[0]
    return good[:at] + b"\0" * 7 + good[at : end + 16] + struct.pack("<LH", start + 7, 0)


def _named(members: Mapping[str, bytes], name: str) -> bytes:
    """One member more, whose name no library would write."""
    stand_in = "n" * len(name.encode())
    packed = pack(dict(members) | {stand_in: b"data"}) if stand_in else pack(dict(members) | {"": b"data"})
    return packed.replace(stand_in.encode(), name.encode()) if stand_in else packed


def _twice(members: Mapping[str, bytes], name: str) -> bytes:
    stand_in = "~" * len(name)
    return pack(dict(members) | {stand_in: b"other"}).replace(stand_in.encode(), name.encode())


def _shrunk(members: Mapping[str, bytes], name: str) -> bytes:
    """Both headers promise a hundred bytes of what unpacks to twenty million."""
    packed = pack({name: bytes(20 << 20)} | {key: value for key, value in members.items() if key != name}, 8)
    return _both(packed, 22, 24, "<L", 100)


def _overlapping(count: int) -> bytes:
    """Every member's data are all the headers and data behind it (David Fifield, "A better zip bomb", 2019)."""
    kernel = _deflated(bytes(1 << 20))
    body = kernel
    entries: list[tuple[bytes, int, int, int, int]] = []
    plain_size, checksum = 1 << 20, zlib.crc32(bytes(1 << 20))
    locals_: list[bytes] = []
    for number in reversed(range(count)):
        name = f"{number}".encode()
        header = struct.pack("<4s5H3L2H", LOCAL, 20, 0, 8, 0, 0, checksum, len(body), plain_size, len(name), 0) + name
        entries.append((name, len(body), plain_size, checksum, len(header)))
        locals_.append(header)
        body = struct.pack("<BHH", 0, len(header), ~len(header) & 0xFFFF) + header + body
        plain_size += len(header)
    offset, directory = 0, b""
    data = b""
    for header, (name, packed, size, crc, length) in zip(reversed(locals_), reversed(entries), strict=True):
        directory += struct.pack(
            "<4s6H3L5H2L", CENTRAL, 20, 20, 0, 8, 0, 0, crc, packed, size, len(name), 0, 0, 0, 0, 0, offset
        )
        directory += name
        data += header + struct.pack("<BHH", 0, length, ~length & 0xFFFF)
        offset = len(data)
    data += kernel
    return data + directory + struct.pack("<4s4H2LH", END, 0, 0, count, count, len(directory), len(data), 0)


def _deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def _zip64(good: bytes) -> bytes:
    """An end of 64 bits that gives another place than the end of 32 bits."""
    at = good.rindex(END)
    large = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1 << 40, 1 << 40, 1 << 62, 1 << 63)
    return good[:at] + large + struct.pack("<4sLQL", b"PK\x06\x07", 0, at, 1) + good[at:]
