"""The machine that figures were taken on: its name and its limits."""

from __future__ import annotations

import platform
from pathlib import Path

from seqkit import _core


def processor() -> str:
    """The processor's name for people."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def peak(dtype: str) -> float:
    """GFLOP/s of fused multiply-adds on registers alone, with the threads that seqkit uses."""
    return float(_core.fma_peak(dtype, _core.num_threads()))
