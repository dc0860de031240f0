"""Threads: as many as there are processors to run them?"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from seqkit.doctor.finding import Finding, ok, remark

QUOTA = Path("/sys/fs/cgroup/cpu.max")
OLD_QUOTA = (Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us"))


def own() -> Iterator[Finding]:
    """Threads of seqkit against the processors that this process may use."""
    from seqkit import _core
    from seqkit._core.threads import VARIABLES, threads_of

    threads, room = _core.num_threads(), processors()
    given = {name: os.environ[name] for name in VARIABLES if os.environ.get(name)}
    heard = {name: text for name, text in given.items() if threads_of(text) is not None}
    for name in given.keys() - heard.keys():
        yield remark(f"{name}={given[name]!r} is no number of threads and is not heard", f"correct it, or unset {name}")
    source = next((f"{name}={text}" for name, text in heard.items()), "all processors")
    facts = {"threads": threads, "processors": room, "openmp": bool(_core.openmp), "source": source}
    if not _core.openmp:
        yield remark("built without OpenMP: every call runs on one thread", "build with gcc and libgomp", **facts)
    elif threads > math.ceil(room):
        text = f"{threads} threads ({source}) for {room:g} processors: they wait for each other"
        yield remark(text, f"set SEQKIT_NUM_THREADS={max(int(room), 1)}", **facts)
    elif threads < int(room):
        text = f"{threads} of {room:g} processors are used ({source})"
        yield remark(text, "unset the variable to use all of them, unless others need them", **facts)
    else:
        yield ok(f"{threads} threads for {room:g} processors ({source})", **facts)


def others() -> Iterator[Finding]:
    """Thread pools of other libraries in this process."""
    try:
        pools = import_module("threadpoolctl").threadpool_info()
    except ImportError:
        yield ok("threadpoolctl is not installed: nothing is known of the threads of other libraries")
        return
    room, crowded = math.ceil(processors()), False
    for pool in pools:
        count, name = pool["num_threads"], pool["internal_api"]
        if count > room:
            crowded = True
            variable = "OPENBLAS_NUM_THREADS" if name == "openblas" else "OMP_NUM_THREADS"
            text = f"{name} of {Path(pool['filepath']).name} has {count} threads for {room} processors"
            yield remark(text, f"set {variable}={room}", library=name, threads=count)
    if not crowded:
        listed = ", ".join(f"{pool['internal_api']} {pool['num_threads']}" for pool in pools) or "none"
        yield ok(f"thread pools of this process: {listed}")


def processors() -> float:
    """Processors that this process may use: its affinity, and the quota of its control group."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(float(allowed), quota())


def quota() -> float:
    """Processors that the control group grants; infinite without a limit."""
    try:
        parts = QUOTA.read_text().split() if QUOTA.exists() else [path.read_text().strip() for path in OLD_QUOTA]
        granted, period = parts
        return int(granted) / int(period) if granted.isdigit() else math.inf
    except (OSError, ValueError, ZeroDivisionError):
        return math.inf
