"""What asv runs: every cell in every mode, the cases of `seqkit bench`, on whatever version is installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from itertools import pairwise
from types import ModuleType
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

import seqkit
from benchmarks.common import CELLS, SHAPES
from seqkit import registry
from seqkit.bench.cases import Case
from seqkit.bench.workload import Workload

MODULES = ("bench", "cells", "imports", "accuracy", "files", "footprint", "estimators")
MODES = {"infer": "B2 T3 H4", "train": "B2 T3 H4", "step": "B2 T1 H4"}


@pytest.fixture
def suite() -> Iterator[dict[str, ModuleType]]:
    """The modules that asv runs; they put another seqkit.bench in place."""
    with patch.dict(sys.modules):
        for name in [name for name in sys.modules if name.startswith(("benchmarks", "seqkit.bench"))]:
            del sys.modules[name]
        yield {name: import_module(f"benchmarks.{name}") for name in MODULES}


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


# accuracy


def test_errors_are_those_of_float32(suite: dict[str, ModuleType]) -> None:
    cells = suite["accuracy"].Cells()
    for cell in ("gru", "peephole"):
        cells.setup(cell)
        assert 1e-9 < cells.track_output_error(cell) < 1e-6
        assert 1e-9 < cells.track_gradient_error(cell) < 1e-5


def test_a_wrong_gradient_is_a_large_error(suite: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch) -> None:
    cells, backward = suite["accuracy"].Cells(), seqkit.GRU.backward

    def wrong(self: seqkit.GRU, *arguments: Any, **options: Any) -> Any:
        found = backward(self, *arguments, **options)
        self.grads["weight_hh"][0, 0] += 0.01
        return found

    monkeypatch.setattr(seqkit.GRU, "backward", wrong)
    cells.setup("gru")
    assert cells.track_gradient_error("gru") > 1e-4


def test_activations_are_measured_in_units_in_the_last_place(
    suite: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    accuracy = suite["accuracy"]
    for function in accuracy.Activations.params[0]:
        assert 0.5 <= accuracy.Activations().track_largest_error(function) < 4

    def shifted(x: np.ndarray) -> np.ndarray:  # one of 2**24 of numbers from 1/2 to 1 is one ULP
        return np.tanh(x) + 10 * 2.0**-24 * (x > 1)

    monkeypatch.setitem(accuracy.EXACT, "tanh", shifted)
    assert 9 < accuracy.Activations().track_largest_error("tanh") < 13


# files, bytes, instructions


def test_files_are_read(suite: dict[str, ModuleType]) -> None:
    files = suite["files"]
    for kind in files.Data.params[0]:
        data = files.Data()
        data.setup(kind)
        assert data.path.suffix == f".{kind}"
    for kind in ("native", "torch", "onnx"):
        models = files.Models()
        models.setup(kind)
        assert models.path.stat().st_size > 4 * 4 * files.UNITS * files.UNITS


def test_bytes_are_counted(suite: dict[str, ModuleType]) -> None:
    memory = suite["footprint"].Memory()
    memory.setup("lstm", "infer B32 T20 H32")
    y = 32 * 20 * 32 * 4
    assert y <= memory.track_python_peak("lstm", "infer") < 3 * y
    assert memory.track_growth("lstm", "infer") < 500
    kept: list[np.ndarray] = []
    memory.workload.run = lambda: kept.append(np.ones(100))
    assert memory.track_growth("lstm", "infer") > 100 * 800


def test_the_package_is_weighed(suite: dict[str, ModuleType]) -> None:
    package = suite["footprint"].Package()
    assert 5 < package.track_modules() < package.track_modules_with_engine()
    assert 10**5 < package.track_wheel_bytes() < 10**8


def test_instructions_are_subtracted_or_left_out(suite: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch) -> None:
    footprint = suite["footprint"]
    monkeypatch.setattr(footprint, "instructions", lambda cell, call, calls: 1000 + 7 * calls)
    assert footprint.Instructions().track_instructions("lstm", "step") == 7
    monkeypatch.setattr(footprint.shutil, "which", lambda name: None)
    with pytest.raises(NotImplementedError, match="valgrind"):
        footprint.Instructions().setup("lstm", "step")


def test_what_a_version_lacks_is_left_out(suite: dict[str, ModuleType]) -> None:
    with pytest.raises(NotImplementedError, match="SequenceNothing"):
        suite["estimators"].fitted("SequenceNothing")
    for benchmark, arguments in {
        "cells.Infer": ["B2 T3 H4"],
        "accuracy.Cells": [],
        "footprint.Memory": ["step B1 T1 H2"],
    }.items():
        module, name = benchmark.split(".")
        with pytest.raises(NotImplementedError, match="no layer named 'later'"):
            getattr(suite[module], name)().setup("later", *arguments)


def test_estimators_are_timed(suite: dict[str, ModuleType]) -> None:
    for name in suite["estimators"].Estimators.params[0]:
        benchmark = suite["estimators"].Estimators()
        benchmark.setup(name)
        benchmark.time_fit(name)
        benchmark.time_predict(name)
        assert len(benchmark.estimator.predict(benchmark.x)) == len(benchmark.y)
