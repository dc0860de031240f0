"""The directory of a zip file, checked against the headers of the members.

Both must say the same, and the members and the directory must fill the file without a gap or an overlap.

Source: PKWARE, "APPNOTE.TXT - .ZIP File Format Specification", version 6.3.10, sections 4.3 to 4.5.
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from seqkit.errors import LoadError, UnsafeFileError
from seqkit.limits import Limits

LOCAL = struct.Struct("<4s5H3L2H")
CENTRAL = struct.Struct("<4s6H3L5H2L")
END = struct.Struct("<4s4H2LH")
END64 = struct.Struct("<4sQ2H2L4Q")
LOCATOR = struct.Struct("<4sLQL")

STORED, DEFLATED = 0, 8
DESCRIPTOR = 1 << 3  # the local header leaves sizes and checksum to a record after the data
UTF8 = 1 << 11
HARMLESS = 0b110 | DESCRIPTOR | UTF8  # bits 1 and 2 say how hard the packer tried
ZIP64, NEWEST = 1, 45  # the extra field with sizes of 64 bits; the version of the format that has them
TOO_LONG, TOO_MANY = 0xFFFFFFFF, 0xFFFF
SMALL = 1 << 20  # bytes that may grow by any ratio


@dataclass(frozen=True)
class Member:
    """What both headers say of a member, and where its bytes are."""

    name: str
    flags: int
    method: int
    checksum: int
    packed: int
    size: int
    header: int
    start: int = 0


class Directory:
    """Reads what a zip file says of its members; see :class:`seqkit.interop.archive.Archive` for the errors."""

    def __init__(self, data: memoryview, owner: str, limits: Limits) -> None:
        self._data, self._owner, self._limits = data, owner, limits

    def members(self) -> dict[str, Member]:
        """The members by name, in the order of the directory."""
        if len(self._data) < END.size or bytes(self._data[:4]) not in (b"PK\x03\x04", b"PK\x05\x06"):
            raise LoadError(f"{self._owner}: not a zip file, or one that something was put in front of.")
        count, start, stop = self._directory()
        if count > self._limits.arrays:
            raise UnsafeFileError(f"{self._owner}: {count} members, at most {self._limits.arrays} are read.")
        members: dict[str, Member] = {}
        for member in self._entries(count, start, stop):
            if member.name in members:
                raise self._unsafe(f"the member {member.name!r} is there twice")
            members[member.name] = member
        deflated = [member for member in members.values() if member.method == DEFLATED]
        packed, size = sum(member.packed for member in deflated), sum(member.size for member in deflated)
        if size > max(SMALL, packed * self._limits.ratio):
            raise self._unsafe(f"its members grow from {packed} to {size} bytes")
        return self._placed(members, start)

    def _directory(self) -> tuple[int, int, int]:
        """Number of entries of the directory, where it begins and where it ends."""
        at = len(self._data) - END.size
        mark, *disks, count, size, start, comment = END.unpack_from(self._data, at)
        if mark != b"PK\x05\x06" or comment:
            raise LoadError(f"{self._owner}: the zip file is cut off, or something was put behind it.")
        found, stop = (disks, count, size, start), at
        if at >= LOCATOR.size and bytes(self._data[at - LOCATOR.size : at][:4]) == b"PK\x06\x07":
            large, stop = self._end64(at - LOCATOR.size)
            if not _same(found, large):
                raise self._unsafe("its two ends contradict each other")
            found = large
        disks, count, size, start = found
        if disks != [0, 0, count] or start + size != stop:
            raise self._unsafe("its directory is not where its end says")
        return count, start, stop

    def _end64(self, locator: int) -> tuple[tuple[list[int], int, int, int], int]:
        """The end with sizes of 64 bits, and where it begins."""
        _, disk, at, disks = LOCATOR.unpack_from(self._data, locator)
        if disk or disks != 1 or at + END64.size != locator:
            raise self._unsafe("the end of 64 bits is not where its locator says")
        mark, length, _, _, *numbers, count, size, start = END64.unpack_from(self._data, at)
        if mark != b"PK\x06\x06" or length != END64.size - 12:
            raise self._unsafe("the end of 64 bits is damaged")
        return (numbers, count, size, start), at

    def _entries(self, count: int, at: int, stop: int) -> Iterator[Member]:
        """What the directory says of every member."""
        for _ in range(count):
            mark, _, needs, flags, method, _, _, checksum, packed, size, *rest = CENTRAL.unpack_from(self._data, at)
            name_size, extra_size, comment_size, disk, _, attributes, header = rest
            at += CENTRAL.size
            end = at + name_size + extra_size + comment_size
            if mark != b"PK\x01\x02" or disk or end > stop:
                raise self._unsafe("its directory is damaged")
            name = self._name(bytes(self._data[at : at + name_size]), flags)
            extra = self._extra(at + name_size, extra_size)
            size, packed, header = _wide(extra.get(ZIP64, b""), size, packed, header)
            self._check(name, needs & 0xFF, flags, method, attributes >> 16, packed, size)
            yield Member(name, flags, method, checksum, packed, size, header)
            at = end
        if at != stop:
            raise self._unsafe("its directory is longer than its entries")

    def _check(self, name: str, needs: int, flags: int, method: int, mode: int, packed: int, size: int) -> None:
        """Refuse a member that is encrypted, a link, or packed in another way."""
        if needs > NEWEST or flags & ~HARMLESS or method not in (STORED, DEFLATED):
            raise LoadError(
                f"{self._owner}: {name!r} is encrypted or packed by a method that is not read (version {needs}, flags "
                f"{flags:#x}, method {method}); pack it stored or deflated."
            )
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise self._unsafe(f"{name!r} is a link or a device")
        if method == STORED and packed != size:
            raise self._unsafe(f"{name!r} is stored, but has two sizes")

    def _name(self, name: bytes, flags: int) -> str:
        """A relative name that stays inside; a folder's ends with a slash."""
        try:
            text = name.decode("utf-8" if flags & UTF8 else "ascii")
        except UnicodeDecodeError:
            raise self._unsafe(f"the name {name[:80]!r} of a member is neither ASCII nor marked as UTF-8") from None
        parts = text.removesuffix("/").split("/")
        if "\\" in text or ":" in text or "\0" in text or any(part in ("", ".", "..") for part in parts):
            raise self._unsafe(f"the name {text[:80]!r} of a member leads elsewhere")
        return text

    def _extra(self, at: int, size: int) -> dict[int, bytes]:
        """Extra fields by their number."""
        fields, end = {}, at + size
        while at < end:
            number, length = struct.unpack_from("<2H", self._data, at)
            if at + 4 + length > end or number in fields:
                raise self._unsafe("an extra field is damaged or there twice")
            fields[number] = bytes(self._data[at + 4 : at + 4 + length])
            at += 4 + length
        return fields

    # ---- the members ------------------------------------------------------------------------

    def _placed(self, members: dict[str, Member], directory: int) -> dict[str, Member]:
        """The members with the places of their bytes; they must follow each other up to the directory."""
        at, placed = 0, dict(members)
        for member in sorted(members.values(), key=lambda member: member.header):
            if member.header != at:
                raise self._unsafe(f"{member.name!r} overlaps another member, or there is a gap before it")
            start, at = self._local(member, directory)
            placed[member.name] = replace(member, start=start)
        if at != directory:
            raise self._unsafe("there is a gap before its directory")
        return placed

    def _local(self, member: Member, directory: int) -> tuple[int, int]:
        """Where a member's bytes begin and where the next member does; its header must say what the directory does."""
        header, at = LOCAL.unpack_from(self._data, member.header), member.header + LOCAL.size
        mark, _, flags, method, _, _, checksum, packed, size, name_size, extra_size = header
        name = self._name(bytes(self._data[at : at + name_size]), flags)
        extra = self._extra(at + name_size, extra_size)
        size, packed, _ = _wide(extra.get(ZIP64, b""), size, packed, 0)
        start = at + name_size + extra_size
        end, said = start + member.packed, (checksum, packed, size)
        if flags & DESCRIPTOR:
            if said not in ((0, 0, 0), _sizes(member)):
                raise self._unsafe(f"the headers of {member.name!r} contradict each other")
            said, end = self._descriptor(end, ZIP64 in extra or max(member.packed, member.size) > TOO_LONG)
        here = mark, name, flags, method, said
        if here != (b"PK\x03\x04", member.name, member.flags, member.method, _sizes(member)) or end > directory:
            raise self._unsafe(f"the headers of {member.name!r} contradict each other")
        return start, end

    def _descriptor(self, at: int, wide: bool) -> tuple[tuple[int, int, int], int]:
        """Checksum and sizes after the data, and where they end."""
        record = struct.Struct("<4sL2Q" if wide else "<4s3L")
        mark, *said = record.unpack_from(self._data, at)
        if mark != b"PK\x07\x08":
            raise self._unsafe("a member has no record of its sizes behind it")
        return (said[0], said[1], said[2]), at + record.size

    def _unsafe(self, what: str) -> UnsafeFileError:
        return UnsafeFileError(f"{self._owner}: the zip file cannot be trusted: {what}.")


def _sizes(member: Member) -> tuple[int, int, int]:
    return member.checksum, member.packed, member.size


def _wide(extra: bytes, size: int, packed: int, header: int) -> tuple[int, int, int]:
    """Size, packed size and place, those that are too long for 32 bits from the extra field."""
    numbers = iter(struct.unpack(f"<{len(extra) // 8}Q", extra[: len(extra) // 8 * 8]))
    wide = [next(numbers, value) if value == TOO_LONG else value for value in (size, packed, header)]
    return wide[0], wide[1], wide[2]


def _same(short: tuple[list[int], int, int, int], large: tuple[list[int], int, int, int]) -> bool:
    """Whether the end with short numbers says what the large one does, or that it cannot."""
    limits = [TOO_MANY] * 4 + [TOO_LONG] * 2
    numbers = zip((*short[0], *short[1:]), (*large[0], *large[1:]), limits, strict=True)
    return all(few in (many, limit) for few, many, limit in numbers)
