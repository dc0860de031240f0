"""What the system gives: memory, files, text."""

from __future__ import annotations

import locale
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from seqkit.available import available
from seqkit.doctor.finding import Finding, broken, ok, remark

LITTLE = 512 * 2**20
"""Bytes below which training is likely to be killed."""


def memory() -> Iterator[Finding]:
    """How much is to be had."""
    room = available()
    if room == float("inf"):
        yield ok("the system does not say how much memory is to be had")
        return
    text, facts = f"{room / 2**30:.1f} GiB of memory are to be had", {"bytes": int(room)}
    advice = "end other programs, or use a smaller --batch-size and memory_budget in fit"
    yield ok(text, **facts) if room >= LITTLE else remark(text, advice, **facts)


def files() -> Iterator[Finding]:
    """Files can be written where temporary ones belong, and locked; folders that variables name exist."""
    try:
        with tempfile.NamedTemporaryFile(prefix="seqkit-doctor-") as file:
            file.write(b"seqkit")
            file.flush()
            lock(file.fileno())
            yield ok(f"files can be written and locked in {Path(file.name).parent}")
    except OSError as error:
        place = tempfile.gettempdir() if tempfile.tempdir else "the folder for temporary files"
        yield broken(
            f"{place}: {error.strerror or error}", "make room there, or set TMPDIR to a folder on a local disk"
        )
    data = os.environ.get("SEQKIT_DATA")
    if data and not Path(data).is_dir():
        yield remark(f"SEQKIT_DATA names {data!r}, which is no folder", "correct it, or unset it")


def lock(descriptor: int) -> None:
    """Lock a file and let it go, where the system knows such locks."""
    try:
        import fcntl
    except ImportError:
        return
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(descriptor, fcntl.LOCK_UN)


def text() -> Iterator[Finding]:
    """Names of files and terminals take all letters."""
    encodings = {
        "files": sys.getfilesystemencoding(),
        "locale": locale.getpreferredencoding(False),
    }
    narrow = {name: value for name, value in encodings.items() if value.lower().replace("-", "") != "utf8"}
    if narrow:
        listed = ", ".join(f"{name} {value}" for name, value in narrow.items())
        yield remark(f"not all letters can be written: {listed}", "set LC_ALL=C.UTF-8", **encodings)
    else:
        yield ok("text is UTF-8", **encodings)
