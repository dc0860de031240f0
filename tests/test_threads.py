"""Every way of sharing work between threads gives the bits of one thread.

The sizes are large enough that threads are really used, which the plan confirms.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit import _core

CELLS: dict[str, dict[str, Any]] = {
    "simple_rnn": {},
    "lstm": {},
    "peephole": {},
    "gru": {},
    "gru-before": {"reset_after": False},
}
COUNTS = (2, 3, 5)


def make(cell: str, units: int, features: int, dtype: str) -> seqkit.Recurrent:
    layer = seqkit.create(cell.split("-")[0], units, return_sequences=True, **CELLS[cell])
    return layer.build(features, seed=1, dtype=dtype)


def results(layer: Any, x: np.ndarray, lengths: np.ndarray | None, training: bool) -> list[np.ndarray]:
    """Outputs and final states; in training all gradients too."""
    y, cache = layer.forward(x, lengths, training=training)
    found = [y, *cache.state]
    if training:
        layer.zero_grads()
        dx, dstate = layer.backward(np.cos(np.arange(y.size)).reshape(y.shape), cache)
        found += [dx, *dstate, *(grad.copy() for grad in layer.grads.values())]
    return found


def assert_same_for_any_threads(layer: Any, x: np.ndarray, lengths: np.ndarray | None, training: bool) -> None:
    with seqkit.threads(1):
        expected = results(layer, x, lengths, training)
    for count in COUNTS:
        with seqkit.threads(count):
            for array, wanted in zip(results(layer, x, lengths, training), expected, strict=True):
                np.testing.assert_array_equal(array, wanted)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cell", CELLS)
def test_rows(cell: str, dtype: str) -> None:
    rng = np.random.default_rng(0)
    units = 257 if cell == "simple_rnn" else 129
    layer = make(cell, units, 70, dtype)
    x = rng.standard_normal((17, 40, 70))
    with seqkit.threads(2):
        assert layer.plan(x.shape).threads == 2
    assert_same_for_any_threads(layer, x, rng.integers(0, 41, 17), training=True)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cell", CELLS)
def test_units_of_few_rows(cell: str, dtype: str) -> None:
    rng = np.random.default_rng(2)
    layer = make(cell, 460, 33, dtype)
    x = rng.standard_normal((7, 30, 33))
    with seqkit.threads(3):
        plan = layer.plan(x.shape)
    assert (plan.threads, plan.tasks) == (3, (1,))
    assert_same_for_any_threads(layer, x, rng.integers(0, 31, 7), training=True)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cell", CELLS)
def test_units_of_one_row(cell: str, dtype: str, training: bool) -> None:
    layer = make(cell, 260, 33, dtype)
    x = np.random.default_rng(1).standard_normal((1, 150, 33))
    with seqkit.threads(3):
        plan = layer.plan(x.shape, training=training)
    assert (plan.threads, plan.tasks) == (3, (1,))
    assert_same_for_any_threads(layer, x, None, training)


@pytest.mark.parametrize("cell", CELLS)
def test_both_passes_of_one_row_are_shared(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the test above compares is really split."""
    layer, plans, run = make(cell, 260, 33, "float32"), [], _core.run
    monkeypatch.setattr(_core, "run", lambda calls, *rest: (plans.append(_core.plan(calls, 3)), run(calls, *rest)))
    results(layer, np.ones((1, 150, 33)), None, training=True)
    assert [(threads, tasks, shared) for threads, tasks, _, shared in plans] == [(3, [1], "units")] * 2


def test_directions() -> None:
    rng = np.random.default_rng(2)
    backward = seqkit.GRU(96, return_sequences=True)
    layer = seqkit.Bidirectional(seqkit.LSTM(128, return_sequences=True), backward_layer=backward)
    layer.build(40, seed=0)
    x = rng.standard_normal((3, 90, 40))
    with seqkit.threads(2):
        assert layer.plan(x.shape).tasks == (1, 1)
    assert_same_for_any_threads(layer, x, np.array([90, 1, 37]), training=True)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_matmul(dtype: str) -> None:
    rng = np.random.default_rng(3)
    a, b = rng.standard_normal((301, 207)).astype(dtype), rng.standard_normal((207, 139)).astype(dtype)
    with seqkit.threads(1):
        expected = _core.matmul(a, b)
    for count in COUNTS:
        with seqkit.threads(count):
            np.testing.assert_array_equal(_core.matmul(a, b), expected)


def test_repeated_calls_of_a_team() -> None:
    """A thread that reads a state before its neighbour has written it shows up sooner or later."""
    layer = make("lstm", 200, 16, "float32")
    x = np.random.default_rng(4).standard_normal((1, 300, 16))
    with seqkit.threads(1):
        expected = layer(x)
    with seqkit.threads(2):
        for _ in range(30):
            np.testing.assert_array_equal(layer(x), expected)
