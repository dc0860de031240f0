"""Zip files: every member is read."""

from __future__ import annotations

from collections.abc import Iterable

from target import fuzz


def seeds() -> Iterable[bytes]:
    from hostile_files import zips

    members = {"a": b"data" * 9, "b/c": b"", "d": bytes(300)}
    yield from (zips.pack(members, method) for method in (0, 8))
    yield from (data for _, data in zips.lies(members) if len(data) < 5000)


def target(data: bytes) -> None:
    from seqkit.interop.archive import Archive

    archive = Archive(data, "a.zip")
    for name in archive.names:
        archive.read(name, 1 << 20)


if __name__ == "__main__":
    fuzz(target, seeds, ("seqkit.interop.archive", "seqkit.interop.zip_directory"))
