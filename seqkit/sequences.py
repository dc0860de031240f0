"""Sequences as arrays: checks, lengths, padding.

Legend: B batch, T time, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqkit.arrays import as_array
from seqkit.errors import DTypeError, ShapeError


def is_ragged(x: Any, ndim: int = 2) -> bool:
    """Whether `x` is a list (tuple, object array) of ``(time_i, features)`` arrays.

    With `ndim` 1: of ``(time_i,)`` arrays, as for ids.
    """
    if isinstance(x, np.ndarray):
        return x.dtype == object
    return isinstance(x, (list, tuple)) and len(x) > 0 and all(np.ndim(row) == ndim for row in x)


def as_numbers(x: Any, dtype: np.dtype, owner: str, what: str = "x") -> np.ndarray:
    """`x` as an aligned array of `dtype`; integers, booleans and the other float are converted."""
    try:
        array = as_array(x, owner, what)
    except ValueError as error:
        raise ShapeError(f"{owner}: {what} is not a rectangular array ({error}).") from None
    if array.dtype.kind not in "fiub":
        raise DTypeError(f"{owner}: {what} must hold real numbers, got dtype {array.dtype}; convert it to {dtype}.")
    array = array.astype(dtype, copy=False)
    return array if array.flags.aligned else array.copy()


def as_sequences(x: Any, dtype: np.dtype, owner: str, features: int | None = None) -> np.ndarray:
    """`x` as a (B, T, F) array of `dtype` with contiguous features.

    Raises
    ------
    ShapeError
        If `x` has not three dimensions or not `features` features.
    DTypeError
        If `x` does not hold real numbers.
    """
    array = as_numbers(x, dtype, owner)
    if array.ndim != 3:
        raise ShapeError(f"{owner}: x has shape {array.shape}, expected (batch, time, features).")
    if features is not None and array.shape[2] != features:
        raise ShapeError(
            f"{owner}: x has {array.shape[2]} features but input_size is {features}; x.shape is {array.shape}, "
            f"expected (batch, time, {features})."
        )
    if array.shape[2] > 1 and array.strides[2] != array.itemsize:
        array = np.ascontiguousarray(array)
    return array


def as_vectors(x: Any, dtype: np.dtype, owner: str, features: int) -> np.ndarray:
    """`x` as a contiguous (B, F) array of `dtype`."""
    array = as_numbers(x, dtype, owner)
    if array.ndim != 2 or array.shape[1] != features:
        raise ShapeError(f"{owner}: x_t has shape {array.shape}, expected (batch, {features}).")
    return np.ascontiguousarray(array)


def as_lengths(lengths: Any, batch: int, time: int, owner: str) -> np.ndarray | None:
    """`lengths` as an int64 array (B,), or None where all are full.

    Raises
    ------
    ShapeError
        If there is not one length per sequence or one is outside 0 to `time`.
    """
    if lengths is None:
        return None
    array = as_array(lengths, owner, "lengths")
    if array.shape != (batch,):
        raise ShapeError(f"{owner}: lengths has shape {array.shape}, expected ({batch},), one per sequence.")
    if array.size and array.dtype.kind not in "iu":
        raise DTypeError(f"{owner}: lengths must be integers, got dtype {array.dtype}.")
    array = array.astype(np.int64)
    wrong = np.flatnonzero((array < 0) | (array > time))
    if wrong.size:
        raise ShapeError(
            f"{owner}: lengths[{wrong[0]}] is {array[wrong[0]]}, expected 0 to {time} (the time axis of x)."
        )
    return None if batch and array.min() == time else array


def as_state(
    state: Any, names: tuple[str, ...], shape: tuple[int, ...], dtype: np.dtype, owner: str
) -> tuple[np.ndarray, ...] | None:
    """`state` as a tuple of contiguous arrays, one for each of `names`; None stays None.

    `shape` is that of all arrays, (batch, size), or (batch, size of the first, size of the second, ...).
    """
    if state is None:
        return None
    batch, *sizes = shape
    shapes = [(batch, size) for size in (sizes * len(names) if len(sizes) == 1 else sizes)]
    if not isinstance(state, (tuple, list)) or len(state) != len(names):
        got = f"{len(state)} arrays" if isinstance(state, (tuple, list)) else type(state).__name__
        wanted = " and ".join(map(str, dict.fromkeys(shapes)))
        raise ShapeError(f"{owner}: state must be a tuple ({', '.join(names)},) of arrays {wanted}, got {got}.")
    arrays = tuple(np.ascontiguousarray(as_numbers(array, dtype, owner, "state")) for array in state)
    for name, array, shape in zip(names, arrays, shapes, strict=True):
        if array.shape != shape:
            raise ShapeError(f"{owner}: state {name!r} has shape {array.shape}, expected {shape}.")
    return arrays


def state_or_zeros(
    state: Any, names: tuple[str, ...], shape: tuple[int, ...], dtype: np.dtype, owner: str
) -> tuple[np.ndarray, ...]:
    """:func:`as_state`, and zeros for None."""
    batch, *sizes = shape
    given = as_state(state, names, shape, dtype, owner)
    return given or tuple(np.zeros((batch, size), dtype) for size in sizes)


def as_gradient(dy: Any, shape: tuple[int, ...], dtype: np.dtype, owner: str) -> np.ndarray:
    """`dy` as an array of `dtype`, shaped like the output, with contiguous features."""
    array = as_numbers(dy, dtype, owner, "dy")
    if array.shape != shape:
        raise ShapeError(f"{owner}: dy has shape {array.shape}, expected {shape}, that of the output.")
    contiguous = shape[-1] < 2 or array.strides[-1] == array.itemsize
    return array if contiguous else np.ascontiguousarray(array)


def as_list(rows: Sequence[Any], owner: str) -> tuple[list[np.ndarray], np.ndarray]:
    """A list of (time_i, F) or (time_i,) arrays and their lengths; an empty one is of the type of the others.

    Raises
    ------
    ShapeError
        If they have not all the same number of features.
    """
    arrays = [as_array(row, owner, "a sequence") for row in rows]
    if len({array.shape[1:] for array in arrays}) != 1 or any(array.ndim == 0 for array in arrays):
        shapes = sorted({str(array.shape) for array in arrays})
        raise ShapeError(
            f"{owner}: a list must hold (time_i, features) arrays with equal features, got {', '.join(shapes[:5])}."
        )
    kinds = {array.dtype for array in arrays if array.size}
    if kinds:  # [] is float64 to NumPy, and would make floats of ids
        arrays = [array if array.size else array.astype(np.result_type(*kinds)) for array in arrays]
    return arrays, np.array([len(array) for array in arrays], dtype=np.int64)


def pad(rows: Sequence[Any], owner: str) -> tuple[np.ndarray, np.ndarray]:
    """A list of (time_i, F) arrays as one (B, T, F) array, zero on the right, and lengths.

    (time_i,) arrays, as of ids, become (B, T).

    Examples
    --------
    >>> import numpy as np
    >>> x, lengths = pad([np.ones((2, 1)), np.ones((1, 1))], "demo")
    >>> x[:, :, 0].tolist(), lengths.tolist()
    ([[1.0, 1.0], [1.0, 0.0]], [2, 1])
    """
    arrays, lengths = as_list(rows, owner)
    padded = np.zeros((len(arrays), int(lengths.max()), *arrays[0].shape[1:]), dtype=np.result_type(*arrays))
    for target, array in zip(padded, arrays, strict=True):
        target[: len(array)] = array
    return padded, lengths


def unpad(y: np.ndarray, lengths: np.ndarray | None) -> list[np.ndarray]:
    """The valid part of every sequence, as views."""
    if lengths is None:
        return list(y)
    return [row[:length] for row, length in zip(y, lengths, strict=True)]


def valid_steps(lengths: np.ndarray | None, batch: int, time: int) -> np.ndarray | None:
    """Boolean (B, T): which steps are inside their sequence; None where all are."""
    if lengths is None:
        return None
    return np.arange(time) < lengths[:, None]
