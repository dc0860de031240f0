"""Sequences as arrays: what is taken, what is refused, padding, and rows as the engine sees them."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest

from seqkit.errors import DTypeError, SeqkitError, ShapeError
from seqkit.rows import Rows, last_place
from seqkit.sequences import (
    as_gradient,
    as_lengths,
    as_numbers,
    as_sequences,
    as_state,
    as_vectors,
    is_ragged,
    pad,
    unpad,
    valid_steps,
)

F4, F8 = np.dtype("float32"), np.dtype("float64")


def misaligned(array: np.ndarray) -> np.ndarray:
    """The same numbers one byte off."""
    shifted = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    shifted[...] = array
    assert not shifted.flags.aligned
    return shifted


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        ([np.ones((2, 1)), np.ones((3, 1))], True),
        ((np.ones((2, 1)),), True),
        ([[[1.0], [2.0]]], True),
        (np.array([np.ones((2, 1)), np.ones((3, 1))], dtype=object), True),
        (np.ones((2, 3, 1)), False),
        ([[1.0, 2.0]], False),
        ([np.ones((2, 3, 1))], False),
        ([np.ones((2, 1)), np.ones(3)], False),
        ([], False),
        ("text", False),
        (1.0, False),
    ],
)
def test_what_is_a_list_of_sequences(x: Any, expected: bool) -> None:
    assert is_ragged(x) is expected


def test_what_is_a_list_of_ids() -> None:
    assert is_ragged([[1, 2], [3]], ndim=1)
    assert not is_ragged([[[1], [2]]], ndim=1)
    assert not is_ragged([1, 2], ndim=1)


@pytest.mark.parametrize("dtype", ["float16", "float64", ">f4", "int8", "uint64", "bool", "longdouble"])
def test_numbers_are_converted(dtype: str) -> None:
    x = np.array([[0, 1, 1], [1, 0, 0]]).astype(dtype)
    found = as_numbers(x, F4, "demo")
    assert found.dtype == F4
    assert found.dtype.isnative
    assert found.tolist() == [[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]]


def test_numbers_are_not_copied_without_need() -> None:
    x = np.ones((2, 3), "f4")
    assert as_numbers(x, F4, "demo") is x
    assert as_numbers(misaligned(x), F4, "demo").flags.aligned
    assert as_numbers(misaligned(x), F8, "demo").flags.aligned


@pytest.mark.parametrize(
    "x", [np.ones(2, complex), np.array(["1"]), np.array([None]), np.array(["2000"], "M8[Y]"), {"a": 1}]
)
def test_what_is_not_a_number(x: Any) -> None:
    with pytest.raises(DTypeError, match="demo: dy must hold real numbers, got dtype"):
        as_numbers(x, F4, "demo", "dy")


def test_what_is_not_an_array() -> None:
    with pytest.raises(ShapeError, match="demo: x is not a rectangular array"):
        as_numbers([[1.0], [1.0, 2.0]], F4, "demo")


def test_sequences_keep_their_memory_where_features_are_contiguous() -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    time_major = np.ascontiguousarray(x.swapaxes(0, 1)).swapaxes(0, 1)
    for kept in (x, time_major, x[:, ::-1], x[::-1], x[:, :, 1:3], np.broadcast_to(x[:1], (5, 3, 4))):
        assert as_sequences(kept, F8, "demo") is kept
    for moved in (x[:, :, ::-1], x[:, :, ::2], np.asfortranarray(x), misaligned(x)):
        found = as_sequences(moved, F8, "demo")
        assert found.strides[2] == 8
        assert found.flags.aligned
        assert found.tolist() == moved.tolist()


@pytest.mark.parametrize("shape", [(3,), (2, 3), (1, 2, 3, 4)])
def test_sequences_have_three_axes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"demo: x has shape .*, expected \(batch, time, features\)"):
        as_sequences(np.ones(shape), F4, "demo")
    with pytest.raises(ShapeError, match=r"demo: x has 4 features but input_size is 3; x.shape is \(1, 2, 4\)"):
        as_sequences(np.ones((1, 2, 4)), F4, "demo", 3)


@pytest.mark.parametrize("lengths", [[2, 0, 3], (2, 0, 3), np.array([2, 0, 3], "u1"), np.array([2, 0, 3], ">i8")])
def test_lengths(lengths: Any) -> None:
    found = as_lengths(lengths, 3, 4, "demo")
    assert found is not None
    assert found.dtype == np.int64
    assert found.dtype.isnative
    assert found.tolist() == [2, 0, 3]


def test_full_and_missing_lengths() -> None:
    assert as_lengths(None, 3, 4, "demo") is None
    assert as_lengths([4, 4, 4], 3, 4, "demo") is None
    assert as_lengths([0, 0], 2, 0, "demo") is None
    assert np.asarray(as_lengths([], 0, 4, "demo")).size == 0


@pytest.mark.parametrize(
    ("lengths", "error", "message"),
    [
        ([1, 2], ShapeError, r"demo: lengths has shape \(2,\), expected \(3,\), one per sequence"),
        ([[1, 2, 3]], ShapeError, r"shape \(1, 3\)"),
        (3, ShapeError, r"shape \(\)"),
        ([1, 5, 9], ShapeError, r"demo: lengths\[1\] is 5, expected 0 to 4"),
        ([1, 2, -1], ShapeError, r"lengths\[2\] is -1"),
        (np.array([1, 2, 2**64 - 1], "u8"), ShapeError, r"lengths\[2\] is"),
        ([1.0, 2.0, 3.0], DTypeError, "demo: lengths must be integers, got dtype float64"),
        ([True, True, False], DTypeError, "got dtype bool"),
    ],
)
def test_wrong_lengths(lengths: Any, error: type[SeqkitError], message: str) -> None:
    with pytest.raises(error, match=message):
        as_lengths(lengths, 3, 4, "demo")


def test_padding_and_back() -> None:
    rows = [np.array([[1, 2], [3, 4], [5, 6]]), np.zeros((0, 2)), np.array([[7.5, 8.0]])]
    padded, lengths = pad(rows, "demo")
    assert padded.dtype == np.float64
    assert padded.tolist() == [[[1, 2], [3, 4], [5, 6]], [[0, 0]] * 3, [[7.5, 8.0], [0, 0], [0, 0]]]
    assert lengths.tolist() == [3, 0, 1]
    for row, back in zip(rows, unpad(padded, lengths), strict=True):
        assert back.tolist() == row.tolist()
        assert np.shares_memory(back, padded) or not back.size
    assert [row.tolist() for row in unpad(padded, None)] == padded.tolist()
    ids, lengths = pad([[1, 2], [3]], "demo")
    assert ids.tolist() == [[1, 2], [3, 0]]
    assert ids.dtype.kind == "i"


@pytest.mark.parametrize("rows", [[np.ones((2, 3)), np.ones((2, 4))], [np.ones((2, 3)), np.ones(2)], [1.0, 2.0]])
def test_sequences_of_a_list_are_alike(rows: Any) -> None:
    with pytest.raises(
        ShapeError, match=r"demo: a list must hold \(time_i, features\) arrays with equal features, got"
    ):
        pad(rows, "demo")


def test_valid_steps() -> None:
    assert valid_steps(None, 2, 3) is None
    found = valid_steps(np.array([2, 0, 3]), 3, 3)
    assert found is not None
    assert found.tolist() == [[True, True, False], [False] * 3, [True] * 3]


def test_states_vectors_and_gradients() -> None:
    h = np.arange(6.0).reshape(2, 3)
    state = as_state([h, np.asfortranarray(h)], ("h", "c"), (2, 3), F4, "demo")
    assert state is not None
    assert all(array.flags.c_contiguous and array.dtype == F4 and array.tolist() == h.tolist() for array in state)
    assert as_state(None, ("h",), (2, 3), F4, "demo") is None
    assert as_vectors(h[:, ::-1], F8, "demo", 3).tolist() == h[:, ::-1].tolist()
    assert as_vectors(h[:, ::-1], F8, "demo", 3).flags.c_contiguous
    dy = np.ones((2, 4, 3))[:, ::-1]
    assert as_gradient(dy, (2, 4, 3), F8, "demo") is dy
    assert as_gradient(dy[..., ::-1], (2, 4, 3), F8, "demo").flags.c_contiguous
    assert as_gradient(misaligned(h), (2, 3), F8, "demo").flags.aligned
    with pytest.raises(ShapeError, match=r"demo: dy has shape \(2, 3\), expected \(2, 4\), that of the output"):
        as_gradient(h, (2, 4), F8, "demo")
    with pytest.raises(ShapeError, match=r"demo: state 'c' has shape \(1, 3\), expected \(2, 3\)"):
        as_state((h, h[:1]), ("h", "c"), (2, 3), F8, "demo")
    with pytest.raises(ShapeError, match=r"demo: state must be a tuple \(h, c,?\) of arrays .*, got ndarray"):
        as_state(h, ("h", "c"), (2, 3), F8, "demo")
    with pytest.raises(ShapeError, match="got 1 arrays"):
        as_state((h,), ("h", "c"), (2, 3), F8, "demo")


# ---- rows ----------------------------------------------------------------------------------------


def read(rows: Rows) -> list[list[list[float]]]:
    """Every sequence, read by address as the engine does."""
    array, starts, step = rows.place
    first, size = array.__array_interface__["data"][0], array.shape[-1] * array.itemsize

    def row(address: int) -> list[float]:
        return np.frombuffer(ctypes.string_at(address, size), array.dtype).tolist()

    return [
        [row(first + int(start) + t * step) for t in range(n)] for start, n in zip(starts, rows.lengths, strict=True)
    ]


def test_rows_of_arrays_lie_where_they_are() -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    time_major = np.ascontiguousarray(x.swapaxes(0, 1)).swapaxes(0, 1)
    for array in (x, time_major, x[::-1, ::-1], x[:, :, 1:3], x[:, ::2], np.broadcast_to(x[:1], (3, 3, 4))):
        for lengths in (None, [array.shape[1]] + [1] * (len(array) - 1)):
            rows = Rows.of_array(array, lengths, F8, "demo", array.shape[2])
            assert rows.array is array
            assert read(rows) == [row[:n].tolist() for row, n in zip(array, rows.lengths, strict=True)]
            assert rows.full == (lengths is None)
    assert read(Rows.of_array(x, None, F8, "demo", 4).columns(1, 3)) == x[:, :, 1:3].tolist()


def test_rows_of_lists_lie_one_after_the_other() -> None:
    parts = [np.arange(6.0).reshape(3, 2), np.zeros((0, 2)), np.array([[8, 9]])]
    rows = Rows.of_list(parts, F8, "demo", 2)
    assert rows.array.shape == (4, 2)
    assert read(rows) == [part.tolist() for part in parts]
    assert [part.tolist() for part in rows.split()] == [part.tolist() for part in parts]
    assert rows.time == 3
    new = rows.new(5)
    assert new.array.shape == (4, 5)
    assert [part.shape for part in new.split()] == [(3, 5), (0, 5), (1, 5)]


def test_new_rows_are_0_where_no_step_is() -> None:
    rows = Rows.of_array(np.ones((2, 3, 4)), [1, 3], F8, "demo", 4)
    assert not rows.new(2).array[0, 1:].any()


def test_places_of_single_outputs() -> None:
    array, starts, step = last_place(np.zeros((3, 8))[:, 2:4])
    assert array.shape == (3, 2)
    assert starts.tolist() == [0, 64, 128]
    assert step == 0
