"""What asv runs: every cell in every mode, the cases of `seqkit bench`, on whatever version is installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from itertools import pairwise
from types import ModuleType
from unittest.mock import patch

import numpy as np
import pytest

import seqkit
from benchmarks.common import CELLS, SHAPES
from seqkit import registry
from seqkit.bench.cases import Case
from seqkit.bench.workload import Workload

MODES = {"infer": "B2 T3 H4", "train": "B2 T3 H4", "step": "B2 T1 H4"}


@pytest.fixture
def suite() -> Iterator[dict[str, ModuleType]]:
    """The modules that asv runs; they put another seqkit.bench in place."""
    with patch.dict(sys.modules):
        for name in [name for name in sys.modules if name.startswith(("benchmarks", "seqkit.bench"))]:
            del sys.modules[name]
        yield {name: import_module(f"benchmarks.{name}") for name in ("bench", "cells", "imports")}


def without_benchmarks() -> set[str]:
    """Built-in cells that asv doesn't measure."""
    return {name for name in registry.BUILT_IN if registry.is_cell(name)} - set(CELLS)


def test_every_built_in_cell_has_benchmarks() -> None:
    assert not without_benchmarks(), "add the cell to CELLS in benchmarks/benchmarks/common.py"
    assert len(CELLS) == len(set(CELLS))


def test_a_cell_that_is_added_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.BUILT_IN, "another", registry.BUILT_IN["gru"])
    monkeypatch.setitem(registry._registered, "another", seqkit.GRU)
    assert without_benchmarks() == {"another"}


def test_every_mode_is_timed_and_weighed_with_every_cell(suite: dict[str, ModuleType]) -> None:
    classes = {cls.mode: cls for cls in vars(suite["cells"]).values() if getattr(cls, "mode", "")}
    assert set(classes) == set(SHAPES) == set(MODES)
    for mode, cls in classes.items():
        assert cls.params == (CELLS, SHAPES[mode])
        assert {name.partition("_")[0] for name in dir(cls)} >= {"time", "peakmem"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("cell", CELLS)
def test_a_benchmark_is_a_case_of_seqkit_bench(suite: dict[str, ModuleType], cell: str, mode: str) -> None:
    batch, time = (2, 1) if mode == "step" else (2, 3)
    expected = Workload(Case(cell, mode, batch, time, features=4, units=4)).results()
    found = suite["bench"].make(cell, mode, MODES[mode]).results()
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name], expected[name]) and expected[name].any() for name in expected)


@pytest.mark.parametrize("cell", CELLS)
def test_the_benchmarks_of_sequences_run(suite: dict[str, ModuleType], cell: str) -> None:
    infer, train = suite["cells"].Infer(), suite["cells"].Train()
    for benchmark in (infer, train):
        benchmark.setup(cell, "B2 T3 H4")
        benchmark.time_call(cell, "B2 T3 H4")
        benchmark.peakmem_call(cell, "B2 T3 H4")
        assert benchmark.track_planned_memory.unit == "bytes"
    assert all(grad.any() for grad in train.workload.layer.grads.values())
    assert not any(grad.any() for grad in infer.workload.layer.grads.values())
    assert 0 < infer.track_max_error(cell, "B2 T3 H4") < 1e-6
    tape = 2 * 3 * 4 * 4  # bytes of one value of every unit at every step
    assert train.track_planned_memory(cell, "B2 T3 H4") > infer.track_planned_memory(cell, "B2 T3 H4") + tape


def test_no_layer_is_timed_at_its_first_call(suite: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch) -> None:
    """Asv sets a benchmark up again before every call: the layer stays, and has been called."""
    calls = []
    workload = suite["bench"].Workload
    monkeypatch.setattr(workload, "_infer", lambda self: calls.append(self))
    infer = suite["cells"].Infer()
    for _ in range(2):
        infer.setup("gru", "B2 T3 H4")
        assert calls[-1] is infer.workload
    assert calls == [infer.workload] * 2


@pytest.mark.parametrize("cell", CELLS)
def test_the_benchmarks_of_streams_run(suite: dict[str, ModuleType], cell: str) -> None:
    step = suite["cells"].Step()
    step.setup(cell, "B2 T1 H4")
    states = [step.workload._state[0].copy()]
    for run in (step.workload.run, step.workload.run):
        run()
        states.append(step.workload._state[0].copy())
    step.time_thousand_calls(cell, "B2 T1 H4")
    step.peakmem_thousand_calls(cell, "B2 T1 H4")
    assert not any(np.array_equal(before, after) for before, after in pairwise(states))


def test_the_benchmarks_of_imports_run(suite: dict[str, ModuleType]) -> None:
    imports = suite["imports"].Imports()
    for name in ("timeraw_import", "timeraw_import_engine", "timeraw_first_output"):
        exec(getattr(imports, name)(), {})
    imports.peakmem_import_engine()
