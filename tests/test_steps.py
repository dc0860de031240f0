"""One step at a time: memory is used again, and nobody can tell except by the clock."""

from __future__ import annotations

import copy
import pickle
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from checks.subjects import registered

import seqkit
from seqkit.errors import NotBuiltError, ShapeError

RNG = np.random.default_rng(0)


def place(array: np.ndarray) -> int:
    """Address of the first number."""
    return int(array.__array_interface__["data"][0])


def lstm(units: int = 6, features: int = 3, dtype: str = "float32") -> seqkit.Recurrent:
    return seqkit.LSTM(units, return_sequences=True).build(features, seed=0, dtype=dtype)


def stack() -> seqkit.Sequential:
    layers = [seqkit.GRU(40, return_sequences=True), seqkit.LSTM(30, return_sequences=True), seqkit.Dense(2)]
    return seqkit.Sequential(layers, seed=0).build(3)


# ---- memory --------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [lambda: lstm(500), stack])
def test_no_memory_is_allocated_after_the_first_steps(make: Callable[[], Any]) -> None:
    """Not even for a moment: the peak stays below one array of results."""
    layer, state = make(), None
    x = np.ones((4, 3), "f4")
    for _ in range(3):
        _, state = layer.step(x, state)
    tracemalloc.start()
    try:
        layer.step(x, state)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(1000):
            y, state = layer.step(x, state)
        now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert y.shape[0] == 4
    assert now - before < 500
    assert peak - before < min(2000, 4 * 30 * 4 * 4)


def test_two_results_take_turns() -> None:
    layer, state, seen = lstm(), None, set()
    for _ in range(50):
        y, state = layer.step(np.ones((1, 3), "f4"), state)
        seen.add((place(y), *map(place, state)))
    assert len(seen) == 2
    assert len({address for result in seen for address in result}) == 6


def arrays_in(held: Any) -> list[np.ndarray]:
    """All arrays of a result, or of a part of one."""
    return [array for part in held for array in arrays_in(part)] if isinstance(held, tuple) else [np.asarray(held)]


PARTS: dict[str, Callable[[Any], Any]] = {
    "the result": lambda result: result,
    "y": lambda result: result[0],
    "the state": lambda result: result[1],
    "h": lambda result: result[1][0],
    "c": lambda result: result[1][1],
    "a row of y": lambda result: result[0][1:],
    "c transposed": lambda result: result[1][1].T,
    "memory of h": lambda result: memoryview(result[1][0]),
}


@pytest.mark.parametrize("part", PARTS)
def test_what_is_held_does_not_change(part: str) -> None:
    """Any part of a result keeps its numbers while the rest is forgotten."""
    layer = lstm()
    x = RNG.standard_normal((20, 2, 3), dtype=np.float32)
    held, copies = [], []
    for x_t in x:
        held.append(PARTS[part](layer.step(x_t)))
        copies.append([array.copy() for array in arrays_in(held[-1])])
    for kept, copied in zip(held, copies, strict=True):
        for array, expected in zip(arrays_in(kept), copied, strict=True):
            np.testing.assert_array_equal(array, expected)


def test_a_result_belongs_to_the_caller() -> None:
    """Writing to y, or to a state, changes nothing but that array."""
    layer = lstm()
    x = RNG.standard_normal((2, 1, 3), dtype=np.float32)
    y, state = layer.step(x[0])
    expected, _ = layer.step(x[1], state)
    y[:] = np.nan
    np.testing.assert_array_equal(layer.step(x[1], state)[0], expected)
    state[1][:] = np.nan
    assert not np.isnan(state[0]).any()


def test_steps_branch() -> None:
    """A state can be gone on from twice."""
    layer = lstm()
    x = RNG.standard_normal((9, 1, 3), dtype=np.float32)
    _, state = layer.step(x[0])
    results = [[array.copy() for array in (y, *after)] for y, after in (layer.step(x[1], state) for _ in range(3))]
    for found in results[1:]:
        for array, expected in zip(found, results[0], strict=True):
            np.testing.assert_array_equal(array, expected)


def reshape(array: np.ndarray) -> None:
    array.shape = (array.size,)


def retype(array: np.ndarray) -> None:
    array.dtype = np.int32  # type: ignore[misc]


@pytest.mark.parametrize("part", range(3))
@pytest.mark.parametrize("spoil", [reshape, retype, lambda array: array.setflags(write=False)])
@pytest.mark.filterwarnings("ignore:Setting the (shape|dtype):DeprecationWarning")
def test_spoilt_results_are_not_used_again(spoil: Callable[[np.ndarray], None], part: int) -> None:
    layer, x = lstm(), np.ones((2, 3), "f4")
    expected = [array.copy() for array in (lambda y, s: (y, *s))(*layer.step(x))]
    for _ in range(4):
        y, state = layer.step(x)
        spoil((y, *state)[part])
        del y, state
    y, state = layer.step(x)
    for array, wanted in zip((y, *state), expected, strict=True):
        assert array.flags.writeable
        np.testing.assert_array_equal(array, wanted)


# ---- arguments -----------------------------------------------------------------------------------

X = RNG.standard_normal((4, 7, 3))
FORMS: dict[str, Callable[[np.ndarray], Any]] = {
    "a slice of time": lambda x: x[:, 2],
    "contiguous": lambda x: x[:, 2].copy(),
    "columns first": lambda x: np.asfortranarray(x[:, 2]),
    "reversed rows": lambda x: x[::-1, 2][::-1].copy()[::-1][::-1],
    "rows backwards": lambda x: x[::-1].copy()[::-1][:, 2],
    "reversed features": lambda x: x[:, 2, ::-1].copy()[:, ::-1],
    "every second feature": lambda x: np.repeat(x[:, 2], 2, axis=1)[:, ::2],
    "other float": lambda x: x[:, 2].astype("f4").astype("f8"),
    "big-endian": lambda x: x[:, 2].astype(">f4"),
    "unaligned": lambda x: np.frombuffer(b"-" + x[:, 2].tobytes(), x.dtype, offset=1).reshape(4, 3),
    "list": lambda x: x[:, 2].tolist(),
    "read-only": lambda x: np.broadcast_to(x[:, 2], (4, 3)),
    "subclass": lambda x: np.ma.masked_array(x[:, 2]),
}


@pytest.mark.parametrize("form", FORMS)
def test_any_form_of_x(form: str) -> None:
    layer = lstm()
    x = X.astype("f4")
    expected, state = layer.step(x[:, 2].copy())
    for _ in range(2):
        np.testing.assert_array_equal(layer.step(FORMS[form](x))[0], expected)
    second, _ = layer.step(x[:, 2].copy(), state)
    for given in (list(state), tuple(map(np.asfortranarray, state)), tuple(a.astype("f8") for a in state)):
        np.testing.assert_array_equal(layer.step(FORMS[form](x), given)[0], second)


def test_the_same_row_again_and_again() -> None:
    """A row of stride 0."""
    layer, row = lstm(), X[0, 0].astype("f4")
    expected = layer.step(np.tile(row, (5, 1)))[0]
    np.testing.assert_array_equal(layer.step(np.broadcast_to(row, (5, 3)))[0], expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_batches_of_changing_size(dtype: str) -> None:
    """What is bound for one size serves every other."""
    layer = lstm(17, 3, dtype)
    x = RNG.standard_normal((300, 2, 3)).astype(dtype)
    y = layer(x)
    for size in (1, 8, 1, 300, 2, 97, 96, 1, 0, 200):
        first, state = layer.step(x[:size, 0])
        second, _ = layer.step(x[:size, 1], state)
        np.testing.assert_array_equal(np.stack([first, second], axis=1), y[:size])


def test_new_weights_count_at_once() -> None:
    layer, x = lstm(), np.ones((1, 3), "f4")
    layer.step(x)
    layer.params["bias"] = layer.params["bias"] + 1
    np.testing.assert_array_equal(layer.step(x)[0], layer(x[:, None])[:, 0])
    dense = seqkit.Dense(2).build(3, seed=0)
    dense.step(x)
    with dense.params.editing() as arrays:
        arrays["weight"] *= 2
    np.testing.assert_array_equal(dense.step(x)[0], dense(x))


@pytest.mark.parametrize(
    ("make", "duplicate"),
    [
        (lstm, copy.deepcopy),
        (lstm, lambda layer: pickle.loads(pickle.dumps(layer))),
        (stack, copy.deepcopy),
        (lambda: seqkit.Dense(4).build(3, seed=0), copy.deepcopy),
    ],
)
def test_copies_step_by_themselves(make: Callable[[], Any], duplicate: Callable[[Any], Any]) -> None:
    layer, x = make(), np.ones((1, 3), "f4")
    expected = layer.step(x)[0].copy()
    twin = duplicate(layer)
    twin.params[next(iter(twin.params))] = 0 * twin.params[next(iter(twin.params))]
    assert (twin.step(x)[0] != expected).any()
    np.testing.assert_array_equal(layer.step(x)[0], expected)


# ---- dense layers and stacks ---------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("features", "units"), [(1, 1), (64, 1), (5, 70), (33, 200), (700, 300)])
def test_dense(features: int, units: int, bias: bool, dtype: str) -> None:
    """Every number of rows has the bits of a call, and takes subnormal numbers as it does."""
    layer = seqkit.Dense(units, use_bias=bias).build(features, seed=0, dtype=dtype)
    x = RNG.standard_normal((50, 1, features)).astype(dtype)
    if bias:
        layer.params["bias"] = RNG.standard_normal(units)
    y = layer(x)[:, 0]
    for rows in (1, 2, 7, 50, 0):
        np.testing.assert_array_equal(layer.step(x[:rows, 0])[0], y[:rows])
    if bias:
        layer.params["bias"] = np.full(units, np.finfo(dtype).tiny / 4)
        for y in (layer.step(0 * x[:1, 0])[0], layer(0 * x[:1, 0])):
            assert not y.any()  # a call takes subnormal numbers for 0
    with pytest.raises(ShapeError, match="dense: x_t has shape"):
        layer.step(np.zeros((1, features + 1)))


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "tanh", "softmax"])
def test_dense_activations(activation: str) -> None:
    layer = seqkit.Dense(9, activation).build(4, seed=0)
    x = RNG.standard_normal((3, 6, 4), dtype=np.float32)
    y = layer(x)
    for t in range(6):
        np.testing.assert_array_equal(layer.step(x[:, t])[0], y[:, t])


def test_stacks_name_what_is_wrong() -> None:
    model = stack()
    with pytest.raises(ShapeError, match="sequential: state has 2 parts, expected 3"):
        model.step(np.ones((1, 3)), ((), ()))
    with pytest.raises(NotBuiltError, match="sequential"):
        seqkit.Sequential([seqkit.LSTM(3)]).step(np.ones((1, 3)))
    with pytest.raises(NotBuiltError, match="sequential"):
        seqkit.Sequential().step(np.ones((1, 3)))


# ---- threads -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cell", registered())
def test_steps_of_one_row_on_a_team(cell: str, dtype: str) -> None:
    """Steps without a pause between them share the units of a layer."""
    layer = seqkit.create(cell, 420, return_sequences=True).build(230, seed=0, dtype=dtype)
    x = RNG.standard_normal((1, 60, 230)).astype(dtype)
    with seqkit.threads(1):
        y = layer(x)
    for threads in (2, 3, 5):
        with seqkit.threads(threads):
            state = None
            for t in range(60):
                y_t, state = layer.step(x[:, t], state)
                np.testing.assert_array_equal(y_t, y[:, t])


def test_long_steps_of_two_threads() -> None:
    """A step that lets the others go on is not disturbed by them."""
    layer = lstm(256, 64)
    x = RNG.standard_normal((4, 96, 6, 64), dtype=np.float32)
    y = layer(x.reshape(-1, 6, 64)).reshape(4, 96, 6, 256)

    def stream(n: int) -> bool:
        state, same = None, []
        for t in range(6):
            y_t, state = layer.step(x[n, :, t], state)
            same.append((y_t == y[n, :, t]).all())
        return all(same)

    with ThreadPoolExecutor(4) as executor:
        assert all(executor.map(stream, range(4)))
