"""Checks of values: the engine against plain NumPy.

Legend: B batch, T time, I input features, H units.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from checks.data import Data, Make, assert_close, assert_same_bits, fill
from checks.papers import PAPERS
from seqkit.equations import run_reference

TOLERANCE = {"float64": 1e-12, "float32": 3e-6}  # of the greatest number, or of 1


def in_reading_order(y: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Every sequence turned around within its length."""
    turned = np.zeros_like(y)
    for row, n in enumerate(lengths):
        turned[row, :n] = y[row, :n][::-1]
    return turned


def _assert_values(layer: Any, data: Data, y: np.ndarray, final: Any, what: str) -> None:
    """The engine's results are these."""
    if layer.go_backwards:
        y = in_reading_order(y, data.lengths)
    found, cache = layer.forward(data.x, data.lengths, data.state)
    tolerance = TOLERANCE[layer.dtype.name]
    assert found.dtype == layer.dtype
    assert_close(found, y, tolerance, f"{what}: y in {layer.dtype}")
    for name, state, expected in zip(layer.cell.states, cache.state, final, strict=True):
        assert_close(state, expected, tolerance, f"{what}: final {name} in {layer.dtype}")


def check_reference(make: Make) -> None:
    """Outputs and final states are those of the equations as they are written."""
    for dtype in TOLERANCE:
        layer = make(dtype)
        for data in (Data.draw(layer), Data.draw(layer, [9] * 8, seed=2)):
            y, final = run_reference(layer.cell, layer.params, data.x, data.lengths, data.state, layer.go_backwards)
            _assert_values(layer, data, y, final, "reference")


def check_paper(make: Make) -> None:
    """Outputs and final states are those of the paper's formulas, written out in papers.py."""
    layer = make("float64")
    if layer.name in PAPERS and not {"activation", "recurrent_activation"} & set(layer.options):
        data = Data.draw(layer)
        y, final = PAPERS[layer.name](layer, data)
        _assert_values(layer, data, y, final, "paper")


def check_last_output(make: Make) -> None:
    """Without return_sequences the output is that of the last step, 0 for a sequence of none,
    and its gradient goes there."""
    for dtype in TOLERANCE:
        layer, last = make(dtype), make(dtype, return_sequences=False)
        data = Data.draw(layer)
        ends = (np.arange(len(data.lengths)), data.lengths - 1)
        there = (data.lengths > 0)[:, None]
        dy = np.zeros_like(data.dy)
        dy[ends] = np.where(there, data.dy[ends], 0)
        results = []
        for one, upstream in ((layer, dy), (last, data.dy[ends])):
            y, cache = one.forward(data.x, data.lengths, data.state)
            y = np.where(there, y[ends], 0).astype(dtype) if one is layer else y
            final = cache.state
            dx, dinitial = one.backward(upstream, cache, data.dstate)
            results.append([y, *final, dx, *dinitial, *one.grads.values()])
        for n, (whole, short) in enumerate(zip(*results, strict=True)):
            assert_same_bits({"it": short}, {"it": whole}, f"return_sequences=False: result {n}")


def check_trace(make: Make) -> None:
    """Traced states are the outputs and final states, at the time of their input."""
    layer = make("float64")
    data = Data.draw(layer)
    y, cache = layer.forward(data.x, data.lengths, data.state, training=False)
    traced = layer.trace(data.x, layer.cell.states, data.lengths, data.state)
    first = layer.cell.states[0]
    found = in_reading_order(traced[first], data.lengths) if layer.go_backwards else traced[first]
    assert_same_bits({first: found}, {first: y}, "trace")
    for name, final in zip(layer.cell.states, cache.state, strict=True):
        for row, n in enumerate(data.lengths):
            if n:
                last = traced[name][row, 0 if layer.go_backwards else n - 1]
                assert_same_bits({name: last}, {name: final[row]}, "last step of trace")


def check_new_parameters(make: Make) -> None:
    """A change of the parameters is seen by the next call, however it is made."""
    layer = make("float64")
    data = Data.draw(layer)

    def expect() -> None:
        y, final = run_reference(layer.cell, layer.params, data.x, data.lengths, data.state, layer.go_backwards)
        _assert_values(layer, data, y, final, "new parameters")

    layer.forward(data.x, data.lengths, data.state)
    fill(layer, seed=8)
    expect()
    with layer.params.editing() as arrays:
        for array in arrays.values():
            array *= 0.5
    expect()
