"""What can be counted: bytes, modules, instructions.  No noise, so every change is a change of seqkit."""

from __future__ import annotations

import gc
import io
import os
import shutil
import subprocess
import sys
import tracemalloc
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .bench import known, make
from .common import CALLS, CELLS

WARM = 5
"""Calls after which working memory has its size."""
FEW, MORE = 20, 120
"""Calls of the two processes whose instructions are subtracted."""


class Memory:
    """Bytes that a call takes once it has been made before."""

    params = (CELLS, CALLS)
    param_names = ("cell", "call")

    def setup(self, cell: str, call: str) -> None:
        mode, _, shape = call.partition(" ")
        with known():
            self.workload = make(cell, mode, shape)
        for _ in range(WARM):
            self.workload.run()

    def track_python_peak(self, cell: str, call: str) -> int:
        """Most that Python and NumPy hold at a moment of the call, results included."""
        tracemalloc.start()
        try:
            self.workload.run()
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            self.workload.run()
            return tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()

    def track_growth(self, cell: str, call: str) -> int:
        """What is left of a hundred calls: must be next to nothing."""
        tracemalloc.start()
        try:
            held = [self._held_after(100) for _ in range(2)]
            return held[1] - held[0]
        finally:
            tracemalloc.stop()

    def _held_after(self, calls: int) -> int:
        for _ in range(calls):
            self.workload.run()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    track_python_peak.unit = track_growth.unit = "bytes"


class Instructions:
    """Instructions of one call, counted by valgrind, which has AVX2 and no AVX-512."""

    params = (["lstm"], CALLS)
    param_names = ("cell", "call")
    timeout = 300

    def setup(self, cell: str, call: str) -> None:
        if shutil.which("valgrind") is None:
            raise NotImplementedError("instructions are counted by valgrind, which is not installed")

    def track_instructions(self, cell: str, call: str) -> float:
        few, more = (instructions(cell, call, calls) for calls in (FEW, MORE))
        return round((more - few) / (MORE - FEW))

    track_instructions.unit = "instructions"


class Package:
    """What is imported and what is installed."""

    def track_modules(self) -> int:
        return modules("import seqkit")

    def track_modules_with_engine(self) -> int:
        return modules("import seqkit; seqkit.LSTM")

    def track_wheel_bytes(self) -> int:
        """The files of the installed package, packed as a wheel packs them."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as wheel:
            for path in sorted(package().rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    wheel.write(path, path.relative_to(package().parent))
        return packed.tell()

    track_modules.unit = track_modules_with_engine.unit = "modules"
    track_wheel_bytes.unit = "bytes"


def instructions(cell: str, call: str, calls: int) -> int:
    """Instructions of a process that makes a workload ready and calls it."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable, "-P", "-c", PROGRAM]
    folder = str(Path(__file__).resolve().parents[1])
    fixed = {"PYTHONHASHSEED": "0", "SEQKIT_NUM_THREADS": "1", "PYTHONPATH": folder}
    done = subprocess.run([*command, cell, call, str(calls)], env=os.environ | fixed, capture_output=True, text=True)
    counted = [line for line in done.stderr.splitlines() if "Collected :" in line]
    if done.returncode or not counted:
        raise RuntimeError(f"valgrind counted nothing; it ended with {done.returncode}: {done.stderr[-500:]}")
    return int(counted[0].split()[-1])


PROGRAM = """
import sys
from benchmarks.bench import make
cell, call, calls = sys.argv[1:]
mode, _, shape = call.partition(" ")
workload = make(cell, mode, shape)
for _ in range(int(calls)):
    workload.run()
"""


def modules(statement: str) -> int:
    """Modules that a new process has after a statement and did not have before."""
    program = f"import sys; before = len(sys.modules); {statement}; print(len(sys.modules) - before)"
    command = [sys.executable, "-P", "-c", program]  # the installed package, not sources that it is started beside
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def package() -> Path:
    """Where the package is that is measured."""
    spec: Any = find_spec("seqkit")
    return Path(spec.origin).parent
