"""Checks of calls: what must not change a single bit, and what a call must leave alone.

Legend: B batch, T time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from seqkit import _core
from seqkit.layer import final_state
from seqkit.testing.data import Data, Make, assert_same_bits, backward, bytes_of, forward, infer, named, run
from seqkit.testing.kinds import needs, needs_numbers

DTYPES = ("float32", "float64")


def check_repeated_calls(make: Make) -> None:
    """The same call gives the same bits again, also in another layer with the same parameters.

    Usual causes: random numbers that are not drawn from `random_state`, a state that outlives its call,
    memory that is not cleared.
    """
    for dtype in DTYPES:
        layer = make(dtype)
        data = Data.draw(layer)
        for batch in (data, replace(data, state=())):
            expected = run(layer, batch)
            assert_same_bits(run(layer, batch), expected, "the same call again")
            run(layer, Data.draw(layer, [3, 7], seed=4))
            assert_same_bits(run(layer, batch), expected, "the same call after another one")
            assert_same_bits(run(make(dtype), batch), expected, "the same call of an equal layer")


def check_threads(make: Make) -> None:
    """The number of threads changes nothing."""
    for dtype in DTYPES:
        layer = make(dtype)
        data = Data.draw(layer, np.random.default_rng(4).integers(0, 40, _rows_for_threads(layer)))
        with _core.threads(1):
            expected = run(layer, data)
        for count in (2, 3, 5):
            with _core.threads(count):
                assert_same_bits(run(layer, data), expected, f"{count} threads")


def _rows_for_threads(layer: Any) -> int:
    """A number of sequences that the engine really shares out: what is tiny stays on one thread."""
    rows = 70
    with _core.threads(3):
        while hasattr(layer, "plan") and rows < 1000:
            if layer.plan((rows, 39, layer.input_size), training=True).threads == 3:
                break
            rows *= 2
    return rows


def check_layout(make: Make) -> None:
    """How x, dy and states lie in memory changes nothing; read-only arrays are taken too."""
    for dtype in DTYPES:
        layer = make(dtype)
        data = Data.draw(layer)
        expected = run(layer, data)
        layouts = _layouts(data.dy) if data.dy.ndim == 3 else ((name, data.dy) for name, _ in _layouts(data.x))
        for (name, x), (_, dy) in zip(_layouts(data.x), layouts, strict=True):
            assert_same_bits(run(layer, replace(data, x=x, dy=dy)), expected, name)
        for name, laid in (("Fortran order", np.asfortranarray), ("gaps", _with_gaps)):
            state, dstate = (tuple(map(laid, arrays)) for arrays in (data.state, data.dstate))
            assert_same_bits(run(layer, replace(data, state=state, dstate=dstate)), expected, f"states in {name}")


def _with_gaps(a: np.ndarray) -> np.ndarray:
    """The same numbers, other ones between them."""
    return np.repeat(a, 2, axis=-1)[::-1, ..., ::2][::-1]


def _layouts(a: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """The same numbers in other places of memory."""
    yield "time-major", np.ascontiguousarray(a.swapaxes(0, 1)).swapaxes(0, 1)
    yield "negative strides", np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1]
    yield "every other feature", np.repeat(a, 2, axis=-1)[..., ::2]
    yield "negative feature stride", np.ascontiguousarray(a[..., ::-1])[..., ::-1]
    yield "every other step", np.repeat(a, 2, axis=1)[:, ::2]
    yield "Fortran order", np.asfortranarray(a)
    read_only = a.copy()
    read_only.flags.writeable = False
    yield "read-only", read_only
    shifted = np.zeros(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape)
    shifted[:] = a
    assert not shifted.flags.aligned
    yield "misaligned", shifted


def check_number_types(make: Make) -> None:
    """A call takes other types that hold the same numbers: big-endian, long double, lengths in a list."""
    for dtype in DTYPES:
        layer = make(dtype)
        needs_numbers(layer)
        data = Data.draw(layer)
        expected = {"y": layer(data.x, data.lengths)}
        others = {
            "big-endian": data.x.astype(data.x.dtype.newbyteorder(">")),
            "longer floats": data.x.astype(np.longdouble),
        }
        for name, x in others.items():
            assert_same_bits({"y": layer(x, lengths=data.lengths.tolist())}, expected, name)


def check_calls_are_independent(make: Make) -> None:
    """Forward calls may stand open at the same time, and later calls do not write to what earlier ones gave.

    Usual cause: what `backward` needs is kept on the layer and not in the cache.
    """
    layer = make("float32")
    batches = [Data.draw(layer, seed=5), Data.draw(layer, [4, 2, 4], seed=6), Data.draw(layer, [2], seed=7)]
    expected = [run(layer, data) for data in batches]
    opened = [forward(layer, data) for data in batches]
    closed = []
    for data, (y, cache) in zip(batches, opened, strict=True):
        final = final_state(cache)
        gradients = backward(layer, data, cache)
        closed.append({"y": y} | named("final", final) | gradients)
    for found, whole in zip(closed, expected, strict=True):
        assert_same_bits(found, {name: whole[name] for name in found}, "three calls at once")


def check_inputs_are_kept(make: Make) -> None:
    """No call writes to its arguments or to the parameters."""
    layer = make("float64")
    data = Data.draw(layer)
    arrays = [data.x, data.lengths, *data.state, data.dy, *data.dstate, *layer.params.values()]
    before = bytes_of(arrays)
    version = layer.params.version
    run(layer, data)
    infer(layer, data)
    assert bytes_of(arrays) == before, "a call wrote to its arguments or to the parameters"
    assert layer.params.version == version, "a call set parameters"


def check_release_memory(make: Make) -> None:
    """After `release_memory` the next call gives the same bits."""
    layer = make("float32")
    data = Data.draw(layer)
    expected = run(layer, data)
    layer.release_memory()
    assert_same_bits(run(layer, data), expected, "after release_memory")


def check_random_state(make: Make) -> None:
    """`random_state` says where random numbers stand: restored, a call in training repeats; otherwise it does not.

    Usual cause: a generator of the layer's own; make a `seqkit.counter.Counter` in `_build`.
    """
    layer = make("float32")
    start = layer.random_state()
    needs(start, "it draws no random numbers")
    assert json.loads(json.dumps(start)) == start, f"random_state {start} is not what JSON can hold"
    data = Data.draw(layer)
    calls = [layer.forward(data.x, data.lengths, data.state or None)[0].copy() for _ in range(2)]
    assert (calls[0] != calls[1]).any(), "two calls in training drew the same random numbers"
    assert layer.random_state() != start, "random_state does not move"
    layer.restore_random_state(start)
    again = layer.forward(data.x, data.lengths, data.state or None)[0]
    assert_same_bits({"y": again}, {"y": calls[0]}, "after restore_random_state")
    before = layer.random_state()
    found = [layer.forward(data.x, data.lengths, data.state or None, training=False)[0] for _ in range(2)]
    assert_same_bits({"y": found[0]}, {"y": found[1]}, "two calls outside of training")
    assert layer.random_state() == before, "a call outside of training draws random numbers"


def check_rows_draw_their_own_numbers(make: Make) -> None:
    """What is dropped of a sequence does not depend on the size of its batch."""
    layer = make("float32")
    needs(layer.random_state(), "it draws no random numbers")
    data = Data.draw(layer, [4, 2, 4, 3])
    needs_rows(layer)
    start = layer.random_state()
    whole, _ = layer.forward(data.x, data.lengths, data.state or None)
    layer.restore_random_state(start)
    for rows in ([0], [1, 2], [3]):
        part = data.rows(rows)
        y, _ = layer.forward(part.x, part.lengths, part.state or None)
        expected = whole[rows, : y.shape[1]] if y.ndim == 3 else whole[rows]
        assert_same_bits({"y": y}, {"y": expected}, f"sequences {rows} in a batch of their own")


def needs_rows(layer: object) -> None:
    """Dropped weights are the same for all rows of a call."""
    needs(not getattr(layer, "weight_dropout", 0.0), "its dropped weights are those of a call, not of a row")
