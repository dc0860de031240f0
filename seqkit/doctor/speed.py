"""Short measurements: does the processor do what its instruction set promises?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from seqkit.doctor.finding import Finding, ok, remark

CPUINFO = Path("/proc/cpuinfo")
UNITS = 2
"""Multiply-adds that the usual server core starts in a cycle; small ones start one.  The clock is the nominal one."""
ENOUGH = 0.4
"""Share of the promised rate below which something else must be running, or the clock is held down."""
ENOUGH_TOGETHER = 0.7
"""Share of perfect scaling below which threads don't have processors of their own."""
BUSY = "see with top whether others compute, and measure again when they do not"


def multiply_adds() -> Iterator[Finding]:
    """The rate of one thread against lanes, units and clock."""
    from seqkit import _core

    rate = float(_core.fma_peak("float32", 1))
    facts = {"GFLOP_per_s": round(rate, 1), "instruction_set": _core.isa}
    clock = gigahertz()
    if clock is None:
        yield ok(f"{rate:.0f} GFLOP/s with one thread; the clock is unknown", **facts)
        return
    promised = 2 * UNITS * _core.lanes("float32") * clock
    text = f"{rate:.0f} GFLOP/s with one thread; {_core.isa} at {clock:.2f} GHz promise {promised:.0f}"
    facts |= {"GHz": round(clock, 2), "promised_GFLOP_per_s": round(promised, 1)}
    yield ok(text, **facts) if rate >= ENOUGH * promised else remark(text, BUSY, **facts)


def scaling() -> Iterator[Finding]:
    """Two threads against one."""
    from seqkit import _core

    if _core.num_threads() < 2:
        yield ok("one thread: nothing to scale")
        return
    rates = [float(_core.fma_peak("float32", threads)) for threads in (1, 2)]
    times = rates[1] / rates[0]
    text, facts = f"two threads do {times:.2f} times the work of one", {"ratio": round(times, 2)}
    yield ok(text, **facts) if times >= 2 * ENOUGH_TOGETHER else remark(text, BUSY, **facts)


def gigahertz() -> float | None:
    """The clock that the system tells, if it does."""
    try:
        told = re.findall(r"^cpu MHz\s*:\s*([\d.]+)", CPUINFO.read_text(), flags=re.MULTILINE)
    except OSError:
        return None
    return max(map(float, told)) / 1000 if told else None
