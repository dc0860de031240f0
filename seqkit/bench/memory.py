"""Peak memory of a case: what a fresh process grows by while it makes the layer and its data and calls it.

A process that has run something else has memory left over that a case could use unseen, so each
case gets a process of its own, ``python -m seqkit.bench.memory CASE``.  Before the layer is made,
a tiny one runs, so that code which is loaded only once is not counted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

from seqkit import _core
from seqkit.bench.cases import Case
from seqkit.bench.workload import Workload

STATUS = Path("/proc/self/status")


def peak_memory(case: Case) -> float | None:
    """MB (1e6 bytes) of memory at the highest point above the start.

    None where the system does not tell, or where a process of its own does not know the cell.
    """
    if not STATUS.exists():
        return None
    done = subprocess.run(
        [sys.executable, "-P", "-m", __name__, json.dumps(asdict(case))],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
        capture_output=True,
        text=True,
    )
    return float(done.stdout) if done.returncode == 0 else None


def growth(case: Case) -> float:
    """MB that this process grows by when it runs a case."""
    with _core.threads(case.threads):
        Workload(replace(case, batch=1, time=1, features=1, units=1)).run()
        before = _resident("VmRSS")
        workload = Workload(case)
        for _ in range(2):
            workload.run()
    return max(_resident("VmHWM") - before, 0.0)


def _resident(name: str) -> float:
    """MB of physical memory: VmRSS now, VmHWM at the highest point."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name + ":"))
    return int(line.split()[1]) * 1024 / 1e6


if __name__ == "__main__":
    print(growth(Case(**json.loads(sys.argv[1]))))
