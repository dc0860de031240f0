"""How many threads seqkit uses.

The default is the number of processors this process may run on, or SEQKIT_NUM_THREADS, or
OMP_NUM_THREADS.  It is found out when it is first needed, again after ``set_num_threads(None)``, and
again in a forked process.  Results do not depend on it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

MAX_THREADS = 1024  # an OpenMP runtime that cannot start its threads ends the process
VARIABLES = ("SEQKIT_NUM_THREADS", "OMP_NUM_THREADS")
_chosen: int | None = None


def threads_of(text: str) -> int | None:
    """The number of threads that a variable asks for; OpenMP's may be a list, of which the first counts."""
    first = text.split(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) > 0 else None


@cache  # asking costs some microseconds, and a small batch asks seven times
def _default() -> int:
    for variable in VARIABLES:
        if (wanted := threads_of(os.environ.get(variable, ""))) is not None:
            return min(wanted, MAX_THREADS)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_default.cache_clear)


def num_threads() -> int:
    """Number of threads that calls use from now on.

    Examples
    --------
    >>> with threads(2):
    ...     num_threads()
    2
    """
    return _chosen or _default()


def set_num_threads(n: int | None) -> None:
    """Use `n` threads from now on, in every thread of Python.

    Parameters
    ----------
    n : int or None
        1 to 1024; None goes back to the default, which is looked up anew.

    Raises
    ------
    ValueError
        If `n` is not an integer from 1 to 1024.

    Examples
    --------
    >>> set_num_threads(1)
    >>> num_threads()
    1
    >>> set_num_threads(None)
    """
    global _chosen
    if n is not None and (isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= MAX_THREADS):
        raise ValueError(f"set_num_threads: expected an integer from 1 to {MAX_THREADS} or None, got {n!r}.")
    _chosen = n
    if n is None:
        _default.cache_clear()


@contextmanager
def threads(n: int | None) -> Iterator[None]:
    """Context manager: use `n` threads inside the block.

    Examples
    --------
    >>> with threads(1):
    ...     num_threads()
    1
    """
    global _chosen
    before = _chosen
    set_num_threads(n)
    try:
        yield
    finally:
        _chosen = before
