"""The machine that figures were taken on: its name, and its limits, probed in the same run."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seqkit import _core
from seqkit.bench.cases import Case
from seqkit.bench.operations import bytes_read, operations, weight_bytes


def processor() -> str:
    """The processor's name for people."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


@dataclass(frozen=True)
class Bound:
    """What keeps a case from being faster on this machine.

    Attributes
    ----------
    peak : float
        Multiply-adds on registers alone, GFLOP/s.
    bandwidth : float
        Reading as many bytes as the weights have, over and over, GB/s.
    operations, bytes : int
        What one call needs of each.
    """

    peak: float
    bandwidth: float
    operations: int
    bytes: int

    @property
    def seconds(self) -> float:
        """Time below which no call can be: the longer one of computing and of reading."""
        return max(self._computing, self._reading)

    @property
    def name(self) -> str:
        """Which of the two it is, "FMA" or "read"."""
        return "FMA" if self._computing >= self._reading else "read"

    @property
    def _computing(self) -> float:
        return self.operations / (1e9 * self.peak)

    @property
    def _reading(self) -> float:
        return self.bytes / (1e9 * self.bandwidth)


@dataclass
class Limits:
    """Limits of this machine; each is probed once, when it is first asked for."""

    peaks: dict[tuple[str, int], float] = field(default_factory=dict)
    bandwidths: dict[tuple[int, int], float] = field(default_factory=dict)

    def peak(self, precision: str, threads: int) -> float:
        """GFLOP/s of fused multiply-adds on registers alone."""
        key = (precision, threads)
        if key not in self.peaks:
            self.peaks[key] = float(_core.fma_peak(precision, threads))
        return self.peaks[key]

    def bandwidth(self, nbytes: int, threads: int) -> float:
        """GB/s at which `threads` threads read `nbytes` that they share, from whichever cache holds them."""
        key = (nbytes, threads)
        if key not in self.bandwidths:
            self.bandwidths[key] = float(_core.read_bandwidth("float32", nbytes, threads))
        return self.bandwidths[key]

    def bound(self, case: Case) -> Bound:
        """What binds a case."""
        return Bound(
            self.peak(case.precision, case.threads),
            self.bandwidth(weight_bytes(case), case.threads),
            operations(case),
            bytes_read(case),
        )

    def facts(self) -> dict[str, Any]:
        """All that has been probed, with units in the names."""
        return {
            "peaks": [
                {"precision": precision, "threads": threads, "GFLOP_per_s": value}
                for (precision, threads), value in self.peaks.items()
            ],
            "bandwidths": [
                {"bytes": nbytes, "threads": threads, "GB_per_s": value}
                for (nbytes, threads), value in self.bandwidths.items()
            ],
        }
