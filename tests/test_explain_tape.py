"""The gate tape against the equations as they are written, in float64, wherever a layer stands; files; stretches."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit.equations import sigmoid, tanh
from seqkit.equations.reference import run_reference
from seqkit.errors import ConfigError, LoadError, ShapeError
from seqkit.explain import Tape, recording, tape


class Gated(seqkit.Cell):
    """A user's cell: two stages, a value that is no state and no gate."""

    gates, states = ("f", "n"), ("h",)

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        f = sigmoid(x.f + U.f @ s.h)
        shown = f * s.h
        n = tanh(x.n + U.n @ shown)
        return {"h": (1 - f) * s.h + f * n}


LAYERS = {
    "lstm": lambda **options: seqkit.LSTM(5, **options),
    "peephole": lambda **options: seqkit.PeepholeLSTM(5, **options),
    "gru": lambda **options: seqkit.GRU(5, **options),
    "user": lambda **options: seqkit.Recurrent(Gated, 5, **options),
}
LENGTHS = np.array([4, 9, 0, 7, 9, 1])


def data(features: int = 3, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).standard_normal((len(LENGTHS), 9, features))
    x[np.arange(9) >= LENGTHS[:, None]] = np.nan
    return x


def values_of_steps(layer: seqkit.Recurrent, x: np.ndarray) -> Iterator[dict[str, Any]]:
    """What ``step`` computed under the author's names, at every step that the reference runs, one after the other."""
    seen: list[dict[str, Any]] = []

    def watch(frame: FrameType, event: str, result: Any) -> None:
        if event == "return" and frame.f_code is type(layer.cell).step.__code__:
            seen.append(frame.f_locals | result)

    sys.setprofile(watch)
    try:
        run_reference(layer.cell, layer.params, x, LENGTHS, reverse=layer.go_backwards)
    finally:
        sys.setprofile(None)
    return iter(seen)


def compare(recorded: Tape, place: str, layer: seqkit.Recurrent, x: np.ndarray, tolerance: float) -> None:
    steps = values_of_steps(layer, x)
    names = list(recorded.of_layer(place))
    assert set(layer.cell.states) < set(names)
    for b, length in enumerate(LENGTHS):
        for t in range(length)[:: -1 if layer.go_backwards else 1]:
            true = next(steps)
            for name in names:
                found = recorded[f"{place}.{name}"][b, t]
                np.testing.assert_allclose(found, np.ravel(true[name]), rtol=0, atol=tolerance, err_msg=name)
        for name in names:
            assert not recorded[f"{place}.{name}"][b, length:].any()
    assert next(steps, None) is None


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_values_are_those_of_the_equations(name: str, backwards: bool) -> None:
    layer = LAYERS[name](go_backwards=backwards).build(3, seed=1, dtype="float64")
    recorded = tape(layer, data(), lengths=LENGTHS)
    compare(recorded, f"0.{'backward' if backwards else 'forward'}", layer, data(), 1e-12)


def test_a_cell_of_the_zoo() -> None:
    zoo = pytest.importorskip("seqkit_zoo.ran", reason="the zoo is not installed")
    layer = seqkit.Recurrent(zoo.RAN, 5).build(3, seed=1, dtype="float64")
    compare(tape(layer, data(), lengths=LENGTHS), "0.forward", layer, data(), 1e-12)


def deep() -> seqkit.Sequential:
    """Both directions, layers inside of others, learned states, what acts in training only."""
    layers = [
        seqkit.Embedding(7, 3),
        seqkit.Bidirectional(seqkit.LSTM(4, return_sequences=True, dropout=0.5, zoneout=0.1)),
        seqkit.Dropout(0.5),
        seqkit.GRU(5, return_sequences=True, initial_state="learned", recurrent_dropout=0.3),
        seqkit.Masked([seqkit.GRU(3, return_sequences=True)]),
        seqkit.PeepholeLSTM(4, go_backwards=True),
        seqkit.Dense(2),
    ]
    model = seqkit.Sequential(layers, seed=3).build()
    model.layers[3].params["initial_h"] = [0.1, -0.2, 0.3, 0.4, -0.5]
    return model


IDS = [np.random.default_rng(n).integers(0, 7, length) for n, length in enumerate(LENGTHS)]


def test_each_layer_reads_what_the_one_below_gives() -> None:
    model = deep()
    recorded = tape(model, IDS)
    assert recorded.layers == ("1.forward", "1.backward", "3.forward", "4.0.forward", "5.backward")
    np.testing.assert_array_equal(recorded.output, model.predict(IDS))
    x = model.layers[0](IDS)
    both = model.layers[1](x)
    for b, found in enumerate(both):
        h = [recorded.sequences(f"1.{direction}.h")[b] for direction in ("forward", "backward")]
        np.testing.assert_array_equal(np.concatenate(h, axis=1), found)
    for b, found in enumerate(model.layers[3](both)):
        np.testing.assert_array_equal(recorded.sequences("3.forward.h")[b], found)


def test_stretches_of_time_have_the_bits_of_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tape(deep(), IDS)
    for size in (1, 2000, 3500):  # stretches of one step, of two or so, of some
        monkeypatch.setattr(recording, "STRETCH_BYTES", size)
        folder = tmp_path / str(size)
        written = tape(deep(), IDS, path=folder)
        loaded = Tape.load(folder)
        assert list(loaded) == list(written) == list(whole)
        assert isinstance(written["1.forward.c"], np.memmap)
        for name in whole:
            np.testing.assert_array_equal(written[name], whole[name], err_msg=name)
            np.testing.assert_array_equal(loaded[name], whole[name])
            np.testing.assert_array_equal(loaded.lengths[name], whole.lengths[name])
        np.testing.assert_array_equal(loaded.output, whole.output)


def test_a_long_tape_goes_to_a_file_that_goes_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "LARGEST_IN_MEMORY", 1000)
    recorded = tape(deep(), IDS, ["c"])
    folder = recorded.path
    assert folder is not None
    assert sorted(path.name for path in folder.iterdir())[:2] == ["1.backward.c.npy", "1.forward.c.npy"]
    del recorded
    assert not folder.exists()


def test_names_choose_values() -> None:
    recorded = tape(deep(), IDS, ["f", "3.forward.z"])
    assert list(recorded) == ["1.forward.f", "1.backward.f", "3.forward.z", "5.backward.f"]
    assert recorded.steps("3.forward.z").shape == (LENGTHS.sum(), 5)


def test_the_model_stays_as_it_is() -> None:
    model = seqkit.Sequential([seqkit.LSTM(4, stateful=True, dropout=0.5, return_sequences=True)], seed=0).build(3)
    x = np.random.default_rng(0).standard_normal((2, 6, 3))
    model.predict(x, batch_size=2)
    carried, drawn = [array.copy() for array in model.layers[0]._state], model.random_state()
    first = tape(model, x, ["h"])["0.forward.h"]
    np.testing.assert_array_equal(first, tape(model, x, ["h"])["0.forward.h"])
    assert all((now == before).all() for now, before in zip(model.layers[0]._state, carried, strict=True))
    assert model.random_state() == drawn
    np.testing.assert_array_equal(first, model.predict(x, batch_size=2))  # from the carried state


def test_quantized_models_have_a_tape() -> None:
    model = seqkit.Sequential([seqkit.LSTM(16, return_sequences=True)], seed=0).build(3).quantize("int8")
    x = np.random.default_rng(0).standard_normal((2, 6, 3))
    np.testing.assert_array_equal(tape(model, x)["0.forward.h"], model.predict(x))


def test_a_tape_that_could_not_be_written_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where another one was: its index would be that of a mixture."""
    tape(deep(), IDS, ["f"], tmp_path / "tape")
    monkeypatch.setattr(recording.Reading, "record", lambda self, rooms: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tape(deep(), IDS, ["f"], tmp_path / "tape")
    with pytest.raises(LoadError, match="not a whole one"):
        Tape.load(tmp_path / "tape")


def test_wrong_calls(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no value named 'q'; there are .*3\.forward: r, z, recurrent, n, h"):
        tape(deep(), IDS, ["q"])
    with pytest.raises(ConfigError, match="must be a sequence of str"):
        tape(deep(), IDS, "f")
    with pytest.raises(ConfigError, match="a Sequential model or a layer was expected, got int"):
        tape(3, IDS)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match=r"x has shape \(2, 3\), expected \(batch, time, features\)"):
        tape(seqkit.GRU(2).build(3), np.ones((2, 3)))
    with pytest.raises(ConfigError, match=r"no value named '3\.forward\.q'"):
        tape(deep(), IDS, ["h"])["3.forward.q"]
    with pytest.raises(LoadError, match="not a tape"):
        Tape.load(tmp_path)
