"""RTNeural: read as RTNeural computes, written so that the same bits come back, refused with the reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit.errors import ConvertError, LoadError, SeqkitError, UnsafeFileError
from seqkit.interop import formats, from_rtneural, to_rtneural
from seqkit.interop.proof import prove
from seqkit.interop.rtneural import read

KINDS = ("lstm", "gru", "dense", "time-distributed-dense", "activation")
NAMES = ["", "relu", "tanh", "sigmoid", "softmax", "elu"]
SIZES = {"lstm": 4, "gru": 3}


def layer(kind: str, features: int, units: int, rng: np.random.Generator, activation: str = "") -> dict[str, Any]:
    """A layer as RTNeural's script writes it of a Keras layer with random weights."""
    columns = SIZES.get(kind, 1) * units
    shapes: list[tuple[int, ...]] = [(features, columns), (columns,)]
    if kind == "activation":
        shapes = []
    elif kind in SIZES:
        shapes = [(features, columns), (units, columns), (2, columns) if kind == "gru" else (columns,)]
    weights = [rng.normal(size=shape, scale=0.7).astype(np.float32).tolist() for shape in shapes]
    return {"type": kind, "activation": activation, "shape": [None, None, units], "weights": weights}


def document(*kinds: str, seed: int = 0, features: int = 2) -> dict[str, Any]:
    rng, layers, size = np.random.default_rng(seed), [], features
    for kind in kinds:
        units = size if kind == "activation" else int(rng.integers(1, 6))
        activation = "tanh" if kind in SIZES else str(rng.choice(NAMES))
        layers.append(layer(kind, size, units, rng, activation))
        size = units
    return {"in_shape": [None, None, features], "layers": layers}


@pytest.fixture
def put(tmp_path: Path) -> Callable[[Any], Path]:
    def write(content: Any) -> Path:
        path = tmp_path / "model.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


class TestReading:
    @pytest.mark.parametrize("seed", range(12))
    def test_equations(self, put: Callable[[Any], Path], seed: int) -> None:
        kinds = np.random.default_rng(seed).choice(KINDS, size=seed % 4 + 1)
        imported = read(put(document(*kinds, seed=seed, features=seed % 3 + 1)))
        proof = prove(imported, seed=seed)
        assert proof.error < 2e-6
        assert proof.oracle == "RTNeural's equations in float64"
        assert imported.model.dtype == "float32"

    @pytest.mark.parametrize("name", NAMES)
    def test_activations(self, put: Callable[[Any], Path], name: str) -> None:
        whole = document("dense", seed=6)
        units = whole["layers"][0]["shape"][-1]
        whole["layers"][0]["activation"] = "tanh"
        whole["layers"].append({"type": "activation", "activation": name, "shape": [None, None, units], "weights": []})
        imported = read(put(whole))
        assert prove(imported).error < 2e-6
        others = {other: {**whole["layers"][1], "activation": other} for other in NAMES if other != name}
        for other, layer in others.items():
            wrong = read(put(whole | {"layers": [whole["layers"][0], layer]}))
            assert not prove(replace(imported, run=wrong.run)).holds, other

    @pytest.mark.parametrize("kind", ["lstm", "gru"])
    def test_mutants(self, put: Callable[[Any], Path], kind: str) -> None:
        """Whatever is exchanged, the proof does not hold."""
        path = put(document(kind, "dense", seed=3))
        names = [name for name in read(path).model.params if name.startswith("0.")]
        count = 0
        for name in names:
            imported = read(path)
            rows = imported.model.params[name]
            gates = np.split(rows, max(1, len(rows) // imported.model.layers[0].units))
            for one in range(len(gates)):
                for other in range(one):
                    order = list(range(len(gates)))
                    order[one], order[other] = other, one
                    imported.model.params[name] = np.concatenate([gates[place] for place in order])
                    assert not prove(imported).holds, (name, one, other)
                    count += 1
            imported.model.params[name] = rows[::-1]
            assert not prove(imported).holds, (name, "reversed")
        assert count == {"lstm": 18, "gru": 9}[kind]
        imported = read(path)
        if kind == "gru":  # biases summed, as if the reset came before the product
            imported.model.params["0.bias"] = imported.model.params["0.bias"] + np.pad(
                imported.model.params["0.bias_hn"], (2 * imported.model.layers[0].units, 0)
            )
            imported.model.params["0.bias_hn"] = 0 * imported.model.params["0.bias_hn"]
            assert not prove(imported).holds

    @pytest.mark.parametrize("shared", [False, True])
    def test_slopes(self, put: Callable[[Any], Path], shared: bool, tmp_path: Path) -> None:
        whole = document("dense", seed=6)
        units = whole["layers"][0]["shape"][-1]
        whole["layers"][0]["activation"] = "tanh"
        slopes = [0.25] if shared else np.random.default_rng(0).normal(size=units).tolist()
        whole["layers"].append({"type": "prelu", "activation": "", "shape": [None, None, units], "weights": [[slopes]]})
        imported = read(put(whole))
        assert prove(imported).error < 2e-6
        to_rtneural(imported.model, tmp_path / "again.json")
        x = np.random.default_rng(0).normal(size=(2, 7, 2))
        np.testing.assert_array_equal(from_rtneural(tmp_path / "again.json").predict(x), imported.model.predict(x))
        imported.model.params["1.alpha"] = 1 - imported.model.params["1.alpha"]
        assert not prove(imported).holds

    def test_in_double_precision(self, put: Callable[[Any], Path]) -> None:
        imported = read(put(document("gru", "lstm", "dense", seed=4)), dtype="float64")
        proof = prove(imported)
        assert (proof.differences[0].tolerance, proof.holds) == (1e-10, True)

    def test_every_step_has_an_output_whatever_the_shape_says(self, put: Callable[[Any], Path]) -> None:
        last = document("lstm", "dense", seed=5)
        for one in last["layers"]:
            one["shape"] = one["shape"][1:]  # as Keras gives it without return_sequences
        model = from_rtneural(put(last))
        x = np.random.default_rng(0).normal(size=(2, 7, 2))
        assert model.predict(x).shape[:2] == (2, 7)
        state = None
        for t in range(7):
            y, state = model.step(x[:, t].astype("float32"), state)
            np.testing.assert_array_equal(y, model.predict(x)[:, t])

    def test_found_by_its_content(self, put: Callable[[Any], Path]) -> None:
        path = put("\n " + json.dumps(document("gru")))
        assert isinstance(seqkit.interop.load(path), seqkit.Sequential)
        assert formats.find(path).name == "rtneural"


class TestStateDicts:
    """The form of RTNeural's torch_helpers.h."""

    def document(self) -> dict[str, Any]:
        rng = np.random.default_rng(3)
        shapes = {"weight_ih_l0": (12, 1), "weight_hh_l0": (12, 4), "bias_ih_l0": (12,), "bias_hh_l0": (12,)}
        arrays = {f"gru.{name}": rng.normal(size=shape) for name, shape in shapes.items()}
        arrays |= {"dense.weight": rng.normal(size=(2, 4)), "dense.bias": rng.normal(size=2)}
        return {name: array.astype(np.float32).tolist() for name, array in arrays.items()}

    def test_mapped(self, put: Callable[[Any], Path]) -> None:
        path = put(self.document())
        layers = [{"kind": "gru", "prefix": "gru"}, {"kind": "linear", "prefix": "dense", "activation": "tanh"}]
        imported = read(path, mapping={"layers": layers})
        assert imported.source == "PyTorch state dict as JSON"
        assert prove(imported).error < 2e-6
        assert imported.model.predict(np.ones((1, 3, 1))).shape == (1, 3, 2)
        assert formats.load(path, prefix="gru", dtype="float64").dtype == "float64"

    def test_without_a_mapping(self, put: Callable[[Any], Path]) -> None:
        with pytest.raises(ConvertError, match=r"model\.json: .*mapping"):
            from_rtneural(put(self.document()))
        with pytest.raises(ConvertError, match="prefix and mapping are for state dicts"):
            from_rtneural(put(document("gru")), prefix="gru")

    @pytest.mark.parametrize("value", [[], [[]], [[1], [1, 2]], ["1"], [[None]], [1e99], [{}]])
    def test_damaged(self, put: Callable[[Any], Path], value: Any) -> None:
        with pytest.raises(LoadError, match=r"model\.json: gru\.bias_ih_l0"):
            from_rtneural(put(self.document() | {"gru.bias_ih_l0": value}))


def broken(change: Callable[[dict[str, Any]], Any], *kinds: str) -> dict[str, Any]:
    whole = document(*(kinds or ("lstm", "dense")), seed=1)
    change(whole)
    return whole


def first(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda whole: whole["layers"][0].update(changes)


DAMAGED = {
    "no layers": {"in_shape": [None, 1], "layers": []},
    "missing": {"in_shape": [None, 1]},
    "layers no list": {"in_shape": [None, 1], "layers": {}},
    "layer no object": {"in_shape": [None, 1], "layers": [3]},
    "no object": "[1, 2]",
    "no JSON": "{in_shape",
    "NaN": '{"in_shape": [null, 1], "layers": [{"type": "dense", "shape": [1], "weights": [[[NaN]], [0]]}]}',
    "infinite": '{"in_shape": [null, 1], "layers": [{"type": "dense", "shape": [1], "weights": [[[1e999]], [0]]}]}',
    "too large": '{"in_shape": [null, 1], "layers": [{"type": "dense", "shape": [1], "weights": [[[1e99]], [0]]}]}',
    "twice": '{"in_shape": [null, 1], "in_shape": [null, 2], "layers": []}',
    "shape 0": broken(first(shape=[None, None, 0])),
    "shape none": broken(first(shape=[])),
    "shape null": broken(first(shape=[None, None, None])),
    "shape true": '{"in_shape": [null, 1], "layers": [{"type": "dense", "shape": [true], "weights": [[[1]], [0]]}]}',
    "shape 1.0": broken(first(shape=[None, None, 1.0])),
    "shape huge": broken(first(shape=[None, None, 10**15])),
    "other units": broken(lambda whole: first(shape=[None, None, whole["layers"][0]["shape"][-1] + 1])(whole)),
    "other features": broken(lambda whole: whole.update(in_shape=[None, None, 3])),
    "one array too few": broken(lambda whole: whole["layers"][0]["weights"].pop()),
    "one array too many": broken(lambda whole: whole["layers"][0]["weights"].append([])),
    "text": broken(lambda whole: whole["layers"][0]["weights"][2].__setitem__(0, "1")),
    "true": broken(lambda whole: whole["layers"][0]["weights"][2].__setitem__(0, True)),
    "null": broken(lambda whole: whole["layers"][0]["weights"][2].__setitem__(0, None)),
    "ragged": broken(lambda whole: whole["layers"][0]["weights"][1][0].pop()),
    "deeper": broken(lambda whole: whole["layers"][0]["weights"][2].__setitem__(0, [1])),
    "no bias": broken(lambda whole: whole["layers"][1]["weights"].pop()),
    "one bias of a GRU": broken(lambda whole: whole["layers"][0]["weights"][2].pop(), "gru"),
    "five gates": broken(lambda whole: [row.extend(row[:2]) for row in whole["layers"][0]["weights"][0]]),
    "activation grows": broken(
        lambda whole: whole["layers"].append(
            {"type": "activation", "activation": "relu", "shape": [None, 99], "weights": []}
        )
    ),
}

NOT_REPRESENTED = {
    "conv1d": (broken(first(type="conv1d", kernel_size=[3], dilation=[1])), "layer 0 is a 'conv1d', there is no such"),
    "batchnorm": (broken(first(type="batchnorm", epsilon=0.001)), "batchnorm"),
    "both": (broken(lambda whole: (first(type="conv1d")(whole), whole["layers"][1].update(type="unknown"))), "layer 1"),
    "new type": (broken(first(type="transformer")), "the type 'transformer' is not known"),
    "no type": (broken(lambda whole: whole["layers"][0].pop("type")), "the type None is not known"),
    "list as type": (broken(first(type=["lstm"])), "is not known"),
    "activation": (broken(first(activation="relu")), "RTNeural always computes tanh"),
    "new activation": (broken(lambda whole: whole["layers"][1].update(activation="swish")), "'swish' is not known"),
    "list as activation": (broken(lambda whole: whole["layers"][1].update(activation=[])), "is not known"),
    "images": (broken(lambda whole: whole.update(in_shape=[None, 2, 3, 4])), "images"),
    "skip": (broken(lambda whole: whole.update(in_skip=1)), "'in_skip' cannot be represented"),
    "more": (broken(first(alpha=0.1)), "'alpha' cannot be represented"),
}


class TestRefusing:
    @pytest.mark.parametrize("name", DAMAGED)
    def test_damaged(self, put: Callable[[Any], Path], name: str) -> None:
        with pytest.raises(LoadError, match=r"model\.json"):
            from_rtneural(put(DAMAGED[name]))

    @pytest.mark.parametrize("name", NOT_REPRESENTED)
    def test_what_cannot_be_represented(self, put: Callable[[Any], Path], name: str) -> None:
        content, message = NOT_REPRESENTED[name]
        with pytest.raises(ConvertError, match=message):
            from_rtneural(put(content))

    def test_made_to_do_harm(self, put: Callable[[Any], Path]) -> None:
        deep = '{"in_shape": [null, 1], "layers": ' + "[" * 100_000
        with pytest.raises(UnsafeFileError):
            from_rtneural(put(deep))
        with pytest.raises(LoadError):
            from_rtneural(put('{"in_shape": [null, ' + "9" * 100_000 + '], "layers": []}'))

    def test_cut_anywhere(self, put: Callable[[Any], Path]) -> None:
        text = json.dumps(document("gru", "dense"))
        for end in range(0, len(text), 97):
            with pytest.raises(SeqkitError):
                from_rtneural(put(text[:end]))


class TestWriting:
    def model(self, *layers: Any, dtype: str = "float32") -> seqkit.Sequential:
        model = seqkit.Sequential(layers, seed=2, dtype=dtype)
        for name, array in model.params.items():
            model.params[name] = np.random.default_rng(len(name)).normal(size=array.shape)
        return model

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_the_same_bits(self, tmp_path: Path, dtype: str) -> None:
        model = self.model(
            seqkit.LSTM(5, return_sequences=True, input_shape=(None, 3), dropout=0.2),
            seqkit.Dropout(0.5),
            seqkit.GRU(1, return_sequences=True),
            seqkit.Dense(4, "softmax"),
            seqkit.Activation("elu"),
            seqkit.PReLU("random_uniform"),
            seqkit.Dense(2),
            dtype=dtype,
        )
        path = tmp_path / "m.json"
        seqkit.interop.save(model, path)
        again = from_rtneural(path, dtype)
        x = np.random.default_rng(0).normal(size=(3, 11, 3))
        np.testing.assert_array_equal(again.predict(x), model.predict(x))
        assert len(again.layers) == 6
        assert prove(read(path, dtype)).holds
        to_rtneural(again, tmp_path / "again.json")
        assert (tmp_path / "again.json").read_bytes() == path.read_bytes()

    @pytest.mark.parametrize("name", ["lstm", "gru", "dense"])
    def test_without_bias(self, tmp_path: Path, name: str) -> None:
        options = {} if name == "dense" else {"return_sequences": True}
        model = self.model(seqkit.create(name, 3, use_bias=False, input_shape=(None, 2), **options))
        to_rtneural(model, tmp_path / "m.json")
        x = np.random.default_rng(0).normal(size=(3, 11, 2))
        np.testing.assert_array_equal(from_rtneural(tmp_path / "m.json").predict(x), model.predict(x))

    def test_a_layer_alone(self, tmp_path: Path) -> None:
        layer = seqkit.GRU(3, return_sequences=True).build(2, seed=0)
        to_rtneural(layer, tmp_path / "m.json")
        x = np.random.default_rng(0).normal(size=(3, 11, 2))
        np.testing.assert_array_equal(from_rtneural(tmp_path / "m.json").predict(x), layer(x))

    @pytest.mark.parametrize(
        ("layer", "message"),
        [
            (seqkit.LSTM(3), "return_sequences=False cannot be represented"),
            (seqkit.LSTM(3, return_sequences=True, go_backwards=True), "go_backwards=True"),
            (seqkit.LSTM(3, return_sequences=True, activation="relu"), "activation='relu'"),
            (seqkit.LSTM(3, return_sequences=True, recurrent_activation="hard_sigmoid"), "recurrent_activation"),
            (seqkit.LSTM(3, return_sequences=True, zoneout={"h": 0.1}), "zoneout"),
            (seqkit.LSTM(3, return_sequences=True, initial_state="learned"), "initial_state='learned'"),
            (seqkit.GRU(3, return_sequences=True, reset_after=False), "reset_after=False"),
            (seqkit.PeepholeLSTM(3, return_sequences=True), "RTNeural has no such layer"),
            (seqkit.Bidirectional(seqkit.GRU(3, return_sequences=True)), "RTNeural has no such layer"),
            (seqkit.Embedding(3, 2), "RTNeural has no such layer"),
        ],
    )
    def test_what_cannot_be_represented(self, tmp_path: Path, layer: Any, message: str) -> None:
        path = tmp_path / "m.json"
        path.write_text("what was here before")
        with pytest.raises(ConvertError, match=message) as caught:
            to_rtneural(seqkit.Sequential([layer]).build(1 if layer.accepts_ids else 2), path)
        assert "layer 0" in str(caught.value)
        assert path.read_text() == "what was here before"

    def test_low_precision_and_nan(self, tmp_path: Path) -> None:
        model = self.model(seqkit.GRU(3, return_sequences=True, input_shape=(None, 2)))
        with pytest.raises(ConvertError, match="precision='int8'"):
            to_rtneural(model.quantize("int8"), tmp_path / "m.json")
        model.params["0.bias"] = model.params["0.bias"] * np.nan
        with pytest.raises(ConvertError, match="NaN and infinite"):
            to_rtneural(model, tmp_path / "m.json")
        assert list(tmp_path.iterdir()) == []
