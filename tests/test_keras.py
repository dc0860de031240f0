"""Models of Keras: files that Keras has saved, and files and configurations that are wrong."""

from __future__ import annotations

import copy
import itertools
import json
import random
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit.errors import ConvertError, LoadError
from seqkit.interop.keras.config import Block, chain_of
from seqkit.interop.keras.convert import model_of
from seqkit.interop.keras.hdf5 import read_hdf5
from seqkit.interop.keras.inputs import Inputs
from seqkit.interop.keras.oracle import reference_of
from seqkit.interop.keras.read import from_keras, read
from seqkit.interop.keras.weights import filled, shapes, width
from seqkit.layers.masked import Masked

pytest.importorskip("h5py", reason="h5py is not installed")

FOLDER = Path(__file__).parent / "vectors" / "keras"
FILES = ("sentiment.keras", "sensor.h5", "autoencoder.weights.h5")
SENTIMENT = FOLDER / "sentiment.keras"


def options(name: str) -> dict[str, Path]:
    return {"config": FOLDER / f"{name}.json"} if name.endswith(".weights.h5") else {}


@pytest.mark.parametrize("name", FILES)
def test_frozen_models(name: str, tmp_path: Path) -> None:
    imported, vectors = read(FOLDER / name, **options(name)), np.load(FOLDER / f"{name}.npz")
    y = imported.run({"x": vectors["x"]})["y"]
    np.testing.assert_allclose(y, vectors["y"], rtol=0, atol=1e-6)
    exact = imported.reference().run({"x": vectors["x"]})["y"]
    np.testing.assert_allclose(y, exact, rtol=0, atol=1e-6)
    imported.model.save(tmp_path / "m.safetensors")
    again = seqkit.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again.predict(vectors["x"]), y)


def drawn(blocks: tuple[Block, ...], features: int, rng: np.random.Generator) -> tuple[Block, ...]:
    """Blocks with random weights."""
    made = []
    for block in blocks:
        weights = tuple(rng.normal(size=shape).astype(np.float32) for shape in shapes(block, features))
        made.append(replace(block, weights=weights, parts=drawn(block.parts, features, rng)))
        features = width(block, features)
    return tuple(made)


def layer(kind: str, **config: Any) -> dict[str, Any]:
    own = {"units": 3, "activation": "tanh", "recurrent_activation": "sigmoid", "use_bias": True}
    own |= {"return_sequences": True} | ({"reset_after": True} if kind == "GRU" else {})
    return {"class_name": kind, "config": (own if kind in ("LSTM", "GRU") else {}) | config}


MASKED = layer("Masking", mask_value=0.0)
CHAINS = {
    "no mask behind a vector": [
        MASKED,
        layer("LSTM", return_sequences=False),
        layer("RepeatVector", n=4),
        layer("GRU", go_backwards=True),
    ],
    "a second mask": [
        MASKED,
        layer("GRU"),
        layer("Activation", activation="relu"),
        layer("Masking", mask_value=0.0),
        layer("LSTM"),
    ],
    "a mask of what was computed": [
        layer("LSTM"),
        layer("Activation", activation="hard_shrink"),
        MASKED,
        layer("GRU", return_sequences=False),
    ],
    "a mask alone": [layer("Masking", mask_value=-1.0), layer("Activation", activation="exponential")],
    "slopes": [layer("LSTM"), layer("ELU", alpha=0.5), layer("LeakyReLU", alpha=0.1), layer("LeakyReLU")],
}


@pytest.mark.parametrize("name", CHAINS)
def test_chains_are_their_equations(name: str) -> None:
    rng = np.random.default_rng(0)
    description = {"class_name": "Sequential", "config": {"layers": CHAINS[name]}}
    chain = chain_of(description, name)
    chain = replace(chain, blocks=drawn(chain.blocks, 3, rng), shape=(None, None, 3))
    model, inputs = model_of(chain, name), Inputs.of(chain)
    for _ in range(4):
        arrays = inputs.draw(rng)
        exact = reference_of(chain).run(arrays)["y"]
        np.testing.assert_allclose(model.predict(arrays["x"]), exact, rtol=0, atol=2e-6)


def test_two_outputs_are_refused() -> None:
    both = layer("Bidirectional", merge_mode=None, layer=layer("GRU"))
    chain = chain_of({"class_name": "Sequential", "config": {"layers": [both]}}, "m")
    chain = replace(chain, blocks=drawn(chain.blocks, 3, np.random.default_rng(0)))
    with pytest.raises(ConvertError, match="gives two outputs"):
        model_of(chain, "m")


def test_what_is_drawn_has_masks_of_every_kind() -> None:
    imported, kinds = read(SENTIMENT), set()
    for seed in range(16):
        mask = imported.draw(np.random.default_rng(seed))["x"] != 0
        for row in mask if mask.shape[1] > 2 else ():
            kinds.add((bool(row[0]), bool(row[-1]), bool(np.diff(row.astype(int)).min() < 0)))
    assert {(False, True, False), (True, False, True), (True, True, False), (True, True, True)} <= kinds


def test_predictions_do_not_depend_on_neighbours() -> None:
    model, x = from_keras(SENTIMENT), np.load(FOLDER / "sentiment.keras.npz")["x"]
    whole = model.predict(x)
    for row in range(len(x)):
        np.testing.assert_array_equal(model.predict(x[[row]])[0], whole[row])


def test_it_trains_on() -> None:
    model, x = from_keras(SENTIMENT), np.load(FOLDER / "sentiment.keras.npz")["x"]
    model.compile(seqkit.Adam(0.02), "categorical_crossentropy")
    history = model.fit(x, np.eye(2)[[0, 1, 0, 1, 1]], epochs=90, verbose=0).history["loss"]
    assert history[-1] < 0.5 * history[0]


def test_weights_alone_need_a_configuration() -> None:
    with pytest.raises(ConvertError, match="give the model's configuration"):
        from_keras(FOLDER / "autoencoder.weights.h5")


# ---- configurations ------------------------------------------------------------------------------


def members(path: Path = SENTIMENT) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def written(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def changed(path: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """The file of a model whose configuration was changed."""
    files = members()
    config = json.loads(files["config.json"])
    change(config)
    return written(path, files | {"config.json": json.dumps(config).encode()})


def layers(config: dict[str, Any]) -> list[dict[str, Any]]:
    return config["config"]["layers"]


def of(config: dict[str, Any], kind: str) -> dict[str, Any]:
    return next(layer for layer in layers(config) if layer["class_name"] == kind)


def set_in(kind: str, **options: Any) -> Callable[[dict[str, Any]], None]:
    return lambda config: of(config, kind)["config"].update(options)


def distributed_masking(config: dict[str, Any]) -> dict[str, Any]:
    masking = {"class_name": "Masking", "config": {"name": "m", "mask_value": 0.0}}
    return of(config, "TimeDistributed") | {"config": {"name": "t", "layer": masking}}


def around(kind: str, **entries: Any) -> Callable[[dict[str, Any]], None]:
    return lambda config: of(config, kind).update(entries)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (around("GRU", class_name="Lambda"), "'Lambda' cannot be represented; those that can are"),
        (around("GRU", class_name=["GRU"]), "cannot be represented"),
        (around("GRU", module="os"), "module 'os', not one of Keras' own"),
        (around("GRU", registered_name="mine>GRU"), "registered as 'mine>GRU'"),
        (set_in("GRU", activation={"class_name": "function", "config": "tanh"}), "known here by name"),
        (set_in("GRU", activation="gelu"), "'gelu' cannot be represented in a recurrent layer"),
        (set_in("GRU", time_major=True), "only False can be represented"),
        (set_in("GRU", return_state=True), "return_state=True"),
        (set_in("GRU", peephole=True), "unknown option 'peephole'"),
        (set_in("GRU", units=True), "expected a positive integer"),
        (set_in("GRU", dtype="mixed_float16"), "computes in 'mixed_float16'"),
        (set_in("GRU", dtype="float64"), "float32 and float64 in one model"),
        (set_in("GRU", zero_output_for_mask=True), "zero_output_for_mask under a mask"),
        (set_in("Embedding", lora_rank=4), "only None can be represented"),
        (set_in("Bidirectional", merge_mode="max"), "'concat' or 'sum'"),
        (lambda config: layers(config)[0]["config"].update(batch_shape=[None]), "inputs of shape"),
        (set_in("RNN", go_backwards=True), "go backwards under a mask"),
        (lambda config: layers(config).insert(1, layers(config).pop(2)), "ids can only be the input"),
        (lambda config: layers(config).append(layers(config)[0]), "an input at another place"),
        (lambda config: config.update(class_name="Model2"), "expected a Sequential or Functional model"),
        (lambda config: config["config"].update(layers=[]), "has no layers"),
        (lambda config: of(config, "GRU").pop("config"), "has no layers, or something else"),
        (lambda config: of(config, "Bidirectional")["config"]["layer"]["config"].update(go_backwards=True), "from the"),
        (lambda config: layers(config).append(distributed_masking(config)), "Masking in TimeDistributed"),
    ],
)
def test_refused_configurations(change: Callable[[dict[str, Any]], None], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match=message):
        from_keras(changed(tmp_path / "m.keras", change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_in("GRU", units=4), r"expected \(8, 12\)|expected \(4, 12\)"),
        (set_in("GRU", use_bias=False), "belongs to no layer"),
        (set_in("GRU", reset_after=False), r"has shape \(2, 9\), expected \(9,\)"),
        (lambda config: layers(config).pop(), "belongs to no layer"),
        (lambda config: layers(config).append(of(config, "Dense")), "is missing in the file"),
    ],
)
def test_weights_that_do_not_belong(change: Callable[[dict[str, Any]], None], message: str, tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=message):
        from_keras(changed(tmp_path / "m.keras", change))


def test_hard_sigmoid_of_keras_2_is_another_function(tmp_path: Path) -> None:
    path = changed(tmp_path / "m.keras", set_in("GRU", recurrent_activation="hard_sigmoid"))
    assert from_keras(path)
    files = members(path) | {"metadata.json": b'{"keras_version": "2.15.0"}'}
    with pytest.raises(ConvertError, match="another function in Keras 2"):
        from_keras(written(path, files))


def test_other_files_in_the_archive(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"not a \.keras file"):
        from_keras(written(tmp_path / "m.keras", members() | {"assets/vocabulary.txt": b"x"}))
    with pytest.raises(LoadError):
        from_keras(written(tmp_path / "n.keras", members() | {"model.weights.h5": b"x"}))


# ---- functional models ---------------------------------------------------------------------------


def functional(change: Callable[[dict[str, Any]], None], tmp_path: Path) -> Path:
    """The functional model as weights with a configuration that was changed."""
    import h5py

    with h5py.File(FOLDER / "sensor.h5") as file:
        config = json.loads(file.attrs["model_config"])
    change(config)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    return path


def node(config: dict[str, Any], name: str) -> dict[str, Any]:
    return next(layer for layer in layers(config) if layer["class_name"] == name)["inbound_nodes"][0]


def reads(tensor: dict[str, Any], name: str) -> None:
    tensor["config"]["keras_history"][0] = name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: None, ""),
        (lambda c: reads(node(c, "Dense")["args"][0], "masking"), "branches behind layer 'masking'"),
        (lambda c: node(c, "Bidirectional")["kwargs"].update(mask=node(c, "Dense")["args"][0]), "a way that is not"),
        (lambda c: node(c, "NotEqual")["args"].__setitem__(1, 0.5), "a mask that belongs to no layer"),
        (lambda c: node(c, "SimpleRNN")["kwargs"].update(training=True), "called with 'training'"),
        (lambda c: node(c, "SimpleRNN")["kwargs"].update(initial_state=node(c, "Dense")["args"]), "'initial_state'"),
        (lambda c: node(c, "Dense")["args"][0]["config"]["keras_history"].__setitem__(2, 1), "not to the first output"),
        (lambda c: node(c, "Dense")["args"].append(node(c, "Dense")["args"][0]), "not called on one tensor"),
        (lambda c: of(c, "Dense")["inbound_nodes"].append(node(c, "Dense")), "not called exactly once"),
        (lambda c: c["config"].update(output_layers=["masking", 0, 0]), "output is that of layer 'masking'"),
        (lambda c: c["config"].update(input_layers=[["a", 0, 0], ["b", 0, 0]]), "exactly one of its 'input_layers'"),
    ],
)
def test_functional_models(change: Callable[[dict[str, Any]], None], message: str, tmp_path: Path) -> None:
    path = functional(change, tmp_path)
    if not message:
        assert isinstance(from_keras(FOLDER / "sensor.h5", path).layers[0], Masked)
        return
    with pytest.raises(ConvertError, match=message):
        from_keras(FOLDER / "sensor.h5", path)


def of_keras_2(config: dict[str, Any]) -> None:
    """The functional model as Keras 2 writes one: nodes are lists, masks are no part of the graph."""
    found = [layer for layer in layers(config) if layer["class_name"] not in ("NotEqual", "Any")]
    for before, layer in itertools.pairwise(found):
        layer["inbound_nodes"] = [[[before["config"]["name"], 0, 0, {}]]]
        layer["config"]["dtype"] = "float32"
    found[0]["config"]["batch_input_shape"] = found[0]["config"].pop("batch_shape")
    config["config"]["layers"], config["class_name"] = found, "Model"


def test_keras_2(tmp_path: Path) -> None:
    here = from_keras(FOLDER / "sensor.h5", functional(of_keras_2, tmp_path))
    vectors = np.load(FOLDER / "sensor.h5.npz")
    np.testing.assert_allclose(here.predict(vectors["x"]), vectors["y"], rtol=0, atol=1e-6)


JUNK: list[Any] = [
    None,
    True,
    0,
    -1,
    2**40,
    1.5,
    "",
    "x",
    [],
    {},
    [None],
    {"config": {}},
    [[]],
    "LSTM",
    "Masking",
    10**30,
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to everything in a configuration."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in items:
        yield from places(part, (*path, key))


@pytest.mark.parametrize("name", ["sentiment.keras", "sensor.h5"])
def test_configurations_with_junk_in_them(name: str) -> None:
    """Whatever stands anywhere: a model that runs, or an error that says why not."""
    data = (FOLDER / name).read_bytes()
    if name == "sensor.h5":
        file = read_hdf5(data, name)
        base = json.loads(file.texts[""]["model_config"])
    else:
        files = members()
        base, file = json.loads(files["config.json"]), read_hdf5(files["model.weights.h5"], name)
    paths, rng, kinds = list(places(base)), random.Random(0), set()
    for _ in range(120):
        config = copy.deepcopy(base)
        *way, last = rng.choice(paths)
        holder = config
        for key in way:
            holder = holder[key]
        holder[last] = copy.deepcopy(rng.choice(JUNK))
        try:
            chain = filled(chain_of(config, name), file, name)
            model_of(chain, name).predict(Inputs.of(chain).draw(np.random.default_rng(0))["x"])
            kinds.add(None)
        except (ConvertError, LoadError) as error:
            kinds.add(type(error))
    assert {None, ConvertError} <= kinds
