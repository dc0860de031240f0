"""Models of PyTorch without PyTorch: kept files, names and shapes of state dicts, mappings, and the way back."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pickles import saved
from safetensors.numpy import load_file, save_file

import seqkit
from seqkit import interop
from seqkit.errors import ConvertError, LoadError, SeqkitError, UnsafeFileError
from seqkit.interop.reference import torch as equations
from seqkit.interop.torch import from_torch, mapping, read, state_dict

KEPT = Path(__file__).parent / "vectors" / "torch"
GATES = {"lstm": 4, "gru": 3, "rnn": 1}
Weights = dict[str, np.ndarray]


def recurrent(
    kind: str, rng: Any, inputs: int = 3, units: int = 4, layers: int = 1, directions: int = 1, bias: bool = True,
    projection: int = 0, dtype: str = "float32",
) -> Weights:  # fmt: skip
    """A state dict of nn.LSTM, nn.GRU or nn.RNN with random numbers."""
    rows, state = GATES[kind] * units, projection or units
    arrays = {}
    for layer in range(layers):
        for direction in range(directions):
            size = directions * state if layer else inputs
            shapes = {"weight_ih": (rows, size), "weight_hh": (rows, state), "bias_ih": (rows,), "bias_hh": (rows,)}
            shapes |= {"weight_hr": (projection, units)} if projection else {}
            for name, shape in shapes.items():
                if bias or "bias" not in name:
                    key = f"{name}_l{layer}{'_reverse' * direction}"
                    arrays[key] = (0.5 * rng.standard_normal(shape)).astype(dtype)
    return arrays


def proven(imported: interop.imported.Imported, seed: int = 0) -> float:
    """The largest difference from the float64 reference on ragged batches, of numbers above 1 in proportion."""
    rng, errors = np.random.default_rng(seed), []
    oracle = imported.reference()
    for _ in range(3):
        inputs = imported.draw(rng)
        expected = oracle.run(inputs)["y"]
        errors.append(np.abs(imported.run(inputs)["y"] - expected).max() / max(1, np.abs(expected).max()))
    return max(errors)


# ---- kept files ------------------------------------------------------------------------------------------

FILES: dict[str, dict[str, Any]] = {
    "lstm.pt": {},
    "checkpoint.pt": {"prefix": "encoder"},
    "half.pt": {"nonlinearity": "relu", "dtype": "float32"},
    "projected.safetensors": {},
    "tagger.safetensors": {"mapping": KEPT / "tagger.toml"},
    "tagger.pt": {"mapping": KEPT / "tagger.toml"},
}


@pytest.mark.parametrize("file", FILES)
def test_kept_files_give_what_pytorch_gave(file: str) -> None:
    imported = read(KEPT / file, **FILES[file])
    kept = np.load(KEPT / f"{Path(file).stem}.npz")
    y = imported.run({"x": kept["x"], "lengths": kept["lengths"]})["y"]
    assert y.shape == kept["y"].shape
    assert np.abs(y - kept["y"]).max() < 1e-6
    assert proven(imported) < 1e-6


def test_any_format_is_found() -> None:
    model = interop.load(KEPT / "lstm.pt")
    assert [layer.name for layer in model.layers] == ["bidirectional", "bidirectional"]
    assert np.array_equal(
        model.params["1.forward.weight_ih"], from_torch(KEPT / "lstm.pt").params["1.forward.weight_ih"]
    )


# ---- names and shapes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("kind", GATES)
def test_state_dicts_of_every_form(kind: str, layers: int, directions: int, bias: bool, dtype: str) -> None:
    rng = np.random.default_rng(layers + 10 * directions + 100 * bias)
    arrays = recurrent(kind, rng, layers=layers, directions=directions, bias=bias, dtype=dtype)
    function = {"nonlinearity": str(rng.choice(["tanh", "relu"]))} if kind == "rnn" else {}
    for last in (True, False):
        imported = read(arrays, return_sequences=last, **function)
        assert proven(imported) < (1e-6 if dtype == "float32" else 1e-13)
        assert imported.model.layers[0].dtype == dtype


@pytest.mark.parametrize(("layers", "directions"), [(1, 1), (1, 2), (3, 2)])
def test_projection(layers: int, directions: int) -> None:
    rng = np.random.default_rng(5)
    arrays = recurrent("lstm", rng, units=6, projection=2, layers=layers, directions=directions, dtype="float64")
    assert proven(read(arrays)) < 1e-13


def test_the_output_is_that_of_the_equations_themselves() -> None:
    """Not by way of the oracle of the reader."""
    rng = np.random.default_rng(3)
    arrays, x = recurrent("gru", rng, layers=2, directions=2, dtype="float64"), rng.standard_normal((4, 7, 3))
    expected, _ = equations.gru(x, arrays, layers=2, bidirectional=True, batch_first=True, lengths=[7, 1, 3, 6])
    assert np.abs(from_torch(arrays).predict(x, lengths=[7, 1, 3, 6]) - expected).max() < 1e-13


@pytest.mark.parametrize("kind", GATES)
def test_cells(kind: str) -> None:
    arrays = recurrent(kind, np.random.default_rng(1))
    function = {"nonlinearity": "tanh"} if kind == "rnn" else {}
    cell = from_torch({name.removesuffix("_l0"): array for name, array in arrays.items()}, **function)
    layer = from_torch(arrays, **function)
    assert type(cell) is type(layer)
    assert all(np.array_equal(cell.params[name], layer.params[name]) for name in layer.params)
    assert cell.return_sequences


def test_large_layers_are_not_made_orthogonal_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It would take longer than everything else, and all of it is replaced."""
    model = from_torch(recurrent("gru", np.random.default_rng(0), units=20, layers=2, directions=2))
    model.save(tmp_path / "m.safetensors")
    monkeypatch.setattr("seqkit.initializers._BLOCK", 0)  # orthogonal() raises
    again = from_torch(state_dict(model))
    loaded = seqkit.load(tmp_path / "m.safetensors")
    assert all(np.array_equal(loaded.params[name], again.params[name]) for name in model.params)
    with pytest.raises(ValueError, match="arg 3 must not be zero"):
        seqkit.GRU(3).build(2)


def test_a_prefix_chooses() -> None:
    rng = np.random.default_rng(2)
    first, second = recurrent("lstm", rng), recurrent("gru", rng)
    arrays = {f"a.rnn.{name}": array for name, array in first.items()}
    arrays |= {f"b.{name}": array for name, array in second.items()} | {"fc.weight": np.ones((2, 4), np.float32)}
    assert from_torch(arrays, "a.rnn").name == "lstm"
    assert from_torch(arrays, prefix="b.").name == "gru"
    with pytest.raises(
        ConvertError, match=r"no recurrent layer under the prefix ''; .* under 'a.rnn', 'b'. Say prefix"
    ):
        from_torch(arrays)
    with pytest.raises(ConvertError, match=r"there is none at all"):
        from_torch({"fc.weight": arrays["fc.weight"]})


def test_dropout_between_layers() -> None:
    model = from_torch(recurrent("lstm", np.random.default_rng(0), layers=3), dropout=0.25)
    assert [layer.name for layer in model.layers] == ["lstm", "dropout", "lstm", "dropout", "lstm"]
    assert [layer.rate for layer in model.layers[1::2]] == [0.25, 0.25]


def test_half_precision_is_widened_where_asked() -> None:
    arrays = {name: array.astype(np.float16) for name, array in recurrent("gru", np.random.default_rng(0)).items()}
    with pytest.raises(ConvertError, match=r"the weights are float16; say dtype='float32'"):
        from_torch(arrays)
    for dtype in ("float32", "float64"):
        layer = from_torch(arrays, dtype=dtype)
        assert layer.dtype == dtype
        assert np.array_equal(layer.params["weight_hh"], arrays["weight_hh_l0"])


def test_types_that_would_round_are_refused() -> None:
    arrays = recurrent("lstm", np.random.default_rng(0), dtype="float64")
    with pytest.raises(ConvertError, match="are float64, more than float32 holds"):
        from_torch(arrays, dtype="float32")
    with pytest.raises(ConvertError, match=r"float32 and float64"):
        from_torch(arrays | {"weight_ih_l0": arrays["weight_ih_l0"].astype(np.float32)})
    with pytest.raises(ConvertError, match=r"dtype must be 'float32' or 'float64', got 'int8'"):
        from_torch(arrays, dtype="int8")
    with pytest.raises(ConvertError, match="int64"):
        from_torch({name: array.astype(int) for name, array in arrays.items()}, dtype="float64")


LSTM = recurrent("lstm", np.random.default_rng(0), layers=2, directions=2)
FAULTY: dict[str, tuple[dict[str, Any], str]] = {
    "a tensor too many": ({**LSTM, "head.weight": np.ones(2)}, "'head.weight' is not a tensor of nn.LSTM"),
    "a name beside": ({**LSTM, "weight_ii_l0": np.ones(2)}, "'weight_ii_l0' is not a tensor"),
    "a number with zeros": ({**LSTM, "weight_ih_l00": np.ones(2)}, "'weight_ih_l00' is not a tensor"),
    "a missing layer": ({name: a for name, a in LSTM.items() if "_l0" not in name}, "tensors .* missing"),
    "a missing direction": ({name: a for name, a in LSTM.items() if "l1_reverse" not in name}, "missing"),
    "one bias": ({name: a for name, a in LSTM.items() if "bias_hh" not in name}, "missing"),
    "a missing tensor": ({name: a for name, a in LSTM.items() if name != "weight_hh_l1"}, "missing"),
    "a bias of one layer": ({name: a for name, a in LSTM.items() if "bias" not in name or "l0" in name}, "missing"),
    "a cell beside": ({**LSTM, "weight_ih": LSTM["weight_ih_l0"]}, "'weight_ih"),
    "a vector": ({**LSTM, "weight_ih_l0": np.ones(16)}, r"shape \(16,\), expected a matrix"),
    "two gates": ({"weight_ih_l0": np.ones((8, 3)), "weight_hh_l0": np.ones((8, 4))}, "no LSTM"),
    "rows of no gates": ({"weight_ih_l0": np.ones((7, 3)), "weight_hh_l0": np.ones((7, 4))}, "expected"),
    "no units": ({"weight_ih_l0": np.ones((0, 3)), "weight_hh_l0": np.ones((0, 0))}, "no LSTM"),
    "no features": ({"weight_ih_l0": np.ones((16, 0)), "weight_hh_l0": np.ones((16, 4))}, "expected"),
    "a wrong bias": ({**LSTM, "bias_ih_l0": np.ones(17)}, r"bias_ih of layer 0 has shape \(17,\), expected \(16,\)"),
    "features of the second layer": ({**LSTM, "weight_ih_l1": np.ones((16, 4))}, r"expected \(16, 8\)"),
    "features of the other way": ({**LSTM, "weight_ih_l0_reverse": np.ones((16, 4))}, r"expected \(16, 3\)"),
    "a projected GRU": (
        {"weight_ih_l0": np.ones((12, 3)), "weight_hh_l0": np.ones((12, 2)), "weight_hr_l0": np.ones((2, 4))},
        "no LSTM",
    ),
}


@pytest.mark.parametrize("kind", FAULTY)
def test_state_dicts_that_are_none(kind: str) -> None:
    arrays, words = FAULTY[kind]
    with pytest.raises(ConvertError, match=words):
        from_torch(arrays)


def test_what_the_weights_do_not_tell() -> None:
    arrays = recurrent("rnn", np.random.default_rng(0))
    with pytest.raises(ConvertError, match="do not tell its function; say nonlinearity='tanh' or 'relu'"):
        from_torch(arrays)
    with pytest.raises(ConvertError, match="nonlinearity cannot be 'sigmoid'"):
        from_torch(arrays, nonlinearity="sigmoid")
    with pytest.raises(ConvertError, match=r"nonlinearity is of nn.RNN, the tensors are those of nn.LSTM"):
        from_torch(LSTM, nonlinearity="tanh")
    with pytest.raises(ConvertError, match="dropout cannot be 1"):
        from_torch(LSTM, dropout=1)
    with pytest.raises(ConvertError, match=r"takes a path, a state dict or a torch.nn.Module"):
        from_torch(3)
    with pytest.raises(ConvertError, match="a key only with a path"):
        from_torch(LSTM, key="model")


# ---- safetensors -----------------------------------------------------------------------------------------


def test_safetensors_with_half_precision(tmp_path: Path) -> None:
    arrays = recurrent("gru", np.random.default_rng(4))
    header, data = {}, b""
    for name, array in arrays.items():
        bits = (array.view(np.uint32) >> 16).astype("<u2").tobytes()
        header[name] = {"dtype": "BF16", "shape": array.shape, "data_offsets": [len(data), len(data) + len(bits)]}
        data += bits
    text = json.dumps(header).encode()
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
    layer = from_torch(tmp_path / "a.safetensors", dtype="float32")
    expected = (arrays["weight_ih_l0"].view(np.uint32) & 0xFFFF0000).view(np.float32)
    assert np.array_equal(layer.params["weight_ih"], expected)


def test_safetensors_that_lie(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file(recurrent("gru", np.random.default_rng(4)), path)
    data = path.read_bytes()
    path.write_bytes(data + b"polyglot")
    with pytest.raises(UnsafeFileError):
        from_torch(path)
    path.write_bytes(data.replace(b'"F32"', b'"U16"', 1).replace(b"[12,3]", b"[24,3]"))
    with pytest.raises(SeqkitError):
        from_torch(path)


# ---- mappings --------------------------------------------------------------------------------------------


def model_arrays(rng: Any) -> Weights:
    """A table of 9 ids, an LSTM of two directions, a linear layer without and one with a bias."""
    arrays = {"embed.weight": rng.standard_normal((9, 3)).astype(np.float32)}
    arrays |= {f"rnn.{name}": array for name, array in recurrent("lstm", rng, layers=2, directions=2).items()}
    shapes = {"mid.weight": (5, 8), "head.weight": (2, 5), "head.bias": (2,)}
    return arrays | {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


PARTS: list[dict[str, Any]] = [
    {"kind": "embedding", "prefix": "embed"},
    {"kind": "dropout", "p": 0.5},
    {"kind": "lstm", "prefix": "rnn.", "dropout": 0.2},
    {"kind": "last_step"},
    {"kind": "linear", "prefix": "mid", "activation": "tanh"},
    {"kind": "linear", "prefix": "head"},
]


def test_a_whole_model_by_a_mapping(tmp_path: Path) -> None:
    arrays = model_arrays(np.random.default_rng(0))
    imported = read(arrays, mapping={"layers": PARTS})
    names = ["embedding", "dropout", "bidirectional", "dropout", "bidirectional", "last_step", "dense", "dense"]
    assert [layer.name for layer in imported.model.layers] == names
    assert proven(imported) < 1e-6
    (tmp_path / "map.json").write_text(json.dumps({"layers": PARTS}))
    (tmp_path / "a.pt").write_bytes(saved(arrays))
    loaded = from_torch(tmp_path / "a.pt", mapping=tmp_path / "map.json")
    assert all(np.array_equal(loaded.params[name], imported.model.params[name]) for name in loaded.params)


@pytest.mark.parametrize("activation", ["linear", "relu", "tanh", "sigmoid", "softmax"])
def test_activations(activation: str) -> None:
    arrays = {"f.weight": np.random.default_rng(0).standard_normal((4, 3))}
    imported = read(arrays, mapping={"layers": [{"kind": "linear", "prefix": "f", "activation": activation}]})
    assert proven(imported) < 1e-14
    assert imported.model.layers[0].activation == activation
    apart = [{"kind": "linear", "prefix": "f"}, {"kind": "activation", "function": activation}]
    imported = read(arrays, mapping={"layers": apart})
    assert proven(imported) < 1e-14
    assert mapping(imported.model)["layers"] == [{**apart[0], "activation": "linear"}, apart[1]]


def changed(number: int, **changes: Any) -> dict[str, Any]:
    parts = [dict(part) for part in PARTS]
    parts[number] |= changes
    return {"layers": parts}


MAPPINGS: dict[str, tuple[Any, str]] = {
    "an unknown key": ({"layers": PARTS, "ingore": []}, "expected a list 'layers' and perhaps 'ignore', got"),
    "no layers": ({}, "expected a list 'layers'"),
    "layers of another kind": ({"layers": {}}, "expected a list 'layers'"),
    "an unknown kind": (changed(0, kind="conv1d"), "kind must be one of embedding, linear"),
    "no kind": ({"layers": [{"prefix": "rnn"}]}, "expected a table with a kind"),
    "an unknown option": (changed(2, droppout=0.1), "lstm has no option 'droppout'; it has dropout"),
    "an option of others": (changed(2, nonlinearity="relu"), "lstm has no option 'nonlinearity'"),
    "a wrong prefix": (changed(2, prefix="rn"), "no tensor begins with 'rn.'; there are embed.weight"),
    "a prefix that is no text": (changed(2, prefix=1), "prefix must be a name"),
    "a wrong rate": (changed(1, p=-0.1), "option p cannot be -0.1"),
    "a rate that is false": (changed(1, p=False), "option p cannot be False"),
    "a wrong activation": (changed(4, activation="gelu"), "option activation cannot be 'gelu'"),
    "a list as an activation": (changed(4, activation=["tanh"]), "option activation cannot be"),
    "another kind of weights": (changed(2, kind="gru"), "the tensors are those of nn.LSTM, not of gru"),
    "a linear part of an LSTM": (changed(4, prefix="rnn"), "linear needs a matrix 'weight'"),
    "a tensor of nobody": ({"layers": PARTS[:-1]}, "no layer has head.weight, head.bias"),
    "an ignored one of nobody": ({"layers": PARTS, "ignore": ["nothing.*"]}, "which is no tensor"),
    "an ignored one that is used": ({"layers": PARTS, "ignore": ["head.*"]}, "or one that a layer has"),
    "ignore that is a name": ({"layers": PARTS, "ignore": "head.*"}, "'ignore' must be a list"),
    "used twice": ({"layers": [*PARTS, {"kind": "linear", "prefix": "head"}]}, "belongs to .* layer 5"),
    "parts that do not fit": ({"layers": [*PARTS[:4], PARTS[5], PARTS[4]]}, "it reads 5 features, .* gives 8"),
    "an embedding later": ({"layers": [PARTS[1], *PARTS]}, "can only be the first part"),
    "sequences of vectors": ({"layers": [*PARTS[:3], PARTS[3], PARTS[3], *PARTS[4:]]}, "reads sequences"),
}


@pytest.mark.parametrize("kind", MAPPINGS)
def test_wrong_mappings(kind: str) -> None:
    described, words = MAPPINGS[kind]
    with pytest.raises(ConvertError, match=words):
        from_torch(model_arrays(np.random.default_rng(0)), mapping=described)


def test_what_is_not_needed_is_ignored() -> None:
    arrays = model_arrays(np.random.default_rng(0))
    extra = {"step": np.array(3), "aux.a": np.ones(2), "aux.b": np.ones(2)}
    found = from_torch(arrays | extra, mapping={"layers": PARTS, "ignore": ["aux.*", "step"]})
    assert len(found.layers) == 8


def test_mapping_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "map.toml"
    for text in ("layers = [", "\xff", "a = " + "[" * 5000, "layers = 1\nlayers = 2"):
        path.write_text(text, encoding="latin-1")
        with pytest.raises(LoadError, match=r"map.toml: not a TOML file"):
            from_torch(LSTM, mapping=path)
    with pytest.raises(ConvertError, match=r"with a mapping, say prefix there"):
        from_torch(LSTM, "rnn", mapping=path)


# ---- the way back ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("kind", GATES)
def test_a_state_dict_comes_back(kind: str, layers: int, directions: int, dtype: str) -> None:
    """The names and weights themselves; of the biases the sum, but for that of GRU's candidate."""
    arrays = recurrent(kind, np.random.default_rng(9), layers=layers, directions=directions, dtype=dtype)
    options = {"nonlinearity": "relu"} if kind == "rnn" else {}
    model = from_torch(arrays, **options)
    back = state_dict(model)
    assert set(back) == set(arrays)
    for name, array in arrays.items():
        assert back[name].dtype == dtype
        if "bias" not in name:
            assert np.array_equal(back[name], array)
        elif "bias_ih" in name:
            other = name.replace("ih", "hh")
            assert np.array_equal(back[name] + back[other], array + arrays[other])
    again = from_torch(back, **options)
    assert all(np.array_equal(again.params[name], model.params[name]) for name in model.params)


def test_a_whole_model_comes_back_under_its_names(tmp_path: Path) -> None:
    arrays = model_arrays(np.random.default_rng(0))
    model = from_torch(arrays, mapping={"layers": PARTS})
    model.save(tmp_path / "m.safetensors")
    loaded = seqkit.load(tmp_path / "m.safetensors")
    back = state_dict(loaded)
    assert set(back) == set(arrays)
    assert all(np.array_equal(back[name], arrays[name]) for name in arrays if "bias_" not in name)
    described = mapping(loaded)
    assert [part["kind"] for part in described["layers"]] == [part["kind"] for part in PARTS]
    save_file(back, tmp_path / "back.safetensors")
    again = from_torch(tmp_path / "back.safetensors", mapping=described)
    assert [repr(layer) for layer in again.layers] == [repr(layer) for layer in model.layers]
    assert all(np.array_equal(again.params[name], model.params[name]) for name in model.params)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_layer_is_saved_as_a_model(tmp_path: Path, dtype: str) -> None:
    layer = from_torch(recurrent("lstm", np.random.default_rng(0), directions=2, dtype=dtype))
    interop.save(layer, tmp_path / "m.safetensors")
    model, x = interop.load(tmp_path / "m.safetensors"), np.random.default_rng(1).standard_normal((2, 4, 3))
    assert np.array_equal(model.predict(x), layer(x))
    assert model.predict(x).dtype == dtype


def test_a_model_from_here_goes_there() -> None:
    layers = [
        seqkit.Embedding(7, 3),
        seqkit.Bidirectional(seqkit.GRU(4, return_sequences=True)),
        seqkit.Dropout(0.1),
        seqkit.SimpleRNN(5, activation="relu", return_sequences=True),
        seqkit.create("projected_lstm", 6, projection=2),
        seqkit.Dense(2, activation="softmax"),
    ]
    model = seqkit.Sequential(layers, seed=0)
    arrays = state_dict(model)
    assert {name.partition(".")[0] for name in arrays} == {"0", "1", "3", "4", "5"}
    again = from_torch(arrays, mapping=mapping(model))
    ids = np.random.default_rng(0).integers(0, 7, (3, 5))
    assert np.array_equal(again.predict(ids, lengths=[5, 1, 3]), model.predict(ids, lengths=[5, 1, 3]))


def test_equal_layers_are_one_stack() -> None:
    layers = [seqkit.LSTM(4, return_sequences=True), seqkit.Dropout(0.3), seqkit.LSTM(4)]
    model = seqkit.Sequential(layers, seed=0).build(4)
    assert set(state_dict(model)) == set(recurrent("lstm", np.random.default_rng(0), layers=2))
    expected = {"kind": "lstm", "prefix": "", "return_sequences": False, "dropout": 0.3}
    assert mapping(model) == {"layers": [expected]}
    plain = lambda: seqkit.LSTM(4, return_sequences=True)  # noqa: E731
    for mixed in ([plain(), seqkit.Dropout(0.3), plain(), plain()], [plain(), plain(), seqkit.Dropout(0.3), plain()]):
        numbered = seqkit.Sequential(mixed, seed=0).build(4)
        assert len({name.partition(".")[0] for name in state_dict(numbered)}) == 3
        assert [part["kind"] for part in mapping(numbered)["layers"]].count("dropout") == 1
    uneven = seqkit.Sequential([seqkit.LSTM(4, return_sequences=True), seqkit.LSTM(5)], seed=0).build(4)
    assert {name.partition(".")[0] for name in state_dict(uneven)} == {"0", "1"}


def bidirectional(mode: str | None) -> Any:
    return seqkit.Bidirectional(seqkit.LSTM(3), merge_mode=mode)


NOT_THERE: dict[str, tuple[Any, str]] = {
    "peephole": (lambda: seqkit.PeepholeLSTM(3), "no such cell"),
    "reset before": (lambda: seqkit.GRU(3, reset_after=False), "reset_after"),
    "activation": (lambda: seqkit.LSTM(3, activation="relu"), "cannot have this activation"),
    "output activation": (lambda: seqkit.LSTM(3, output_activation="relu"), "this output_activation"),
    "coupled gates": (lambda: seqkit.LSTM(3, forget_gate="coupled"), "this forget_gate"),
    "clipped": (lambda: seqkit.GRU(3, activation={"name": "tanh", "clip": 1.0}), "this activation"),
    "linear rnn": (lambda: seqkit.SimpleRNN(3, activation="linear"), "this activation"),
    "recurrent activation": (lambda: seqkit.GRU(3, recurrent_activation="hard_sigmoid"), "recurrent_activation"),
    "rnn of sigmoid": (lambda: seqkit.SimpleRNN(3, activation="sigmoid"), "this activation"),
    "zoneout": (lambda: seqkit.LSTM(3, zoneout=0.1), "zoneout"),
    "learned states": (lambda: seqkit.LSTM(3, initial_state="learned"), "initial_state"),
    "backwards": (lambda: seqkit.LSTM(3, go_backwards=True), "no such layer"),
    "sum": (lambda: bidirectional("sum"), "no such layer"),
    "two cells": (
        lambda: seqkit.Bidirectional(seqkit.LSTM(3), backward_layer=seqkit.GRU(3)),
        "no such layer",
    ),
}


@pytest.mark.parametrize("kind", NOT_THERE)
def test_layers_that_pytorch_has_not(kind: str) -> None:
    make, words = NOT_THERE[kind]
    with pytest.raises(ConvertError, match=words):
        state_dict(make().build(2))


def test_functions_that_a_mapping_has_not() -> None:
    for layer in (seqkit.Dense(2, activation="elu"), seqkit.create("activation", {"name": "elu", "alpha": 0.5})):
        with pytest.raises(ConvertError, match="a mapping has no activation"):
            mapping(layer.build(2))


def test_options_that_say_the_usual() -> None:
    usual = {"activation": "tanh", "recurrent_activation": "sigmoid", "unit_forget_bias": False, "forget_gate": "own"}
    layer = seqkit.LSTM(3, output_activation=None, **usual).build(2, seed=0)
    assert np.array_equal(from_torch(state_dict(layer)).params["weight_hh"], layer.params["weight_hh"])


def test_files_that_are_written_are_read(tmp_path: Path) -> None:
    arrays = state_dict(from_torch(KEPT / "projected.safetensors"))
    save_file(arrays, tmp_path / "a.safetensors")
    original = load_file(KEPT / "projected.safetensors")
    assert set(arrays) == set(original)
    assert np.array_equal(arrays["weight_hr_l1_reverse"], original["weight_hr_l1_reverse"])
