"""Checks of rows: a sequence gives the same bits whatever lies beside, behind or around it.

Legend: B batch, T time.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from seqkit.layer import final_state
from seqkit.testing.checks.gradients import assert_exact
from seqkit.testing.data import Data, Make, assert_close, assert_same_bits, forward, part_of, run
from seqkit.testing.kinds import accepts, blank, needs, needs_no_chance, needs_numbers, vectors_only

DTYPES = ("float32", "float64")
OF_ROWS = ("y", "final", "dx", "dinitial")  # results that belong to one sequence


def rows_of(results: dict[str, np.ndarray], data: Data, rows: np.ndarray, time: int) -> dict[str, np.ndarray]:
    """What belongs to some sequences, cut to `time` steps."""
    found = {}
    for name, array in part_of(results, *OF_ROWS).items():
        timed = name == "dx" or (name == "y" and data.dy.ndim == 3)
        found[name] = array[rows][:, :time] if timed else array[rows]
    return found


def check_nan_in_padding(make: Make) -> None:
    """Padding full of NaN changes nothing, and outputs and gradients past the end are 0.

    Usual causes: a mask that is multiplied (NaN times 0 is NaN) instead of np.where, a sum over all steps,
    lengths that are ignored.
    """
    for dtype in DTYPES:
        layer = make(dtype)
        data = Data.draw(layer)
        clean = run(layer, data)
        assert_same_bits(run(layer, data.padded(0, np.nan)), clean, "NaN in the padding")
        for name in ("y", "dx"):
            if name in clean and clean[name].ndim == 3:
                assert not clean[name][~data.inside].any(), f"{name} is not 0 past the end"


def check_more_padding(make: Make) -> None:
    """More padding changes nothing."""
    for dtype in DTYPES:
        layer = make(dtype)
        data = Data.draw(layer)
        time = data.x.shape[1]
        longer = run(layer, data.padded(7, np.nan))
        cut = {name: array[:, :time] if name in ("y", "dx") else array for name, array in longer.items()}
        if not layer.returns_sequences:
            cut["y"] = longer["y"]
        assert_same_bits(cut, run(layer, data), "more padding")


def check_lengths(make: Make) -> None:
    """A padded sequence gives what it gives cut to its length, without lengths.

    Usual cause: lengths that are ignored, or taken for positions.
    """
    layer = make("float64")
    needs_no_chance(layer)
    data = Data.draw(layer)
    whole = run(layer, data.padded(0, 1.0))
    for row, n in enumerate(data.lengths):
        if n:
            found = run(layer, replace(data.rows([row]), lengths=None))
            assert_same_bits(found, rows_of(whole, data, np.array([row]), n), f"sequence of length {n}")


def check_batch(make: Make) -> None:
    """A sequence gives the same bits alone, in company of 3, 17 or 64, and in any order.

    Usual causes: a mean over the batch; NumPy's `@`, `dot` and `einsum`, whose last bits depend on the
    number of rows.
    """
    rng = np.random.default_rng(3)
    for dtype in DTYPES:
        layer = make(dtype)
        needs_no_chance(layer)
        data = Data.draw(layer, [0, 9, 1, *rng.integers(0, 10, 61)])
        whole = run(layer, data)
        for size in (1, 1, 1, 2, 3, 17, 64):
            rows = rng.permutation(64)[:size]
            part = data.rows(rows)
            expected = rows_of(whole, data, rows, part.x.shape[1])
            assert_same_bits(run(layer, part), expected, f"{size} of 64 sequences")


def check_list(make: Make) -> None:
    """A list of sequences gives what their padded array gives."""
    for dtype in DTYPES:
        layer = make(dtype)
        data = Data.draw(layer)
        y = layer(data.x, lengths=data.lengths)
        parts = layer([row[:n] for row, n in zip(data.x, data.lengths, strict=True)])
        assert len(parts) == len(y), f"{len(parts)} outputs for {len(y)} sequences"
        for row, (part, n) in enumerate(zip(parts, data.lengths, strict=True)):
            expected = y[row, :n] if layer.returns_sequences else y[row]
            assert_same_bits({"y": part}, {"y": expected}, f"list, sequence {row}")


def check_nan_in_one_sequence(make: Make) -> None:
    """NaN in a sequence stays in it: others keep their bits, and so does the next call.

    Usual causes: a mean over the batch, memory that is reused and not cleared.
    """
    for dtype in DTYPES:
        layer = make(dtype)
        needs_numbers(layer)
        data = Data.draw(layer)
        clean = run(layer, data)
        x = data.x.copy()
        x[1, 2] = np.nan
        others = np.delete(np.arange(len(x)), 1)
        found = run(layer, replace(data, x=x))
        rows = rows_of(found, data, others, x.shape[1])
        assert_same_bits(rows, rows_of(clean, data, others, x.shape[1]), "a sequence beside one with NaN")
        assert_same_bits(run(layer, data), clean, "the call after one with NaN")


def check_length_zero(make: Make) -> None:
    """A sequence of no steps gives 0, leaves its state as it was, and adds nothing to gradients."""
    layer = make("float64")
    needs_no_chance(layer)
    data = Data.draw(layer, [4, 0, 2, 0])
    found, full = run(layer, data), np.array([0, 2])
    assert not found["y"][[1, 3]].any(), "y of a sequence of length 0 is not 0"
    assert not found.get("dx", np.zeros(4))[[1, 3]].any(), "dx of a sequence of length 0 is not 0"
    for n, (state, gradient) in enumerate(zip(data.state, data.dstate, strict=True)):
        assert (found[f"final {n}"][[1, 3]] == state[[1, 3]]).all(), f"state {n} changes without a step"
        assert (found[f"dinitial {n}"][[1, 3]] == gradient[[1, 3]]).all(), f"dstate {n} changes without a step"
    for name, grad in part_of(run(layer, data.rows(full)), "grad").items():
        assert_close(found[name], grad, 1e-14, f"{name} with sequences of length 0")


def check_length_one(make: Make) -> None:
    """Sequences of one step, with padding or without."""
    layer = make("float64")
    needs_no_chance(layer)
    data = Data.draw(layer, [1, 1, 1], time=4)
    whole = run(layer, data)
    cut = run(layer, replace(data.rows(np.arange(3)), lengths=None))
    assert_same_bits(cut, rows_of(whole, data, np.arange(3), 1), "one step without padding")


def check_empty_batch(make: Make) -> None:
    """A batch of no sequences gives arrays of no rows and adds nothing to gradients."""
    for dtype in DTYPES:
        layer = make(dtype)
        results = run(layer, Data.draw(layer, [], time=3))
        expected = (0, 3, layer.output_size) if layer.returns_sequences else (0, layer.output_size)
        assert results["y"].shape == expected, f"y of no sequences has shape {results['y'].shape}, not {expected}"
        assert all(len(array) == 0 for array in part_of(results, *OF_ROWS).values()), "rows of no sequences"
        assert not any(grad.any() for grad in part_of(results, "grad").values()), "gradients of no sequences are not 0"


def check_no_steps(make: Make) -> None:
    """Sequences on a time axis of length 0 give nothing and leave their state as it was."""
    layer = make("float64")
    data = Data.draw(layer, [0, 0])
    y, cache = forward(layer, data)
    expected = (2, 0, layer.output_size) if layer.returns_sequences else (2, layer.output_size)
    assert y.shape == expected, f"y of no steps has shape {y.shape}, not {expected}"
    assert not y.any(), "y of no steps is not 0"
    for n, (state, final) in enumerate(zip(data.state, final_state(cache), strict=True)):
        assert (state == final).all(), f"state {n} changes without a step"
    results = run(layer, data)
    assert results.get("dx", data.x).shape == data.x.shape, f"dx has shape {results['dx'].shape}, not {data.x.shape}"
    assert not any(grad.any() for grad in part_of(results, "grad").values()), "gradients of no steps are not 0"


def check_vectors(make: Make) -> None:
    """A layer that takes vectors has exact gradients of them, the same bits for each in any batch, and does what
    it does with sequences of one step, where it takes those."""
    layer = make("float64")
    needs_numbers(layer)
    needs(accepts(layer, blank(layer, 4, 1)[:, 0]), "it takes sequences, not vectors")
    data = Data.vectors(layer, 4)
    assert_exact(layer, data)
    needs_no_chance(layer)
    whole = run(layer, data)
    for row in range(4):
        one = replace(data, x=data.x[[row]], dy=data.dy[[row]])
        expected = {name: array[[row]] for name, array in part_of(whole, "y", "dx").items()}
        assert_same_bits(run(layer, one), expected, "a vector alone")
    if not vectors_only(layer):
        steps = run(
            layer, replace(data, x=data.x[:, None], dy=data.dy[:, None] if layer.returns_sequences else data.dy)
        )
        found = {name: array.reshape(array.shape[0], -1) for name, array in part_of(steps, "y", "dx").items()}
        assert_same_bits(found, part_of(whole, "y", "dx"), "sequences of one step")
