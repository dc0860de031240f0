"""How much memory is to be had: a program that takes more may be killed instead of getting a MemoryError."""

from __future__ import annotations

from pathlib import Path

MEMINFO = Path("/proc/meminfo")
GROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))

SMALL = 2**28
"""Bytes that nobody is asked for."""


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
    if nbytes > SMALL and nbytes > (room := available()):
        gib = f"{nbytes / 2**30:.1f} GiB of memory, and {room / 2**30:.1f} GiB"
        raise MemoryError(f"{what} take {gib} are to be had; use fewer units.")


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
