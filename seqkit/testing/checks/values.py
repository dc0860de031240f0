"""Checks of values: what the layer computes, against its equations and against itself.

Legend: B batch, T time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seqkit.equations import run_reference
from seqkit.layer import final_state
from seqkit.testing.checks.paths import turned
from seqkit.testing.data import Data, Make, assert_close, assert_same_bits, fill, forward, infer, run
from seqkit.testing.kinds import (
    needs,
    needs_equations,
    needs_no_chance,
    needs_option,
)

TOLERANCE = {"float64": 1e-12, "float32": 1e-5}  # of the greatest number, or of 1


def assert_values(layer: Any, data: Data, y: np.ndarray, final: Any, what: str) -> None:
    """The engine's results are these; `y` is at the time of its input."""
    if layer.reads_backwards:
        y = turned(y, data.lengths)
    found, cache = layer.forward(data.x, data.lengths, data.state)
    tolerance = TOLERANCE[layer.dtype.name]
    assert_close(found, y, tolerance, f"{what}: y in {layer.dtype}")
    for name, state, expected in zip(layer.cell.states, cache.state, final, strict=True):
        assert_close(state, expected, tolerance, f"{what}: final {name} in {layer.dtype}")


def check_reference(make: Make) -> None:
    """Outputs and final states of the engine are those of the equations, run step by step on float64 arrays.

    Usual cause: `step` computes something else when it is traced, with a Python `if` on an option or a
    NumPy function of its own.
    """
    for dtype in TOLERANCE:
        layer = make(dtype)
        needs_equations(layer)
        needs_no_chance(layer)
        for data in (Data.draw(layer), Data.draw(layer, [9] * 8, seed=2)):
            y, final = run_reference(
                layer.cell,
                layer.params,
                data.x,
                data.lengths,
                data.state,
                reverse=layer.reads_backwards,
                units=layer.units,
            )
            assert_values(layer, data, y, final, "reference")


def check_output(make: Make) -> None:
    """Outputs have the shape and type that the layer promises, are finite, and are 0 past the end of a sequence."""
    for dtype in ("float32", "float64"):
        layer = make(dtype)
        data = Data.draw(layer)
        y = forward(layer, data)[0]
        time = data.x.shape[1:2] if layer.returns_sequences else ()
        expected = (len(data.x), *time, layer.output_size)
        assert y.shape == expected, f"y has shape {y.shape}, not {expected}"
        assert y.dtype == dtype, f"y has dtype {y.dtype} in a layer of {dtype}"
        assert np.isfinite(y).all(), "y holds NaN or infinity for ordinary input"
        if time:
            assert not y[~data.inside].any(), "y is not 0 past the end"


def check_last_output(make: Make) -> None:
    """Without return_sequences the output is that of the last step, 0 for a sequence of none,
    and its gradient goes there."""
    for dtype in TOLERANCE:
        layer = make(dtype)
        needs_option(layer, "return_sequences")
        last = make(dtype, return_sequences=False)
        data = Data.draw(layer)
        ends = (np.arange(len(data.lengths)), data.lengths - 1)
        there = (data.lengths > 0)[:, None]
        dy = np.zeros_like(data.dy)
        dy[ends] = np.where(there, data.dy[ends], 0)
        results = []
        for one, upstream in ((layer, dy), (last, data.dy[ends])):
            y, cache = forward(one, data)
            y = np.where(there, y[ends], 0).astype(dtype) if one is layer else y
            final = final_state(cache)
            dx, dinitial = one.backward(upstream, cache, data.dstate or None)
            results.append([y, *final, dx, *dinitial, *one.grads.values()])
        for n, (whole, short) in enumerate(zip(*results, strict=True)):
            assert_same_bits({"it": short}, {"it": whole}, f"return_sequences=False: result {n}")


def check_trace(make: Make) -> None:
    """Traced states are the outputs and final states, at the time of their input."""
    layer = make("float64")
    needs(hasattr(layer, "trace"), "it has no traces")
    data = Data.draw(layer)
    y, cache = forward(layer, data, training=False)
    traced = layer.trace(data.x, layer.cell.states, data.lengths, data.state)
    first = layer.cell.states[0]
    found = turned(traced[first], data.lengths) if layer.reads_backwards else traced[first]
    assert_same_bits({first: found}, {first: y}, "trace")
    for name, final in zip(layer.cell.states, cache.state, strict=True):
        for row, n in enumerate(data.lengths):
            if n:
                last = traced[name][row, 0 if layer.reads_backwards else n - 1]
                assert_same_bits({name: last}, {name: final[row]}, "last step of trace")


def check_new_parameters(make: Make) -> None:
    """A change of the parameters is seen by the next call, however it is made.

    Usual cause: a copy of the parameters that is made once; compare `params.version` to know when it is old.
    """
    layer, data = make("float64"), Data.draw(make("float64"))
    needs(len(layer.params), "it has no parameters")
    before = run(layer, data)
    fill(layer, seed=8)
    assert_as_fresh(layer, make("float64"), data)
    with layer.params.editing() as arrays:
        for array in arrays.values():
            array *= 0.5
    after = assert_as_fresh(layer, make("float64"), data)
    assert any((after[name] != before[name]).any() for name in before), "no parameter has any effect"


def assert_as_fresh(layer: Any, fresh: Any, data: Data) -> dict[str, np.ndarray]:
    """A layer does what one does that has had the same parameters all the time."""
    for name, value in layer.params.items():
        fresh.params[name] = value
    found = run(layer, data)
    assert_same_bits(found, run(fresh, data), "new parameters")
    return found


def check_inference(make: Make) -> None:
    """A call that keeps nothing for backward gives the same bits."""
    for dtype in TOLERANCE:
        layer = make(dtype)
        needs_no_chance(layer)
        data = Data.draw(layer)
        expected = run(layer, data)
        found = infer(layer, data)
        assert_same_bits(found, {name: expected[name] for name in expected if name in found}, "training=False")
        assert len(found) == 1 + len(data.state), "states are carried in training only"
