"""Checks of bits: what must not change a single one.

Legend: B batch, T time, I input features, H units.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

import seqkit
from checks.data import Data, Make, assert_same_bits, named, run

DTYPES = ("float32", "float64")
OF_ROWS = ("y", "final", "dx", "dinitial")  # results that belong to one sequence


def check_nan_in_padding(make: Make) -> None:
    """Padding full of NaN changes nothing, and outputs and gradients past the end are 0."""
    for dtype in DTYPES:
        layer = make(dtype)
        data = Data.draw(layer)
        clean = run(layer, data)
        assert_same_bits(run(layer, data.padded(0, np.nan)), clean, "NaN in the padding")
        outside = np.arange(data.x.shape[1]) >= data.lengths[:, None]
        for name in ("y", "dx"):
            assert not clean[name][outside].any(), f"{name} is not 0 past the end"


def check_more_padding(make: Make) -> None:
    """More padding changes nothing."""
    for dtype in DTYPES:
        layer = make(dtype)
        data = Data.draw(layer)
        time = data.x.shape[1]
        longer = run(layer, data.padded(7, np.nan))
        cut = {name: array[:, :time] if name in ("y", "dx") else array for name, array in longer.items()}
        assert_same_bits(cut, run(layer, data), "more padding")


def check_batch(make: Make) -> None:
    """A sequence gives the same bits alone, in company of 3, 17 or 64, and in any order."""
    rng = np.random.default_rng(3)
    for dtype in DTYPES:
        layer = make(dtype)
        data = Data.draw(layer, [0, 9, 1, *rng.integers(0, 10, 61)])
        whole = run(layer, data)
        for size in (1, 1, 1, 2, 3, 17, 64):
            rows = rng.permutation(64)[:size]
            part = data.rows(rows)
            time = part.x.shape[1]
            expected = {name: _rows(array, rows, time) for name, array in whole.items() if name.startswith(OF_ROWS)}
            assert_same_bits(run(layer, part), expected, f"{size} of 64 sequences")


def _rows(array: np.ndarray, rows: np.ndarray, time: int) -> np.ndarray:
    return array[rows][:, :time] if array.ndim == 3 else array[rows]


def check_threads(make: Make) -> None:
    """The number of threads changes nothing."""
    lengths = np.random.default_rng(4).integers(0, 40, 70)
    for dtype in DTYPES:
        layer = make(dtype)
        data = Data.draw(layer, lengths)
        with seqkit.threads(1):
            expected = run(layer, data)
        for count in (2, 3, 5):
            with seqkit.threads(count):
                assert_same_bits(run(layer, data), expected, f"{count} threads")


def check_split_in_time(make: Make) -> None:
    """Two parts with carried state are the whole, forward and backward."""
    for dtype in DTYPES:
        layer = make(dtype)
        data = Data.draw(layer)
        whole = run(layer, data)
        for cut in (1, 3, 5):
            first, second = _halves(layer, data, cut)
            y1, cache1 = layer.forward(first.x, first.lengths, data.state)
            y2, cache2 = layer.forward(second.x, second.lengths, cache1.state)
            dx2, dmiddle = layer.backward(second.dy, cache2, data.dstate)
            dx1, dinitial = layer.backward(first.dy, cache1, dmiddle)
            y = _join(y1, first.lengths, y2, second.lengths)
            dx = (
                _join(dx2, second.lengths, dx1, first.lengths)
                if layer.go_backwards
                else _join(dx1, first.lengths, dx2, second.lengths)
            )
            found = {"y": y, "dx": dx} | named("final", cache2.state) | named("dinitial", dinitial)
            assert_same_bits(found, {name: whole[name] for name in found}, f"cut after step {cut}")


def _halves(layer: Any, data: Data, cut: int) -> tuple[Data, Data]:
    """The two parts in the order of reading: a backward layer reads the end first."""
    early, late = np.minimum(data.lengths, cut), np.maximum(data.lengths - cut, 0)
    if not layer.go_backwards:
        parts = [(data.x[:, :cut], data.dy[:, :cut], early), (data.x[:, cut:], data.dy[:, cut:], late)]
    else:  # outputs come in the order of reading: row by row, those of the late steps first
        dy = np.zeros_like(data.dy)
        for row, (n, rest) in enumerate(zip(late, early, strict=True)):
            dy[row, :rest] = data.dy[row, n : n + rest]
        parts = [(data.x[:, cut:], data.dy[:, : data.x.shape[1] - cut], late), (data.x[:, :cut], dy[:, :cut], early)]
    first, second = (replace(data, x=x, dy=dy, lengths=lengths) for x, dy, lengths in parts)
    return first, second


def _join(a: np.ndarray, a_lengths: np.ndarray, b: np.ndarray, b_lengths: np.ndarray) -> np.ndarray:
    """For every sequence the valid steps of `a`, then those of `b`."""
    joined = np.zeros((len(a), a.shape[1] + b.shape[1], a.shape[2]), a.dtype)
    for row, (n, m) in enumerate(zip(a_lengths, b_lengths, strict=True)):
        joined[row, :n], joined[row, n : n + m] = a[row, :n], b[row, :m]
    return joined


def check_steps(make: Make) -> None:
    """T calls of `step` are one call."""
    for dtype in DTYPES:
        layer = make(dtype)
        for batch in (1, 4):
            data = Data.draw(layer, [6] * batch)
            y, cache = layer.forward(data.x, None, data.state, training=False)
            before = [array.tobytes() for array in (data.x, *data.state)]
            state, outputs = data.state, []
            for x_t in np.moveaxis(data.x[:, ::-1] if layer.go_backwards else data.x, 1, 0):
                y_t, state = layer.step(x_t, state)
                outputs.append(y_t)
            found = {"y": np.stack(outputs, axis=1)} | named("final", state)
            assert_same_bits(found, {"y": y} | named("final", cache.state), f"step by step, batch {batch}")
            assert [array.tobytes() for array in (data.x, *data.state)] == before, "step wrote to its arguments"


def check_streams(make: Make) -> None:
    """Streams fed in random company, now and then saved and restored, give what one call gives."""
    rng = np.random.default_rng(4)
    for dtype in DTYPES:
        layer = make(dtype)
        data = Data.draw(layer, rng.integers(1, 9, 11))
        y, cache = layer.forward(data.x, data.lengths, None, training=False)
        streams = layer.streams(12)
        ids = np.array([streams.open() for _ in data.lengths])
        for rows, t in random_ticks(data.lengths, rng):
            when = data.lengths[rows] - 1 - t if layer.go_backwards else t
            assert_same_bits({"y": streams.feed(ids[rows], data.x[rows, when])}, {"y": y[rows, t]}, "streams")
            moved = rng.choice(rows)
            saved = streams.save(ids[moved])
            streams.close(ids[moved])
            ids[moved] = streams.restore(saved)
        for row, stream in enumerate(ids):
            final = {f"final {n}": array for n, array in enumerate(streams.save(stream).values())}
            assert_same_bits(final, {f"final {n}": array[row] for n, array in enumerate(cache.state)}, "saved streams")


def random_ticks(lengths: np.ndarray, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Random sequences and their next steps, until all have come to their end."""
    done = np.zeros_like(lengths)
    while (left := np.flatnonzero(done < lengths)).size:
        rows = rng.permutation(left)[: rng.integers(1, len(left) + 1)]
        yield rows, done[rows]
        done[rows] += 1


def check_list(make: Make) -> None:
    """A list of sequences gives what their padded array gives."""
    for dtype in DTYPES:
        layer = make(dtype)
        data = Data.draw(layer)
        y = layer(data.x, lengths=data.lengths)
        parts = layer([row[:n] for row, n in zip(data.x, data.lengths, strict=True)])
        assert len(parts) == len(y)
        for row, (part, n) in enumerate(zip(parts, data.lengths, strict=True)):
            assert_same_bits({"y": part}, {"y": y[row, :n]}, f"list, sequence {row}")


def check_layout(make: Make) -> None:
    """How x, dy and states lie in memory changes nothing."""
    for dtype in DTYPES:
        layer = make(dtype)
        data = Data.draw(layer)
        expected = run(layer, data)
        for (name, x), (_, dy) in zip(_layouts(data.x), _layouts(data.dy), strict=True):
            assert_same_bits(run(layer, replace(data, x=x, dy=dy)), expected, name)
        turned = {key: tuple(np.asfortranarray(s) for s in getattr(data, key)) for key in ("state", "dstate")}
        assert_same_bits(run(layer, replace(data, **turned)), expected, "states in Fortran order")
        apart = {
            key: tuple(np.repeat(s, 2, axis=1)[::-1, ::2][::-1] for s in getattr(data, key))
            for key in ("state", "dstate")
        }
        assert_same_bits(run(layer, replace(data, **apart)), expected, "states with gaps")


def _layouts(a: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """The same numbers in other places of memory, or as other types that hold them."""
    yield "time-major", np.ascontiguousarray(a.swapaxes(0, 1)).swapaxes(0, 1)
    yield "negative strides", np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1]
    yield "every other feature", np.repeat(a, 2, axis=2)[:, :, ::2]
    yield "negative feature stride", np.ascontiguousarray(a[:, :, ::-1])[:, :, ::-1]
    yield "every other step", np.repeat(a, 2, axis=1)[:, ::2]
    yield "Fortran order", np.asfortranarray(a)
    read_only = a.copy()
    read_only.flags.writeable = False
    yield "read-only", read_only
    shifted = np.zeros(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape)
    shifted[:] = a
    assert not shifted.flags.aligned
    yield "misaligned", shifted
    yield "big-endian", a.astype(a.dtype.newbyteorder(">"))
    yield "longer floats", a.astype(np.longdouble)
    yield "nested lists", a.tolist()


def check_inference(make: Make) -> None:
    """A call that keeps nothing for backward gives the same bits."""
    for dtype in DTYPES:
        layer = make(dtype)
        data = Data.draw(layer)
        y, cache = layer.forward(data.x, data.lengths, data.state, training=False)
        expected = run(layer, data)
        found = {"y": y} | named("final", cache.state)
        assert_same_bits(found, {name: expected[name] for name in found}, "training=False")


def check_calls_are_independent(make: Make) -> None:
    """Forward calls may stand open at the same time, and later calls do not write to what
    earlier ones gave."""
    layer = make("float32")
    batches = [Data.draw(layer, seed=5), Data.draw(layer, [4, 2, 4], seed=6), Data.draw(layer, [2], seed=7)]
    expected = [run(layer, data) for data in batches]
    opened = [layer.forward(data.x, data.lengths, data.state) for data in batches]
    closed = []
    for data, (y, cache) in zip(batches, opened, strict=True):
        final = cache.state
        dx, dinitial = layer.backward(data.dy, cache, data.dstate)
        closed.append({"y": y, "dx": dx} | named("final", final) | named("dinitial", dinitial))
    for found, whole in zip(closed, expected, strict=True):
        assert_same_bits(found, {name: whole[name] for name in found}, "three calls at once")


def check_inputs_are_kept(make: Make) -> None:
    """No call writes to its arguments or to the parameters."""
    layer = make("float64")
    data = Data.draw(layer)
    arrays = [data.x, data.lengths, *data.state, data.dy, *data.dstate, *layer.params.values()]
    before = [array.tobytes() for array in arrays]
    run(layer, data)
    assert [array.tobytes() for array in arrays] == before
