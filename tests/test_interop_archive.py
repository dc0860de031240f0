"""Zip files of models: what can mean two things is refused, each way to make one by itself."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable

import pytest

from seqkit.errors import LoadError, SeqkitError, UnsafeFileError
from seqkit.interop.archive import Archive
from seqkit.interop.zip_directory import CENTRAL, END, LOCAL

MEMBERS = {"config.json": b"{}" * 40, "weights/0.bin": bytes(range(200)), "empty": b""}
FIELDS = {
    b"PK\x03\x04": "needs flags method time date checksum packed size name extra",
    b"PK\x01\x02": "made needs flags method time date checksum packed size name extra comment disk inner outer place",
    b"PK\x05\x06": "disk first here count size start comment",
}
RECORDS = {b"PK\x03\x04": LOCAL, b"PK\x01\x02": CENTRAL, b"PK\x05\x06": END}


class Pipe(io.BytesIO):
    """A file that cannot go back, so that sizes follow the data."""

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        raise OSError


def packed(method: int = zipfile.ZIP_STORED, force: bool = False, file: io.BytesIO | None = None) -> bytes:
    file = io.BytesIO() if file is None else file
    with zipfile.ZipFile(file, "w", method) as writer:
        for name, data in MEMBERS.items():
            with writer.open(name, "w", force_zip64=force) as member:
                member.write(data)
    return file.getvalue()


def patched(data: bytes, mark: bytes, number: int = 0, **changes: int) -> bytes:
    """The file with fields of its number-th record of a kind changed."""
    at = -1
    for _ in range(number + 1):
        at = data.index(mark, at + 1)
    values = list(RECORDS[mark].unpack_from(data, at))
    for field, value in changes.items():
        values[1 + FIELDS[mark].split().index(field)] = value
    new = bytearray(data)
    RECORDS[mark].pack_into(new, at, *values)
    return bytes(new)


def local(number: int = 0, **changes: int) -> Callable[[], bytes]:
    return lambda: patched(packed(), b"PK\x03\x04", number, **changes)


def central(number: int = 0, **changes: int) -> Callable[[], bytes]:
    return lambda: patched(packed(), b"PK\x01\x02", number, **changes)


def end(**changes: int) -> Callable[[], bytes]:
    return lambda: patched(packed(), b"PK\x05\x06", **changes)


def both(number: int = 0, **changes: int) -> Callable[[], bytes]:
    return lambda: patched(central(number, **changes)(), b"PK\x03\x04", number, **changes)


def named(name: str) -> Callable[[], bytes]:
    """The file whose first member is called otherwise, by as many letters."""
    assert len(name.encode()) == len("config.json")
    return lambda: packed().replace(b"config.json", name.encode())


def overlapping() -> bytes:
    """Fifty entries of the directory that share one member of zeros (Fifield, "A better zip bomb", 2019)."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as writer:
        writer.writestr("00", bytes(10_000))
    data = file.getvalue()
    start, stop = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    entries = b"".join(data[start:stop].replace(b"00", b"%02d" % number) for number in range(50))
    whole = data[:start] + entries + data[stop:]
    return patched(whole, b"PK\x05\x06", here=50, count=50, size=len(entries))


def bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as writer:
        writer.writestr("zeros", bytes(8 << 20))
    return file.getvalue()


def longer_than_promised() -> bytes:
    """Headers that agree on fewer bytes than the data unpacks to."""
    data = packed(zipfile.ZIP_DEFLATED)
    checksum = zlib.crc32(MEMBERS["config.json"][:10])
    changes = {"size": 10, "checksum": checksum}
    return patched(patched(data, b"PK\x03\x04", **changes), b"PK\x01\x02", **changes)


def doubled() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as writer:
        writer.writestr("a.txt", "1")
        writer.writestr("b.txt", "2")
    return file.getvalue().replace(b"b.txt", b"a.txt")


def gap_before_directory() -> bytes:
    data = packed()
    at = data.index(b"PK\x01\x02")
    return patched(data[:at] + b"gap" + data[at:], b"PK\x05\x06", start=at + 3)


def gap_between() -> bytes:
    """Three bytes behind the first member that belong to nobody."""
    data = packed()
    at = data.index(b"PK\x03\x04", 4)
    for number in (1, 2):
        entry = data.index(b"PK\x01\x02") + data[data.index(b"PK\x01\x02") :].index(list(MEMBERS)[number].encode()) - 46
        (place,) = struct.unpack_from("<L", data, entry + 42)
        data = patched(data, b"PK\x01\x02", number, place=place + 3)
    start = END.unpack_from(data, data.index(b"PK\x05\x06"))[6]
    return patched(data[:at] + b"gap" + data[at:], b"PK\x05\x06", start=start + 3)


def longer_directory() -> bytes:
    """Four bytes behind the last entry."""
    data = packed()
    at = data.index(b"PK\x05\x06")
    size = END.unpack_from(data, at)[5]
    return patched(data[:at] + b"more" + data[at:], b"PK\x05\x06", size=size + 4)


def wrong_descriptor() -> bytes:
    data = packed(file=Pipe())
    at = data.index(b"PK\x07\x08")
    return data[: at + 4] + struct.pack("<L", 1) + data[at + 8 :]


def with_end64(count: int = 3, locator: int = 0) -> bytes:
    """The file with an end of 64 bits before its end, as torch.save writes it."""
    data = packed()
    at = data.index(b"PK\x05\x06")
    *_, size, start, _ = END.unpack_from(data, at)
    large = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 0, 45, 0, 0, count, count, size, start)
    return data[:at] + large + struct.pack("<4sLQL", b"PK\x06\x07", 0, at + locator, 1) + data[at:]


UNSAFE = {
    "name differs": lambda: packed().replace(b"config.json", b"konfig.json", 1),
    "flags differ": local(flags=2),
    "method differs": lambda: patched(packed(zipfile.ZIP_DEFLATED), b"PK\x03\x04", method=0),
    "checksum differs": local(checksum=1),
    "size differs": local(size=79),
    "packed size differs": local(packed=79),
    "the place of another": central(1, place=0),
    "a gap between members": gap_between,
    "a longer directory": longer_directory,
    "overlap": overlapping,
    "a gap before the directory": gap_before_directory,
    "bomb": bomb,
    "longer than promised": longer_than_promised,
    "link": central(outer=(stat.S_IFLNK | 0o777) << 16),
    "device": central(outer=stat.S_IFCHR << 16),
    "stored with two sizes": both(size=81),
    "twice": doubled,
    "outside": named("../../a.txt"),
    "absolute": named("/config.txt"),
    "drive": named("C:onfig.txt"),
    "backslash": named("..\\fig.json"),
    "here": named("./onfi.json"),
    "double slash": named("a//fig.json"),
    "zero in the name": named("config\0json"),
    "not ASCII": lambda: packed().replace(b"config.json", b"config\xff\xfeson"),
    "directory elsewhere": end(start=10),
    "directory shorter": end(size=50),
    "fewer entries": end(count=2, here=2),
    "two disks": end(disk=1),
    "entry on another disk": central(disk=1),
    "no record of sizes": lambda: packed(file=Pipe()).replace(b"PK\x07\x08", b"PK\x07\x09"),
    "wrong record of sizes": wrong_descriptor,
    "wrong end of 64 bits": lambda: with_end64(count=5),
    "ends that differ": lambda: patched(with_end64(), b"PK\x05\x06", here=7, count=7),
    "wrong locator": lambda: with_end64(locator=3),
}
WORDS = {
    "twice": "is there twice",
    "a gap between members": "overlaps another member, or there is a gap",
    "ends that differ": "its two ends contradict each other",
    "a longer directory": "longer than its entries",
}
"""Of those that would be refused for something else, too."""
DAMAGED = {
    "empty": lambda: b"",
    "no zip": lambda: b"\x89HDF" * 20,
    "something in front": lambda: b"MZ" + packed(),
    "something behind": lambda: packed() + b"x",
    "comment": lambda: packed()[:-2] + b"\x03\x00abc",
    "encrypted": both(flags=1),
    "another method": both(method=12),
    "a newer version": both(needs=63),
    "more entries": end(count=4, here=4),
    "a patch": both(flags=1 << 5),
}


@pytest.mark.parametrize("file", [None, Pipe])
@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_come_out(method: int, force: bool, file: type[io.BytesIO] | None) -> None:
    archive = Archive(packed(method, force, file and file()), "a.zip")
    assert archive.names == tuple(MEMBERS)
    assert {name: archive.read(name, 1000) for name in archive.names} == MEMBERS
    assert [archive.size(name) for name in archive.names] == [len(data) for data in MEMBERS.values()]


def test_an_end_of_64_bits() -> None:
    assert Archive(with_end64(), "a.zip").names == tuple(MEMBERS)


def test_no_members() -> None:
    file = io.BytesIO()
    zipfile.ZipFile(file, "w").close()
    assert Archive(file.getvalue(), "a.zip").names == ()


def test_sizes_are_limited() -> None:
    archive = Archive(packed(), "a.zip")
    assert len(archive.read("config.json", 80)) == 80
    with pytest.raises(LoadError, match=r"a.zip: the member 'config.json' has 80 bytes, at most 79"):
        archive.read("config.json", 79)
    with pytest.raises(LoadError, match="no member 'other'"):
        archive.read("other", 1)


@pytest.mark.parametrize("kind", UNSAFE)
def test_what_cannot_be_trusted(kind: str) -> None:
    with pytest.raises(UnsafeFileError, match=r"a.zip: ") as caught:
        contents(UNSAFE[kind]())
    assert WORDS.get(kind, "") in str(caught.value)


@pytest.mark.parametrize("kind", DAMAGED)
def test_what_cannot_be_read(kind: str) -> None:
    with pytest.raises(LoadError, match=r"a.zip: ") as caught:
        contents(DAMAGED[kind]())
    assert caught.type is LoadError


def test_damaged_data() -> None:
    data = packed()
    at = data.index(MEMBERS["config.json"])
    with pytest.raises(LoadError, match=r"checksum of 'config.json' is wrong"):
        contents(data[:at] + b"[" + data[at + 1 :])


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_no_change_of_a_byte_goes_unnoticed_in_the_data(method: int) -> None:
    """Times, versions and attributes are not looked at; the names and contents that come out are the true ones."""
    data = packed(method, file=Pipe())
    for at in range(len(data)):
        assert contents_or_none(data[:at]) is None
        changed = contents_or_none(data[:at] + bytes([data[at] ^ 0x5A]) + data[at + 1 :])
        assert changed is None or changed == MEMBERS


def contents(data: bytes) -> dict[str, bytes]:
    archive = Archive(data, "a.zip")
    return {name: archive.read(name, 1 << 30) for name in archive.names}


def contents_or_none(data: bytes) -> dict[str, bytes] | None:
    try:
        return contents(data)
    except SeqkitError:
        return None
