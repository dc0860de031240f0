"""A recurrent layer that somebody writes in NumPy, everywhere that a built-in one can stand.

The oracle is ``SimpleRNN`` with the same weights: another implementation, on the engine.
Legend: B batch, T time, I input features, H units.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit import registry
from seqkit.counter import Counter
from seqkit.errors import ConfigError
from seqkit.layer import Layer, State, final_state
from seqkit.sequences import as_lengths, as_sequences
from seqkit.training.callbacks import Checkpoint

FEATURES, UNITS = 3, 5
LENGTHS = [4, 9, 0, 1, 7, 9, 2, 5]


@dataclass(frozen=True)
class Cache:
    """What backward needs, and the final state."""

    x: np.ndarray
    ends: np.ndarray
    tape: np.ndarray  # states before every step and after the last one, (T + 1, B, H)
    state: State


class Elman(Layer):
    """h_t = tanh(W x_t + b + U h_{t-1})."""

    name = "test_elman"

    def __init__(self, units: int, return_sequences: bool = False, stateful: bool = False) -> None:
        self.units, self.return_sequences, self.stateful = units, return_sequences, stateful

    def config(self) -> dict[str, Any]:
        return {"units": self.units, "return_sequences": self.return_sequences, "stateful": self.stateful}

    @property
    def output_size(self) -> int:
        return self.units

    @property
    def returns_sequences(self) -> bool:
        return self.return_sequences

    def _build(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        shapes = {"weight_ih": (self.units, self.input_size), "weight_hh": (self.units, self.units)}
        return {name: rng.normal(size=shape) for name, shape in shapes.items()} | {"bias": np.zeros(self.units)}

    def forward(
        self, x: np.ndarray, lengths: np.ndarray | None = None, state: State | None = None, training: bool = True
    ) -> tuple[np.ndarray, Cache]:
        x = as_sequences(x, self.dtype, self.name, self.input_size)
        batch, time, _ = x.shape
        ends = as_lengths(lengths, batch, time, self.name)
        ends = np.full(batch, time) if ends is None else ends
        state = self._state if state is None and self.stateful else state
        tape = np.zeros((time + 1, batch, self.units), self.dtype)
        if state is not None:
            tape[0] = state[0]
        for t in range(time):
            on = ends > t
            z = x[on, t] @ self.params["weight_ih"].T + tape[t, on] @ self.params["weight_hh"].T + self.params["bias"]
            tape[t + 1] = tape[t]
            tape[t + 1, on] = np.tanh(z)
        if self.stateful:
            self._state = (tape[-1].copy(),)
        last = np.where((ends > 0)[:, None], tape[-1], 0)
        inside = np.arange(time)[:, None] < ends
        y = (tape[1:] * inside[:, :, None]).transpose(1, 0, 2) if self.return_sequences else last
        return y, Cache(x, ends, tape, (tape[-1],))

    def backward(
        self, dy: np.ndarray, cache: Cache, dstate: State | None = None, input_grad: bool = True
    ) -> tuple[np.ndarray | None, State]:
        dh = np.zeros_like(cache.tape[0]) if dstate is None else dstate[0].copy()
        dx = np.zeros_like(cache.x)
        for t in reversed(range(cache.x.shape[1])):
            on = cache.ends > t
            dh[on] += dy[on, t] if self.return_sequences else dy[on] * (cache.ends[on] == t + 1)[:, None]
            dz = dh[on] * (1 - cache.tape[t + 1, on] ** 2)
            self.grads["weight_ih"] += dz.T @ cache.x[on, t]
            self.grads["weight_hh"] += dz.T @ cache.tape[t, on]
            self.grads["bias"] += dz.sum(axis=0)
            dx[on, t] = dz @ self.params["weight_ih"]
            dh[on] = dz @ self.params["weight_hh"]
        return (dx if input_grad else None), (dh,)


class Noise(Layer):
    """y = x + normal numbers, in training; those of a row depend on its number and on nothing else."""

    name = "test_noise"
    training_only = True

    def _build(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        self._counter = Counter(int(rng.integers(2**63)))
        return {}

    def forward(
        self, x: np.ndarray, lengths: np.ndarray | None = None, state: State | None = None, training: bool = True
    ) -> tuple[np.ndarray, Any]:
        counter = self._counter
        assert counter is not None
        if not training:
            return x, None
        rows = range(counter.row, counter.row + len(x))
        noise = np.stack([np.random.default_rng([counter.seed, row]).normal(size=x.shape[1:]) for row in rows])
        counter.advance(len(x))
        inside = np.ones(x.shape[:2], bool) if lengths is None else np.arange(x.shape[1]) < lengths[:, None]
        return np.where(inside[..., None], x + noise, 0).astype(self.dtype), None

    def backward(
        self, dy: np.ndarray, cache: Any, dstate: State | None = None, input_grad: bool = True
    ) -> tuple[np.ndarray | None, State]:
        return dy, ()


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The layers have names for files, in these tests alone."""
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    registry.register("test_elman")(Elman)
    registry.register("test_noise")(Noise)


def model_of(layer: Layer) -> seqkit.Sequential:
    """The layer under a dense one."""
    return seqkit.Sequential([layer, seqkit.Dense(2)], seed=0, dtype="float64").build(FEATURES)


def pair(**options: Any) -> Iterator[seqkit.Sequential]:
    """Models with the layer and with its oracle, with the same weights and ready to be trained."""
    rng = np.random.default_rng(0)
    first = model_of(Elman(UNITS, **options))
    values = {name: rng.normal(size=array.shape) for name, array in first.params.items()}
    for model in (first, model_of(seqkit.SimpleRNN(UNITS, **options))):
        for name, value in values.items():
            model.params[name] = value
        model.compile(seqkit.Adam(0.05), loss="mse")
        yield model


def data(per_step: bool) -> tuple[list[np.ndarray], Any]:
    rng = np.random.default_rng(1)
    x = [rng.normal(size=(length, FEATURES)) for length in LENGTHS]
    return x, [rng.normal(size=(n, 2)) for n in LENGTHS] if per_step else rng.normal(size=(len(x), 2))


def assert_equal_models(found: seqkit.Sequential, expected: seqkit.Sequential) -> None:
    for name, array in expected.params.items():
        np.testing.assert_allclose(found.params[name], array, rtol=0, atol=1e-10, err_msg=name)


# ---- training ------------------------------------------------------------------------------------


@pytest.mark.parametrize("per_step", [False, True])
def test_fit_evaluate_predict(per_step: bool) -> None:
    found, expected = pair(return_sequences=per_step)
    x, y = data(per_step)
    for _ in range(2):
        histories = [
            model.fit(x, y, batch_size=3, epochs=3, seed=5, validation_split=0.25, accumulate=2, memory="1GB")
            for model in (found, expected)
        ]
    np.testing.assert_allclose(histories[0].history["val_loss"], histories[1].history["val_loss"], rtol=1e-9)
    assert_equal_models(found, expected)
    assert found.evaluate(x, y) == pytest.approx(expected.evaluate(x, y), rel=1e-9)
    for one, other in zip(found.predict(x), expected.predict(x), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-10)


def test_stateful() -> None:
    found, expected = pair(stateful=True)
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(12, 4, FEATURES)), rng.normal(size=(12, 2))
    for model in (found, expected):
        model.fit(x, y, batch_size=4, epochs=2, shuffle=False)
    assert_equal_models(found, expected)
    assert found.layers[0]._state is not None
    carried = found.predict(x[:4], batch_size=4)
    np.testing.assert_allclose(carried, expected.predict(x[:4], batch_size=4), atol=1e-10)
    found.reset_states()
    assert abs(found.predict(x[:4], batch_size=4) - carried).max() > 1e-3


def test_a_batch_that_fails_puts_the_carried_state_back() -> None:
    model = next(pair(stateful=True))
    x, y = np.ones((2, 4, FEATURES)), np.ones((2, 2))
    model.fit(x, y, batch_size=2, shuffle=False)
    (before,) = model.layers[0]._state or ()
    with pytest.raises(ArithmeticError):
        model.fit(x, np.full((2, 2), np.inf), batch_size=2, shuffle=False)
    (after,) = model.layers[0]._state or ()
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("per_step", [False, True])
def test_truncated_backpropagation_carries_its_state(per_step: bool) -> None:
    found, expected = pair(return_sequences=per_step)
    x, y = data(per_step)
    for model in (found, expected):
        model.fit(x, y, batch_size=4, epochs=2, seed=5, tbptt=(3, 3))
    assert_equal_models(found, expected)


def test_truncated_backpropagation_needs_states_in_between() -> None:
    model = next(pair())
    before = {name: array.copy() for name, array in model.params.items()}
    with pytest.raises(ConfigError, match="tbptt: test_elman tells its state at the end of a call only; choose k2"):
        model.fit(*data(False), tbptt=(2, 3))
    for name, array in model.params.items():
        np.testing.assert_array_equal(array, before[name])


def test_resumed_training_has_the_same_bits(tmp_path: Path) -> None:
    """Own random numbers, and the state carried from batch to batch, are in the checkpoint."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(6, 4, FEATURES)), rng.normal(size=(6, 2))

    def train(epochs: int, **options: Any) -> seqkit.Sequential:
        model = seqkit.Sequential([Noise(), Elman(UNITS, stateful=True), seqkit.Dense(2)], seed=0, dtype="float64")
        model.compile("adam", loss="mse")
        model.fit(x, y, batch_size=3, epochs=epochs, shuffle=False, **options)
        return model

    whole = train(4)
    train(2, callbacks=Checkpoint(tmp_path))
    resumed = train(4, resume=tmp_path)
    for name, array in whole.params.items():
        np.testing.assert_array_equal(resumed.params[name], array)
    assert resumed.random_state() == whole.random_state()


# ---- streams and states --------------------------------------------------------------------------


def test_steps_and_streams() -> None:
    found, expected = pair()
    x = np.random.default_rng(4).normal(size=(3, 6, FEATURES))
    state = expected_state = None
    for t in range(6):
        y, state = found.step(x[:, t], state)
        expected_y, expected_state = expected.step(x[:, t], expected_state)
        np.testing.assert_allclose(y, expected_y, atol=1e-12)
    streams = found.streams(3)
    a, b = streams.open(), streams.open()
    streams.feed([a], x[:1, 0])
    ticks = [streams.feed([b, a], x[[1, 0], t + np.array([0, 1])]) for t in range(5)]
    np.testing.assert_allclose(ticks[-1][0], expected.predict(x[1:2, :5])[0], atol=1e-12)
    np.testing.assert_allclose(ticks[-1][1], expected.predict(x[:1])[0], atol=1e-12)
    again = streams.restore(streams.save(a))
    more = np.ones((2, FEATURES))
    np.testing.assert_array_equal(*streams.feed([a, again], more))


def test_a_step_leaves_the_carried_state_alone() -> None:
    layer = Elman(UNITS, stateful=True).build(FEATURES, seed=0, dtype="float64")
    x = np.random.default_rng(5).normal(size=(2, 4, FEATURES))
    layer(x)
    (carried,) = layer._state or ()
    y, (state,) = layer.step(x[:, 0])
    assert layer._state is not None
    assert layer._state[0] is carried
    fresh = Elman(UNITS).build(FEATURES, seed=0, dtype="float64")
    np.testing.assert_array_equal(y, fresh(x[:, :1]))
    np.testing.assert_array_equal(state, y)


def test_a_call_takes_and_gives_states() -> None:
    layer = Elman(UNITS, return_sequences=True).build(FEATURES, seed=0, dtype="float64")
    x = np.random.default_rng(6).normal(size=(2, 7, FEATURES))
    whole, (final,) = layer(x, return_state=True)
    _, state = layer(x[:, :3], return_state=True)
    rest, (last,) = layer(x[:, 3:], state=state, return_state=True)
    np.testing.assert_array_equal(rest, whole[:, 3:])
    np.testing.assert_array_equal(last, final)
    outputs, (ends,) = layer([x[0, :2], x[1, :5]], return_state=True)
    assert [len(output) for output in outputs] == [2, 5]
    np.testing.assert_allclose(ends, [whole[0, 1], whole[1, 4]], atol=1e-14)
    assert final_state(seqkit.Dense(2).build(3).forward(np.ones((1, 3)))[1]) == ()


def test_a_layer_that_reads_backwards_has_no_steps() -> None:
    class Reversed(Elman):
        name = "test_reversed"
        reads_backwards = True  # type: ignore[assignment]

    layer = Reversed(UNITS).build(FEATURES)
    with pytest.raises(ConfigError, match="test_reversed: reads sequences from their end"):
        layer.step(np.ones((1, FEATURES)))
    model = seqkit.Sequential([Reversed(UNITS), seqkit.Dense(2)])
    model.compile("sgd", loss="mse")
    with pytest.raises(ConfigError, match="tbptt: test_reversed also reads from the end"):
        model.fit(*data(False), tbptt=(2, 2))


# ---- files, copies, tables -----------------------------------------------------------------------


def test_files_and_copies(tmp_path: Path) -> None:
    model = next(pair(return_sequences=True))
    x, y = data(True)
    model.fit(x, y, epochs=1)
    model.save(tmp_path / "model.safetensors")
    expected = model.predict(x)
    loaded = seqkit.load(tmp_path / "model.safetensors")
    for other in (loaded, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        for found, output in zip(other.predict(x), expected, strict=True):
            np.testing.assert_array_equal(found, output)
    model.fit(x, y, epochs=2, seed=1)
    loaded.fit(x, y, epochs=2, seed=1)
    for name, array in model.params.items():
        np.testing.assert_array_equal(loaded.params[name], array)


def test_summary(capsys: pytest.CaptureFixture[str]) -> None:
    text = next(pair()).summary()
    assert text.splitlines()[1].split() == ["0", "test_elman", "(batch,", "5)", "45"]


def test_a_subclass_of_a_built_in_layer_has_a_name_of_its_own(tmp_path: Path) -> None:
    @registry.register("test_short_memory")
    class ShortMemory(seqkit.LSTM):
        def __init__(self, units: int, **options: Any) -> None:
            super().__init__(units, **{"unit_forget_bias": False, **options})

    layers = [seqkit.Bidirectional(ShortMemory(4, return_sequences=True)), ShortMemory(5, dropout=0.2)]
    model = seqkit.Sequential([*layers, seqkit.Dense(1)], seed=0).build(FEATURES)
    assert not model.params["1.bias"].any()
    model.save(tmp_path / "model.safetensors")
    loaded = seqkit.load(tmp_path / "model.safetensors")
    both, single = loaded.layers[:2]
    assert isinstance(both, seqkit.Bidirectional)
    assert isinstance(both.backward_layer, ShortMemory)
    assert (type(single), single.name) == (ShortMemory, "test_short_memory")
    assert (seqkit.LSTM(4).name, seqkit.Recurrent(seqkit.GRU(3).cell, 3).name) == ("lstm", "gru")
    x = data(False)[0]
    np.testing.assert_array_equal(loaded.predict(x), model.predict(x))
