"""Checks of time: states that are carried, streams, and what the future must not reach.

Legend: B batch, T time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from seqkit.layer import final_state
from seqkit.testing.data import (
    Data,
    Make,
    assert_same_bits,
    backward,
    bytes_of,
    forward,
    infer,
    named,
    part_of,
    run,
)
from seqkit.testing.kinds import (
    needs,
    needs_no_chance,
    needs_option,
    needs_sequences,
    needs_states,
    needs_steps,
)

DTYPES = ("float32", "float64")


def check_split_in_time(make: Make) -> None:
    """Two parts with carried state are the whole, forward and backward.

    Usual causes: a state that is ignored or rounded, a final state that is not that of the last step.
    """
    for dtype in DTYPES:
        layer = make(dtype)
        needs_steps(layer)
        needs_sequences(layer)
        needs_no_chance(layer)
        data = Data.draw(layer)
        whole = run(layer, data)
        for cut in (1, 3, 5):
            found = _in_two_calls(layer, data, cut)
            expected = {name: whole[name] + 0 for name in found}  # the padding may hold -0
            assert_same_bits({name: array + 0 for name, array in found.items()}, expected, f"cut after step {cut}")


def _in_two_calls(layer: Any, data: Data, cut: int) -> dict[str, np.ndarray]:
    """What a layer gives for the first steps, and from there on for the others."""
    first, second = _halves(layer, data, cut)
    y1, cache1 = forward(layer, first)
    second = replace(second, state=final_state(cache1))
    y2, cache2 = forward(layer, second)
    final = final_state(cache2)
    late = backward(layer, second, cache2)
    middle = tuple(part_of(late, "dinitial").values())
    early = backward(layer, replace(first, dstate=middle), cache1)
    found = {"y": _join(y1, first.lengths, y2, second.lengths)} | named("final", final) | part_of(early, "dinitial")
    if "dx" in early:
        parts = [(early["dx"], first.lengths), (late["dx"], second.lengths)]
        (a, n), (b, m) = parts[::-1] if layer.reads_backwards else parts
        found["dx"] = _join(a, n, b, m)
    return found


def _halves(layer: Any, data: Data, cut: int) -> tuple[Data, Data]:
    """The two parts in the order of reading: a backward layer reads the end first."""
    early, late = np.minimum(data.lengths, cut), np.maximum(data.lengths - cut, 0)
    if not layer.reads_backwards:
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


def check_initial_state(make: Make) -> None:
    """The initial state has an effect, and none given is one of zeros (or the learned one).

    Usual cause: a state that is ignored.
    """
    layer = make("float64")
    needs_states(layer)
    data = Data.draw(layer, [3, 1, 4])
    given = infer(layer, data)
    none = infer(layer, replace(data, state=()))
    zeros = infer(layer, replace(data, state=tuple(np.zeros_like(state) for state in data.state)))
    assert any((given[name] != zeros[name]).any() for name in given), "the initial state has no effect"
    if getattr(layer, "initial_state", "zeros") == "zeros":
        assert_same_bits(none, zeros, "no state, and a state of zeros")


def check_causality(make: Make) -> None:
    """A later input does not change an earlier output, and an earlier output gives a later input no gradient.

    Usual cause: a sum or mean over all of the time axis.  A layer that needs the whole sequence says so:
    its `step` raises ConfigError.
    """
    layer = make("float64")
    needs_steps(layer)
    needs_sequences(layer)
    data, other = (Data.draw(layer, [6, 6, 6], seed=seed) for seed in (1, 2))
    for k in (1, 3, 5):
        read = np.arange(6) >= 6 - k if layer.reads_backwards else np.arange(6) < k
        x, dy = other.x.copy(), data.dy.copy()
        x[:, read] = data.x[:, read]
        dy[:, k:] = 0
        y = forward(layer, replace(data, x=x))[0]
        assert_same_bits({"y": y[:, :k]}, {"y": forward(layer, data)[0][:, :k]}, f"another input after step {k}")
        past = replace(data, dy=dy, dstate=())
        dx = backward(layer, past, forward(layer, past)[1]).get("dx")
        assert dx is None or not dx[:, ~read].any(), f"the first {k} outputs give later inputs a gradient"


def check_steps(make: Make) -> None:
    """T calls of `step` are one call, and `step` writes to none of its arguments.

    Usual causes: a state that `step` forgets, another formula in `step` than in `forward`.
    """
    for dtype in DTYPES:
        layer = make(dtype)
        needs_steps(layer)
        for batch in (1, 4):
            data = Data.draw(layer, [6] * batch)
            before = bytes_of((data.x, *data.state))
            found, expected = _step_by_step(layer, data), infer(layer, data)
            if not layer.returns_sequences:
                expected["y"] = _prefixes(layer, data)
            assert_same_bits(found, expected, f"step by step, batch {batch}")
            assert bytes_of((data.x, *data.state)) == before, "step wrote to its arguments"


def _step_by_step(layer: Any, data: Data) -> dict[str, np.ndarray]:
    state, outputs = data.state or None, []
    for x_t in np.moveaxis(data.x[:, ::-1] if layer.reads_backwards else data.x, 1, 0):
        y_t, state = layer.step(x_t, state)
        outputs.append(y_t.copy())
    return {"y": np.stack(outputs, axis=1)} | named("final", state or ())


def _prefixes(layer: Any, data: Data) -> np.ndarray:
    """The output of a layer of one vector if the sequences ended after each step."""
    time = data.x.shape[1]
    order = layer.reads_backwards
    cuts = [data.x[:, time - t :] if order else data.x[:, :t] for t in range(1, time + 1)]
    return np.stack([layer.forward(x, None, data.state or None, training=False)[0] for x in cuts], axis=1)


def check_streams(make: Make) -> None:
    """Streams fed in random company, now and then saved and restored, give what one call gives."""
    rng = np.random.default_rng(4)
    for dtype in DTYPES:
        layer = make(dtype)
        needs_steps(layer)
        needs_sequences(layer)
        data = replace(Data.draw(layer, rng.integers(1, 9, 11)), state=())
        y, cache = forward(layer, data, training=False)
        streams = layer.streams(12)
        ids = np.array([streams.open() for _ in data.lengths])
        for rows, t in random_ticks(data.lengths, rng):
            when = data.lengths[rows] - 1 - t if layer.reads_backwards else t
            assert_same_bits({"y": streams.feed(ids[rows], data.x[rows, when])}, {"y": y[rows, t]}, "streams")
            moved = rng.choice(rows)
            saved = streams.save(ids[moved])
            streams.close(ids[moved])
            ids[moved] = streams.restore(saved)
        for row, stream in enumerate(ids):
            final = named("final", streams.save(stream).values())
            assert_same_bits(final, named("final", (s[row] for s in final_state(cache))), "saved streams")


def random_ticks(lengths: np.ndarray, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Random sequences and their next steps, until all have come to their end."""
    done = np.zeros_like(lengths)
    while (left := np.flatnonzero(done < lengths)).size:
        rows = rng.permutation(left)[: rng.integers(1, len(left) + 1)]
        yield rows, done[rows]
        done[rows] += 1


def check_stateful(make: Make) -> None:
    """With stateful=True a call starts where the one before ended, until `reset_states`."""
    plain = make("float32")
    needs_option(plain, "stateful")
    layer, data = make("float32", stateful=True), Data.draw(plain, [3, 3])
    needs(data.state, "its caches have no `state`: what it carries cannot be compared")
    start = replace(data, state=())
    first = infer(plain, start)
    second = infer(plain, replace(data, state=tuple(part_of(first, "final").values())))
    for expected, which in ((first, "first"), (second, "second")):
        assert_same_bits(infer(layer, start), expected, f"{which} call of a stateful layer")
    layer.reset_states()
    assert_same_bits(infer(layer, start), first, "a stateful layer after reset_states")
