"""Pools of streams: any subset at any time gives the bits of whole sequences."""

from __future__ import annotations

import io
import pickle
import signal
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from checks.subjects import registered

import seqkit
from seqkit.errors import ConfigError, DataError, DTypeError, NotBuiltError, ShapeError, StreamError
from seqkit.layer import Layer, State
from seqkit.testing.checks.steps import random_ticks


class Fading(Layer):
    """``h_t = h_{t-1} / 2 + x_t`` and a count of the steps; h_0 is a parameter: a state that does not start at 0."""

    name = "fading"

    def _build(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        return {"initial": rng.normal(size=self.input_size)}

    def forward(
        self, x: np.ndarray, lengths: Any = None, state: State | None = None, training: bool = True
    ) -> tuple[np.ndarray, Any]:
        y, state = np.empty(x.shape, self.dtype), None
        for t in range(x.shape[1]):
            y[:, t], state = self.step(x[:, t], state)
        return y, None

    def backward(self, *args: Any) -> Any:
        raise NotImplementedError

    def step(self, x_t: np.ndarray, state: State | None = None) -> tuple[np.ndarray, State]:
        h, count = (self.params["initial"], np.zeros(len(x_t), np.int64)) if state is None else state
        after = (h / 2 + x_t).astype(self.dtype)
        return after * (1 + count[:, None]).astype(self.dtype), (after, count + 1)


def models() -> dict[str, tuple[Any, Any]]:
    """Layers and models that return sequences, with a function that draws their input."""
    rng = np.random.default_rng(7)

    def numbers(batch: int, time: int) -> np.ndarray:
        return rng.standard_normal((batch, time, 5), dtype=np.float32)

    def tokens(batch: int, time: int) -> np.ndarray:
        return rng.integers(0, 9, (batch, time))

    def build(*layers: Layer, dtype: str = "float32") -> seqkit.Sequential:
        model = seqkit.Sequential(layers, seed=1, dtype=dtype)
        return model.build(1 if model.accepts_ids else 5)

    lstm, gru = seqkit.LSTM(19, return_sequences=True), seqkit.GRU(7, return_sequences=True)
    return {
        "lstm and gru": (build(lstm, gru), numbers),
        "dense": (build(seqkit.LSTM(8, return_sequences=True), seqkit.Dense(3)), numbers),
        "softmax": (build(seqkit.GRU(8, return_sequences=True), seqkit.Dense(4, "softmax"), dtype="float64"), numbers),
        "dropout": (build(seqkit.create("dropout", 0.5), seqkit.SimpleRNN(6, return_sequences=True)), numbers),
        "tokens": (build(seqkit.Embedding(9, 4), seqkit.LSTM(6, return_sequences=True), seqkit.Dense(2)), tokens),
        "own layer": (Fading().build(5, seed=3), numbers),
        "own layers": (build(Fading(), seqkit.GRU(6, return_sequences=True), Fading()), numbers),
        "without a state": (seqkit.Dense(4).build(5, seed=0), numbers),
    }


MODELS = models()


def assert_streams_are_sequences(model: Any, x: np.ndarray, lengths: np.ndarray, rng: np.random.Generator) -> None:
    """Random ticks of all sequences, at most half of them open from the start."""
    y = model.forward(x, None, training=False)[0]
    streams, ids = model.streams(len(x)), np.full(len(x), -1)
    for rows, t in random_ticks(lengths, rng):
        for row in rows[t == 0]:
            ids[row] = streams.open()
        np.testing.assert_array_equal(streams.feed(ids[rows], x[rows, t]), y[rows, t])
    assert len(streams) == len(x)


@pytest.mark.parametrize("name", MODELS)
def test_models(name: str) -> None:
    model, draw = MODELS[name]
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 12, 23)
    assert_streams_are_sequences(model, draw(23, 11), lengths, rng)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("cell", registered())
def test_many_streams_on_threads(cell: str, threads: int) -> None:
    """Several blocks of rows, on every thread."""
    rng = np.random.default_rng(1)
    layer = seqkit.create(cell, 120, return_sequences=True).build(70, seed=0)
    x = rng.standard_normal((700, 4, 70), dtype=np.float32)
    with seqkit.threads(threads):
        assert_streams_are_sequences(layer, x, rng.integers(1, 5, 700), rng)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "without a state"])
def test_saved_streams_go_on_elsewhere(name: str) -> None:
    """Through a pickle and through a file, in a pool of other size, in other company."""
    model, draw = MODELS[name]
    x = draw(3, 6)
    y = model.forward(x, None, training=False)[0]
    first, second = model.streams(3), model.streams(40)
    ids = [first.open() for _ in x]
    for t in range(3):
        first.feed(ids, x[:, t])
    file = io.BytesIO()
    np.savez(file, **first.save(ids[1]))
    file.seek(0)
    second.open()
    moved = [second.restore(pickle.loads(pickle.dumps(first.save(ids[0])))), second.restore(np.load(file))]
    for t in range(3, 6):
        np.testing.assert_array_equal(second.feed(moved, x[:2, t]), y[:2, t])
        np.testing.assert_array_equal(first.feed(ids, x[:, t]), y[:, t])


@pytest.mark.parametrize("name", MODELS)
def test_streams_begin_anew(name: str) -> None:
    """After reset, in the place of a closed stream, and saved before the first step."""
    model, draw = MODELS[name]
    x = draw(1, 2)
    y = model.forward(x, None, training=False)[0]
    streams = model.streams(1)
    stream = streams.open()
    new = streams.save(stream)
    streams.feed([stream], x[:, 1])
    streams.reset(stream)
    np.testing.assert_array_equal(streams.feed([stream], x[:, 0]), y[:, 0])
    np.testing.assert_array_equal(streams.feed([stream], x[:, 1]), y[:, 1])
    streams.close(stream)
    assert len(streams) == 0
    stream = streams.open()
    np.testing.assert_array_equal(streams.feed([stream], x[:, 0]), y[:, 0])
    streams.close(stream)
    stream = streams.restore(new)
    np.testing.assert_array_equal(streams.feed([stream], x[:, 0]), y[:, 0])


def test_saved_states_have_names_and_are_copies() -> None:
    layer = seqkit.LSTM(4).build(2, seed=0)
    streams = layer.streams(2)
    stream = streams.open()
    _, state = layer.step(np.ones((1, 2), "f4"))
    streams.feed([stream], np.ones((1, 2)))
    saved = streams.save(stream)
    assert list(saved) == ["h", "c"]
    for array, expected in zip(saved.values(), state, strict=True):
        np.testing.assert_array_equal(array, expected[0])
        array[:] = 7
    np.testing.assert_array_equal(streams.save(stream)["h"], state[0][0])
    streams = MODELS["lstm and gru"][0].streams(1)
    assert {name: array.shape for name, array in streams.save(streams.open()).items()} == {
        "0.h": (19,),
        "0.c": (19,),
        "1.h": (7,),
    }


def test_new_weights_count_from_the_next_tick() -> None:
    layer = seqkit.GRU(9).build(5, seed=0)
    streams, x = layer.streams(1), np.random.default_rng(0).standard_normal((2, 1, 5), dtype=np.float32)
    stream = streams.open()
    _, state = layer.step(x[0])
    streams.feed([stream], x[0])
    layer.params["weight_hh"] = layer.params["weight_hh"] * 2
    expected, _ = layer.step(x[1], state)
    np.testing.assert_array_equal(streams.feed([stream], x[1]), expected)


def test_outputs_are_new_arrays_in_the_order_of_ids() -> None:
    layer = seqkit.LSTM(4).build(2, seed=0)
    streams, x = layer.streams(3), np.random.default_rng(0).standard_normal((3, 2), dtype=np.float32)
    ids = [streams.open() for _ in range(3)]
    y = streams.feed([ids[2], ids[0]], x[[2, 0]])
    kept = y.copy()
    streams.feed([ids[2], ids[0]], x[[2, 0]])
    np.testing.assert_array_equal(y, kept)
    np.testing.assert_array_equal(y, layer.step(x[[2, 0]])[0])
    assert streams.feed([], np.zeros((0, 2))).shape == (0, 4)


# ---- errors --------------------------------------------------------------------------------------

X = np.ones((2, 5), "f4")
WRONG: dict[str, tuple[Any, type[Exception], str]] = {
    "too many": (lambda s: [s.open() for _ in range(9)], StreamError, "lstm: all 4 streams are open; close one"),
    "closed id": (lambda s: s.feed([0, 3], X), StreamError, "lstm: stream 3 is not open"),
    "id past the end": (lambda s: s.feed([0, 4], X), StreamError, "stream 4 is not open"),
    "negative id": (lambda s: s.feed([-1, 0], X), StreamError, "stream -1 is not open"),
    "twice": (lambda s: s.feed([1, 1], X), StreamError, "stream 1 comes twice in ids"),
    "ids of two dimensions": (lambda s: s.feed([[0, 1]], X), ShapeError, r"ids has shape \(1, 2\)"),
    "float ids": (lambda s: s.feed([0.0, 1.0], X), DTypeError, "ids must be integers, got dtype float64"),
    "rows of x": (lambda s: s.feed([0], X), ShapeError, r"x has shape \(2, 5\), expected 1 rows"),
    "a number": (lambda s: s.feed([0], 3.0), ShapeError, r"x has shape \(\), expected 1 rows"),
    "features of x": (
        lambda s: s.feed([0, 1], X[:, :4]),
        ShapeError,
        r"lstm: x_t has shape \(2, 4\), expected \(batch, 5\)",
    ),
    "text": (lambda s: s.feed([0, 1], np.full((2, 5), "a")), DTypeError, "lstm: x must hold real numbers"),
    "closing twice": (lambda s: [s.close(1), s.close(1)], StreamError, "stream 1 is not open"),
    "saving a closed one": (lambda s: s.save(3), StreamError, "stream 3 is not open"),
    "resetting a closed one": (lambda s: s.reset(2), StreamError, "stream 2 is not open"),
    "an id that is none": (lambda s: s.close("a"), StreamError, "stream a is not open"),
    "half a state": (lambda s: s.restore({"h": X[0]}), ShapeError, "the saved state holds 'h', expected 'c', 'h'"),
    "another state": (lambda s: s.restore({"0.h": X[0]}), ShapeError, "holds '0.h', expected 'c', 'h'"),
    "another size": (
        lambda s: s.restore({"h": X[0], "c": X[0]}),
        ShapeError,
        r"saved 'h' has shape \(5,\), expected \(3,\)",
    ),
    "another type": (
        lambda s: s.restore(dict.fromkeys("hc", np.ones(3))),
        DTypeError,
        "saved 'h' is float64, expected float32",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_calls_change_no_stream(case: str) -> None:
    call, error, message = WRONG[case]
    layer = seqkit.LSTM(3).build(5, seed=0)
    streams = layer.streams(4)
    ids = [streams.open(), streams.open()]
    _, state = layer.step(X)
    streams.feed(ids, X)
    with pytest.raises(error, match=message):
        call(streams)
    for stream in ids:
        if case != "closing twice":
            np.testing.assert_array_equal(streams.save(stream)["c"], state[1][stream])
    np.testing.assert_array_equal(streams.feed([0], X[:1]), layer.step(X[:1], tuple(a[:1] for a in state))[0])


def test_models_refuse_states_of_others() -> None:
    model = MODELS["lstm and gru"][0]
    other = MODELS["own layers"][0].streams(1)
    streams = model.streams(1)
    with pytest.raises(ShapeError, match="the saved state holds 'h', which no layer has"):
        streams.restore({"h": np.zeros(3)})
    with pytest.raises(ShapeError, match="expected 'c', 'h'"):
        streams.restore(other.save(other.open()))
    assert len(streams) == 0
    streams.open()


def test_a_tick_that_fails_half_way_moves_no_layer() -> None:
    """The second layer raises when the first has run."""

    class Stubborn(Fading):
        broken = False

        def step(self, x_t: np.ndarray, state: State | None = None) -> tuple[np.ndarray, State]:
            if self.broken:
                raise DataError("not now")
            return super().step(x_t, state)

    last = Stubborn()
    model = seqkit.Sequential([seqkit.LSTM(4, return_sequences=True), Fading(), last], seed=0).build(3)
    x = np.random.default_rng(0).standard_normal((2, 3, 3), dtype=np.float32)
    streams = model.streams(2)
    ids = [streams.open(), streams.open()]
    streams.feed(ids, x[:, 0])
    last.broken = True
    with pytest.raises(DataError, match="not now"):
        streams.feed(ids[:1], x[:1, 1])
    last.broken = False
    y = model.forward(x, None, training=False)[0]
    for t in (1, 2):
        np.testing.assert_array_equal(streams.feed(ids, x[:, t]), y[:, t])


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs setitimer")
def test_an_interrupted_tick_moves_no_stream() -> None:
    """A signal handler that raises, as Ctrl-C does, ends a long tick half way."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    layer = seqkit.LSTM(512).build(256, seed=0)
    x = np.random.default_rng(0).standard_normal((12_000, 256), dtype=np.float32)
    streams = layer.streams(len(x))
    ids = [streams.open() for _ in x]
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with seqkit.threads(1):
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            with pytest.raises(KeyboardInterrupt):
                streams.feed(ids, x)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert not any(streams.save(stream)["h"].any() for stream in ids)
    np.testing.assert_array_equal(streams.feed(ids, x), layer.step(x)[0])


def test_what_cannot_stream() -> None:
    both = seqkit.Bidirectional(seqkit.GRU(3, return_sequences=True)).build(2)
    with pytest.raises(ConfigError, match="bidirectional: a stream has no end"):
        both.streams(3)
    model = seqkit.Sequential([both, seqkit.Dense(1)], seed=0)
    with pytest.raises(ConfigError, match="bidirectional: a stream has no end"):
        model.streams(3)
    with pytest.raises(NotBuiltError, match="lstm"):
        seqkit.LSTM(3).streams(1)
    with pytest.raises(ConfigError, match="gru: capacity must be a positive integer, got 0"):
        seqkit.GRU(3).build(1).streams(0)
    with pytest.raises(ConfigError, match=r"sequential: capacity must be a positive integer, got 1\.5"):
        MODELS["dense"][0].streams(1.5)


# ---- threads and memory --------------------------------------------------------------------------


@pytest.mark.parametrize("shared", [True, False])
def test_threads_of_the_caller(shared: bool) -> None:
    """Four threads, each with streams of its own, in one pool or in one each."""
    layer = seqkit.LSTM(200, return_sequences=True).build(40, seed=0)
    x = np.random.default_rng(2).standard_normal((400, 8, 40), dtype=np.float32)
    y = layer(x)
    pools = [layer.streams(400)] * 4 if shared else [layer.streams(100) for _ in range(4)]

    def client(number: int) -> bool:
        rows, pool = slice(100 * number, 100 * number + 100), pools[number]
        ids = [pool.open() for _ in range(100)]
        return all(bool((pool.feed(ids, x[rows, t]) == y[rows, t]).all()) for t in range(8))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as executor:
            assert all(executor.map(client, range(4)))
    finally:
        sys.setswitchinterval(interval)


def test_memory_is_that_of_the_states() -> None:
    """Ten thousand streams of 128 units: two rows of two states each, and next to nothing beside."""
    layer = seqkit.LSTM(128).build(64, seed=0)
    x = np.zeros((5000, 64), "f4")
    layer.step(x)
    tracemalloc.start()
    try:
        streams = layer.streams(10_000)
        ids = np.array([streams.open() for _ in range(10_000)])
        for count in (1, 100, 5000):
            streams.feed(ids[:count], x[:count])
        before = tracemalloc.get_traced_memory()[0]
        for n in range(50):
            streams.feed(ids[n : n + 4000], x[:4000])
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert after < 4 * 10_000 * 128 * 4 + 2e6
    assert after - before < 10_000
