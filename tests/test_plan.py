"""The plan says what runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit import _core
from seqkit.equations import layer_norm, sigmoid, tanh
from seqkit.rows import Rows


@pytest.mark.parametrize(
    ("batch", "threads", "tasks"),
    [(32, 1, (1,)), (32, 2, (2,)), (1, 2, (1,)), (300, 2, (4,)), (3, 5, (3,))],
)
def test_rows_are_shared_out(batch: int, threads: int, tasks: tuple[int, ...]) -> None:
    """One task for each thread, none of more than 96 rows, none without a row."""
    with seqkit.threads(threads):
        assert seqkit.LSTM(128).plan((batch, 50, 64)).tasks == tasks


def test_directions_come_first() -> None:
    layer = seqkit.Bidirectional(seqkit.LSTM(128))
    with seqkit.threads(2):
        plan = layer.plan((1, 50, 64))
    assert (plan.threads, plan.tasks) == (2, (1, 1))


def test_tiny_work_stays_on_one_thread() -> None:
    with seqkit.threads(4):
        assert seqkit.LSTM(4).plan((4, 2, 3)).threads == 1


def test_threads_that_are_awake_take_smaller_work() -> None:
    """That of a call just before, in which they were woken; but not what takes a microsecond."""
    for time, threads in ((20, 2), (1, 1)):
        calls = (
            seqkit.LSTM(64).build(32)._calls(Rows.of_array(np.zeros((8, time, 32), "f4"), None, "f4", "x", 32), False)
        )
        assert [_core.plan(calls, 2, awake=awake)[0] for awake in (False, True)] == [1, threads]


def test_stages_and_tape() -> None:
    """The GRU with the reset before the product needs two rounds; the tape holds h, the saved values and r*h."""
    layer = seqkit.GRU(16, reset_after=False)
    layer.build(3, dtype="float64")
    plan = layer.plan((2, 10, 3), training=True)
    rows, row_bytes = 20, 16 * 8
    assert plan.stages == 2
    assert plan.tape_bytes >= (rows * (1 + 3 + 1) + 2) * row_bytes
    assert layer.plan((2, 10, 3)).tape_bytes == 0


def test_planning_changes_nothing() -> None:
    """Masks drawn while planning are not missed by the next call."""
    x = np.random.default_rng(0).standard_normal((3, 4, 5))
    outputs = []
    for planned in (False, True):
        layer = seqkit.GRU(6, dropout=0.5, recurrent_dropout=0.5).build(5, seed=0)
        if planned:
            layer.plan((3, 4, 5), training=True)
        outputs.append(layer.forward(x, training=True)[0])
    np.testing.assert_array_equal(*outputs)


@pytest.mark.parametrize(
    ("shape", "threads", "split"),
    [((32, 50, 64), 2, "rows"), ((32, 50, 64), 1, "none"), ((1, 400, 64), 2, "units"), ((2, 2, 3), 2, "none")],
)
def test_split(shape: tuple[int, int, int], threads: int, split: str) -> None:
    if not _core.openmp:
        split = "none"
    with seqkit.threads(threads):
        assert seqkit.LSTM(128 if shape[1] > 2 else 4).plan(shape).split == split
        both = seqkit.Bidirectional(seqkit.LSTM(128 if shape[1] > 2 else 4)).plan(shape)
    assert both.split == ("none" if split == "none" else "directions")


def test_kernel() -> None:
    """Rows of a task are cut into tiles of nearly equal height; the four gates of an LSTM are four vectors."""
    highest, tall = {"avx512": (6, 8), "avx2": (3, 3), "base": (2, 2)}[seqkit.isa]
    with seqkit.threads(1):
        for batch in (2, 3, 5, 7, 8, 13):
            height = batch if batch <= tall else int(np.ceil(batch / np.ceil(batch / highest)))
            vectors = 2 if highest < batch <= tall else 4  # a tall tile takes half of them, twice
            assert seqkit.LSTM(64).plan((batch, 5, 3)).kernel == f"tile {height} x {vectors}"
        assert seqkit.GRU(64).plan((1, 5, 3)).kernel == "line"
        assert seqkit.GRU(64).plan((tall, 5, 3)).kernel == f"tile {tall} x 3"


def test_what_needs_all_units_is_not_shared() -> None:
    """A mean over units, and a number of one vector that another vector needs."""

    class Normal(seqkit.Cell):
        gates, states = ("h",), ("h",)

        def step(self, x: Any, U: Any, s: Any, p: Any) -> Any:
            return {"h": tanh(layer_norm(x.h + U.h @ s.h))}

    class Gate(seqkit.Cell):
        gates, states = ("h", "one"), ("h",)

        def sizes(self) -> Any:
            return {"one": 1}

        def step(self, x: Any, U: Any, s: Any, p: Any) -> Any:
            return {"h": tanh(x.h + U.h @ s.h) * sigmoid(x.one)}

    with seqkit.threads(2):
        for cell, whole in ((Normal, "mean over units"), (Gate, "total over units"), (seqkit.LSTM(1).cell, "")):
            plan = seqkit.Recurrent(cell, 512).plan((1, 100, 64))
            assert (plan.whole, plan.split) == (whole, "units" if not whole else "none")
            assert whole in plan.why
