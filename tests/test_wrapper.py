"""Wrappers: what a model asks of the inner layer goes through, in training, files, streams and copies."""

from __future__ import annotations

import copy
import pickle
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
from seqkit.training.memory import Load, planned

FEATURES, UNITS = 3, 5


@dataclass(frozen=True)
class Cache:
    """The inner layer's cache and output, and its final state."""

    inner: Any
    y: np.ndarray
    state: State


class Plain(seqkit.Wrapper):
    """y = layer(x)."""

    name = "test_plain"

    def forward(
        self, x: np.ndarray, lengths: np.ndarray | None = None, state: State | None = None, training: bool = True
    ) -> tuple[np.ndarray, Any]:
        return self.layer.forward(x, lengths, state, training)

    def backward(
        self, dy: np.ndarray, cache: Any, dstate: State | None = None, input_grad: bool = True
    ) -> tuple[np.ndarray | None, State]:
        return self.layer.backward(dy, cache, dstate, input_grad)


class Scaled(seqkit.Wrapper):
    """y = a * layer(x), with a learned number a for every feature."""

    name = "test_scaled"

    def __init__(self, layer: Layer, start: float = 1.0) -> None:
        super().__init__(layer)
        self.start = start

    def config(self) -> dict[str, Any]:
        return super().config() | {"start": self.start}

    def _build(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        super()._build(rng)
        return {"a": np.full(self.layer.output_size, self.start)}

    def forward(
        self, x: np.ndarray, lengths: np.ndarray | None = None, state: State | None = None, training: bool = True
    ) -> tuple[np.ndarray, Cache]:
        y, inner = self.layer.forward(x, lengths, state, training)
        return self.params["own.a"] * y, Cache(inner, y, final_state(inner))

    def backward(
        self, dy: np.ndarray, cache: Cache, dstate: State | None = None, input_grad: bool = True
    ) -> tuple[np.ndarray | None, State]:
        self.grads["own.a"] += (dy * cache.y).sum(axis=tuple(range(dy.ndim - 1)))
        return self.layer.backward(self.params["own.a"] * dy, cache.inner, dstate, input_grad)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wrapper has a name for files, in these tests alone."""
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    registry.register("test_scaled")(Scaled)
    registry.register("test_plain")(Plain)


class Watch(seqkit.Callback):
    """Notes the segments of the inner layer of a model's first layer."""

    def __init__(self, found: list[int | None]) -> None:
        self.found = found

    def on_epoch_begin(self, epoch: int) -> None:
        (inner,) = self.model.layers[0].inner()
        self.found.append(inner._segment)


def model_of(*layers: Layer, dtype: str = "float64") -> seqkit.Sequential:
    model = seqkit.Sequential([*layers, seqkit.Dense(2)], seed=0, dtype=dtype).build(FEATURES)
    model.compile(seqkit.Adam(0.05), loss="mse")
    return model


def bare_and_wrapped(**options: Any) -> tuple[seqkit.Sequential, seqkit.Sequential]:
    """An LSTM in a model, and the same in a wrapper that does nothing: of one seed, so that all numbers are equal."""
    return model_of(seqkit.LSTM(UNITS, **options)), model_of(Plain(seqkit.LSTM(UNITS, **options)))


def assert_same_bits(wrapped: seqkit.Sequential, bare: seqkit.Sequential) -> None:
    for name, array in bare.params.items():
        np.testing.assert_array_equal(wrapped.params[name.replace("0.", "0.layer.")], array, err_msg=name)


def data(seed: int = 1, batch: int = 8, time: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(batch, time, FEATURES)), rng.normal(size=(batch, 2))


# ---- parameters ----------------------------------------------------------------------------------


def test_parameters_of_both_are_trained(slope: Any) -> None:
    layer = Scaled(seqkit.GRU(UNITS), start=0.5).build(FEATURES, seed=0, dtype="float64")
    assert set(layer.params) == {*(f"layer.{name}" for name in layer.layer.params), "own.a"} == set(layer.grads)
    x, _ = data()
    y, cache = layer.forward(x)
    w = np.random.default_rng(2).normal(size=y.shape)
    for _ in range(2):  # gradients add up
        _, cache = layer.forward(x)
        layer.backward(w, cache)

    def objective() -> float:
        with layer.params.editing():  # packed weights are those of another version
            pass
        return float((w * layer.forward(x)[0]).sum())

    with layer.params.editing() as arrays:
        for name in ("own.a", "layer.bias"):
            numeric = slope(objective, arrays[name])
            np.testing.assert_allclose(layer.grads[name], 2 * numeric, atol=1e-8)
    layer.zero_grads()
    assert not any(grad.any() for grad in (*layer.grads.values(), *layer.layer.grads.values()))
    version = layer.params.version
    layer.params["layer.bias"] = np.ones_like(layer.params["layer.bias"])
    assert layer.params.version > version
    assert (layer.layer.params["bias"] == 1).all()
    assert abs(layer(x) - y).max() > 0.01


def test_files_and_copies(tmp_path: Path) -> None:
    inner = seqkit.Bidirectional(seqkit.GRU(4, return_sequences=True), merge_mode="sum")
    model = model_of(Scaled(Scaled(inner, 0.25)), seqkit.Dropout(0.3), Scaled(seqkit.LSTM(UNITS, dropout=0.2)))
    x, y = data()
    model.fit(x, y, epochs=2, verbose=0)
    model.save(tmp_path / "model.safetensors")
    loaded = seqkit.load(tmp_path / "model.safetensors")
    assert repr(loaded.layers) == repr(model.layers)
    assert repr(seqkit.Residual(seqkit.Activation("tanh"))) == "Residual(Activation(activation='tanh'))"
    outer: Any = loaded.layers[0]
    assert (outer.start, outer.layer.start, outer.layer.layer.merge_mode) == (1.0, 0.25, "sum")
    for other in (loaded, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.predict(x), model.predict(x))
    model.fit(x, y, epochs=2, seed=3)
    loaded.fit(x, y, epochs=2, seed=3)
    for name, array in model.params.items():
        np.testing.assert_array_equal(loaded.params[name], array, err_msg=name)


def test_what_is_not_a_layer() -> None:
    with pytest.raises(ConfigError, match=r"test_scaled: a layer such as seqkit\.LSTM\(64\) was expected, got 'lstm'"):
        Scaled("lstm")  # type: ignore[arg-type]


def test_first_layers() -> None:
    """What a model wants to know of its first layer is known of a wrapped one."""
    assert seqkit.Sequential([Scaled(seqkit.GRU(4, input_shape=(None, 7)))]).built
    of_ids = Scaled(seqkit.Embedding(6, 4))
    model = seqkit.Sequential([of_ids, seqkit.GRU(3)])
    assert model.built
    ids = np.array([[1, 5, 0], [2, 2, 2]])
    np.testing.assert_array_equal(of_ids(ids), of_ids.layer(ids))


# ---- states and random numbers -------------------------------------------------------------------


def test_training_is_that_of_the_inner_layer() -> None:
    """Initial values and dropout are drawn the same, states carried the same: the same bits."""
    bare, wrapped = bare_and_wrapped(stateful=True, dropout=0.2)
    assert wrapped.stateful
    x, y = data()
    for model in (bare, wrapped):
        model.fit(x, y, batch_size=4, epochs=3, shuffle=False)
    assert_same_bits(wrapped, bare)
    np.testing.assert_array_equal(wrapped.predict(x, batch_size=4), bare.predict(x, batch_size=4))
    wrapped.reset_states()
    bare.reset_states()
    np.testing.assert_array_equal(wrapped.predict(x, batch_size=4), bare.predict(x, batch_size=4))


def test_a_batch_that_fails_puts_everything_back() -> None:
    _, model = bare_and_wrapped(stateful=True, dropout=0.2)
    x, y = data()
    model.fit(x, y, batch_size=8, shuffle=False)
    carried, numbers = [array.copy() for array in model.layers[0]._state or ()], model.random_state()
    with pytest.raises(ArithmeticError):
        model.fit(x, np.full_like(y, np.inf), batch_size=8, shuffle=False)
    assert len(carried) == 2
    for before, after in zip(carried, model.layers[0]._state or (), strict=True):
        np.testing.assert_array_equal(after, before)
    assert model.random_state() == numbers


def test_truncated_backpropagation() -> None:
    bare, wrapped = bare_and_wrapped()
    x, y = data(time=9)
    for model in (bare, wrapped):
        model.fit(x, y, batch_size=4, epochs=2, seed=1, tbptt=(4, 4))
    assert_same_bits(wrapped, bare)
    with pytest.raises(ConfigError, match="tbptt: test_plain tells its state at the end of a call only"):
        wrapped.fit(x, y, tbptt=(2, 3))


def test_around_a_layer_that_reads_backwards() -> None:
    model = model_of(Plain(seqkit.Bidirectional(seqkit.GRU(3))))
    x, y = data()
    with pytest.raises(ConfigError, match="tbptt: test_plain also reads from the end"):
        model.fit(x, y, tbptt=(2, 2))
    with pytest.raises(ConfigError, match="test_plain: reads sequences from their end"):
        model.layers[0].step(x[:, 0])


def test_steps_and_streams() -> None:
    _, model = bare_and_wrapped()
    x, _ = data(batch=2)
    streams = model.streams(2)
    ids = [streams.open(), streams.open()]
    for t in range(x.shape[1]):
        y = streams.feed(ids, x[:, t])
    np.testing.assert_array_equal(y, model.predict(x))
    wrapped = model.layers[0]
    whole, final = wrapped(x, return_state=True)
    _, state = wrapped(x[:, :2], return_state=True)
    rest, last = wrapped(x[:, 2:], state=state, return_state=True)
    np.testing.assert_array_equal(rest, whole)
    for array, expected in zip(last, final, strict=True):
        np.testing.assert_array_equal(array, expected)


def test_random_numbers_of_both() -> None:
    class Noisy(Plain):
        def _build(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
            self._counter = Counter(17)
            return super()._build(rng)

    layer = Noisy(seqkit.Dropout(0.5)).build(FEATURES, seed=0)
    layer.forward(np.ones((4, FEATURES)))
    assert layer._counter is not None
    layer._counter.advance(3)
    state = layer.random_state()
    assert (state["layer.row"], state["own.seed"], state["own.row"]) == (4, 17, 3)
    other = Noisy(seqkit.Dropout(0.5)).build(FEATURES, seed=1)
    other.restore_random_state(state)
    assert other.random_state() == state


# ---- memory, precision ---------------------------------------------------------------------------


def least_mebibytes(model: seqkit.Sequential, load: Load) -> int:
    """The budget that a model needs, of the message that says so."""
    with pytest.raises(ConfigError, match="needs a memory of at least") as caught:
        planned(model, 2**20, load)
    return int(str(caught.value).split("at least ")[1].split("MiB")[0])


def test_the_tape_of_the_inner_layer_is_in_the_budget() -> None:
    bare, wrapped = bare_and_wrapped(return_sequences=True)
    load = Load(64, 2000)
    (tape,), (expected,) = (planned(model, 10**12, load) for model in (wrapped, bare))
    assert (tape.layer, tape.nbytes) == (wrapped.layers[0].inner()[0], expected.nbytes)
    values = load.batch * load.time * 8 / 2**20  # mebibytes of a feature
    beside = 2 * UNITS * values  # what the wrapper works with, as a layer in NumPy, and what the inner layer gives
    assert least_mebibytes(wrapped, load) - least_mebibytes(bare, load) == pytest.approx(beside, abs=1)
    dense, plain = model_of(seqkit.Dense(UNITS)), model_of(Plain(seqkit.Dense(UNITS)))
    beside += FEATURES * values  # as the gradient of its input, which a first layer need not give
    assert least_mebibytes(plain, load) - least_mebibytes(dense, load) == pytest.approx(beside, abs=1)


def test_a_budget_cuts_the_tape_of_the_inner_layer() -> None:
    bare, wrapped = bare_and_wrapped()
    x, y = data(batch=64, time=200)
    cut = []
    wrapped.fit(x, y, batch_size=64, epochs=2, seed=2, memory="21MiB", callbacks=Watch(cut))
    bare.fit(x, y, batch_size=64, epochs=2, seed=2)
    assert cut[0] is not None
    assert cut[0] < 200
    assert_same_bits(wrapped, bare)


def test_working_memory_is_released(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, released = Plain(seqkit.GRU(4)).build(FEATURES), []
    monkeypatch.setattr(layer.layer, "release_memory", lambda: released.append(1))
    layer.release_memory()
    assert released


def test_precision() -> None:
    model = model_of(Scaled(seqkit.LSTM(16, return_sequences=True), 0.5), Scaled(seqkit.Dense(4)), dtype="float32")
    low = model.quantize("int8")
    assert (low.layers[0].precision, low.layers[1].precision) == ("int8", "float32")
    assert low.layers[1] is model.layers[1]
    x = data()[0].astype(np.float32)
    first: Any = model.layers[0]
    np.testing.assert_array_equal(low.layers[0](x), 0.5 * first.layer.quantize("int8")(x))
    model.params["0.own.a"] = np.full(16, 2.0)  # a change of one is one of both
    np.testing.assert_array_equal(low.layers[0](x), 2 * first.layer.quantize("int8")(x))
    assert set(low.layers[0].grads) == set(first.grads)
    first.grads["own.a"] += 1
    assert not low.layers[0].grads["own.a"].any()
