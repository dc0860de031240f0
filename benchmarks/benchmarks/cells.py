"""Every built-in cell in every mode: time, memory, and how exact it is."""

from __future__ import annotations

from functools import cache

import numpy as np

from .bench import known, make
from .common import CELLS, SHAPES

prepared = cache(make)


class _Mode:
    """A case made ready; what is timed is the call that `seqkit bench` times."""

    mode = ""
    param_names = ("cell", "shape")
    repeat = (5, 50, 1.0)  # calls that are timed in a process: at least, at most, seconds

    def setup(self, cell: str, shape: str) -> None:
        """Asv does this before every call that it times, which must not be the first call of a layer."""
        with known():
            self.workload = prepared(cell, self.mode, shape)
        self.workload.run()


class _Sequences(_Mode):
    """Whole sequences."""

    def time_call(self, cell: str, shape: str) -> None:
        self.workload.run()

    def peakmem_call(self, cell: str, shape: str) -> None:
        self.workload.run()

    def track_planned_memory(self, cell: str, shape: str) -> int:
        plan = self.workload.layer.plan(self.workload.x.shape, training=self.mode == "train")
        return plan.tape_bytes + plan.work_bytes

    track_planned_memory.unit = "bytes"


class Infer(_Sequences):
    """Outputs of whole sequences."""

    mode = "infer"
    params = (CELLS, SHAPES["infer"])

    def track_max_error(self, cell: str, shape: str) -> float:
        from seqkit.equations import run_reference

        layer, x = self.workload.layer, self.workload.x
        y, _ = run_reference(layer.cell, layer.params, x[:1])
        return float(np.abs(layer(x)[:1] - y).max())

    track_max_error.unit = "absolute difference from float64"


class Train(_Sequences):
    """Outputs, then the gradients of all parameters."""

    mode = "train"
    params = (CELLS, SHAPES["train"])


class Step(_Mode):
    """A thousand steps of a stream, the state carried along: a single one is too short for asv's clock."""

    mode = "step"
    params = (CELLS, SHAPES["step"])

    def time_thousand_calls(self, cell: str, shape: str) -> None:
        for _ in range(1000):
            self.workload.run()

    def peakmem_thousand_calls(self, cell: str, shape: str) -> None:
        self.time_thousand_calls(cell, shape)
