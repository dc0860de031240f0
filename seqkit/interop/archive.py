"""Zip files of models, read so that nothing in them can mean two things.

A zip file says everything twice, in its directory at the end and in front of every member, and programs differ in
which of the two they believe; bombs are made of members that overlap.  Whatever is ambiguous is refused
(:mod:`seqkit.interop.zip_directory`), a member is unpacked with a counter that stops at the size that was promised,
and nothing is repaired.
"""

from __future__ import annotations

import struct
import zlib

from seqkit.errors import LoadError, UnsafeFileError
from seqkit.interop.zip_directory import STORED, Directory, Member
from seqkit.limits import LIMITS, Limits


class Archive:
    """The members of a zip file that lies in memory.

    Parameters
    ----------
    data : bytes
        The whole file.
    owner : str
        Name of the file, for errors.
    limits : Limits, optional
        Budgets.

    Attributes
    ----------
    names : tuple of str
        Names of the members in the order of the directory.

    Raises
    ------
    LoadError
        If it is no zip file, is cut off, or is packed in a way that is not read here.
    UnsafeFileError
        If headers contradict each other, members overlap or leave gaps, a name leads outside or is there twice, a
        member is a link, or what is deflated grows more than `limits` allow.

    Examples
    --------
    >>> import io, zipfile
    >>> file = io.BytesIO()
    >>> with zipfile.ZipFile(file, "w") as writer:
    ...     writer.writestr("config.json", "{}")
    >>> archive = Archive(file.getvalue(), "a.zip")
    >>> archive.names, archive.read("config.json", limit=100)
    (('config.json',), b'{}')
    """

    def __init__(self, data: bytes, owner: str, limits: Limits = LIMITS) -> None:
        self._data, self._owner = memoryview(data), owner
        try:
            self._members = Directory(self._data, owner, limits).members()
        except struct.error:
            raise LoadError(f"{owner}: the zip file is cut off or damaged; use another copy of it.") from None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the members."""
        return tuple(self._members)

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def size(self, name: str) -> int:
        """Bytes of a member, unpacked.

        Raises
        ------
        LoadError
            If there is none of this name.
        """
        return self._member(name).size

    def read(self, name: str, limit: int) -> bytes:
        """The bytes of a member.

        Parameters
        ----------
        name : str
            One of `names`.
        limit : int
            Bytes that it may have.

        Raises
        ------
        LoadError
            If there is none of this name, it is larger, or its checksum is wrong.
        """
        member = self._member(name)
        if member.size > limit:
            raise LoadError(f"{self._owner}: the member {name!r} has {member.size} bytes, at most {limit} are read.")
        packed = self._data[member.start : member.start + member.packed]
        data = bytes(packed) if member.method == STORED else self._inflate(packed, member)
        if zlib.crc32(data) != member.checksum:
            raise LoadError(f"{self._owner}: the checksum of {name!r} is wrong, the file is damaged; use another copy.")
        return data

    def _member(self, name: str) -> Member:
        if name not in self._members:
            raise LoadError(f"{self._owner}: there is no member {name!r} in the zip file.")
        return self._members[name]

    def _inflate(self, packed: memoryview, member: Member) -> bytes:
        """The unpacked bytes, which end where the packed ones do and are as many as promised."""
        stream = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            data = stream.decompress(packed, member.size + 1)
        except zlib.error:
            raise LoadError(f"{self._owner}: {member.name!r} cannot be unpacked, the file is damaged.") from None
        if len(data) != member.size or not stream.eof or stream.unused_data:
            raise UnsafeFileError(
                f"{self._owner}: {member.name!r} does not unpack to the {member.size} bytes that are promised."
            )
        return data
