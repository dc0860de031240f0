"""How much memory is to be had: a program that takes more may be killed instead of getting a MemoryError."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

MEMINFO = Path("/proc/meminfo")
GROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))

SMALL = 2**28
"""Bytes that nobody is asked for."""

_left: ContextVar[int | None] = ContextVar("left", default=None)
"""Bytes that may still be required, inside `at_most`."""


def available() -> float:
    """Bytes that are to be had, and no more than the control group may use; infinite where the system doesn't say."""
    found = [float("inf")]
    for line in _text(MEMINFO).splitlines():
        if line.startswith("MemAvailable:"):
            found.append(1024.0 * int(line.split()[1]))
    found += [float(_text(path)) for path in GROUP_LIMITS if _text(path).isdigit()]
    return min(found)


def require(nbytes: int, what: str) -> None:
    """Raise MemoryError if `what` takes more bytes than there are.

    Examples
    --------
    >>> require(10**18, "demo: weights")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    MemoryError: demo: weights take 931322574.6 GiB of memory, and ... GiB are to be had; use fewer units.
    """
    left = _left.get()
    if left is not None:
        if nbytes > left:
            raise MemoryError(f"{what} take {nbytes} bytes of memory, and no more than {left} are allowed here.")
        _left.set(left - nbytes)
    if nbytes > SMALL and nbytes > (room := available()):
        gib = f"{nbytes / 2**30:.1f} GiB of memory, and {room / 2**30:.1f} GiB"
        raise MemoryError(f"{what} take {gib} are to be had; use fewer units.")


@contextmanager
def at_most(nbytes: int) -> Iterator[None]:
    """Let what is required inside take no more than `nbytes` in all: a description is believed up to there.

    Examples
    --------
    >>> with at_most(100):
    ...     require(60, "demo: weights")
    ...     require(60, "demo: bias")
    Traceback (most recent call last):
    MemoryError: demo: bias take 60 bytes of memory, and no more than 40 are allowed here.
    """
    token = _left.set(nbytes)
    try:
        yield
    finally:
        _left.reset(token)


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
