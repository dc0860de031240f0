"""Models of Keras: files that Keras has saved, and files and configurations that are wrong."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit.errors import ConvertError, LoadError, UnsafeFileError
from seqkit.interop.keras.config import Block, chain_of
from seqkit.interop.keras.convert import model_of
from seqkit.interop.keras.inputs import Inputs
from seqkit.interop.keras.oracle import reference_of
from seqkit.interop.keras.read import from_keras, read
from seqkit.interop.keras.weights import shapes, width
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


# ---- HDF5 ------------------------------------------------------------------------------------------


def hdf5(path: Path, make: Callable[[Any], None], **options: Any) -> Path:
    """A file of weights with something in it that should not be there."""
    import h5py

    with h5py.File(path, "w", **options) as file:
        file.create_dataset("layers/dense/vars/0", data=np.ones((2, 2), np.float32))
        make(file)
    return path


def external(file: Any) -> None:
    file.create_dataset("x", (4,), "f4", external=[("/etc/passwd", 0, 16)])


def virtual(file: Any) -> None:
    import h5py

    layout = h5py.VirtualLayout((2,), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (2,))
    file.create_virtual_dataset("x", layout)


def circle(file: Any) -> None:
    file["layers/again"] = file["layers"]


def compound(file: Any) -> None:
    file["x"] = np.zeros(2, [("a", "f4")])


def committed(file: Any) -> None:
    file["x"] = np.dtype("f4")


def texts(file: Any) -> None:
    import h5py

    file.create_dataset("x", (2,), h5py.string_dtype())


def link(kind: str, *target: str) -> Callable[[Any], None]:
    def make(file: Any) -> None:
        import h5py

        file["x"] = getattr(h5py, kind)(*target)

    return make


def data_set(**options: Any) -> Callable[[Any], None]:
    return lambda file: file.create_dataset("x", **options)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (link("ExternalLink", "/etc/passwd", "/"), "a link to another place"),
        (link("SoftLink", "/layers"), "a link to another place"),
        (circle, "under another name, too"),
        (external, "lie in other files"),
        (virtual, "lie in other files"),
        (compound, "does not hold plain numbers"),
        (committed, "neither a group nor a data set"),
        (texts, "does not hold plain numbers"),
        (data_set(data=np.zeros(4, "c8")), "does not hold plain numbers"),
        (data_set(data=np.zeros(40, "f4"), compression="lzf"), "a filter other than gzip"),
        (data_set(data=np.zeros(40, "f4"), fletcher32=True), "a filter other than gzip"),
        (data_set(shape=(2**40,), dtype="f4"), "declares 4398046511104 bytes and has 0"),
        (data_set(shape=(2**40,), dtype="f4", chunks=(1024,)), "declares 4398046511104 bytes and has 0"),
        (data_set(data=np.zeros(2**22, "f4"), compression="gzip"), "declares 16777216 bytes"),
        (data_set(data=np.zeros((1,) * 9, "f4")), "more than 8 dimensions"),
        (data_set(data=np.zeros(2, "f4"), chunks=(2**20,), maxshape=(None,)), "is cut into pieces"),
        (lambda file: file.attrs.update(model_config=np.arange(3)), "is no text"),
        (lambda file: file.attrs.update(layer_names=[[b"a"]]), "is no text"),
        (lambda file: file.create_group("/".join("a" * 70)), "deeper than 64"),
    ],
)
def test_hostile_hdf5(make: Callable[[Any], None], message: str, tmp_path: Path) -> None:
    with pytest.raises(UnsafeFileError, match=message):
        from_keras(hdf5(tmp_path / "m.h5", make), {"layers": []})


def test_what_is_plain_is_read(tmp_path: Path) -> None:
    from seqkit.interop.keras.hdf5 import read_hdf5

    numbers = np.random.default_rng(0).normal(size=(40, 3)).astype(">f8")
    path = hdf5(tmp_path / "m.h5", data_set(data=numbers, compression="gzip", shuffle=True))
    found = read_hdf5(path.read_bytes(), "m.h5")
    np.testing.assert_array_equal(found.arrays["x"], numbers)
    assert found.arrays["x"].dtype == np.float64
    assert list(found.arrays) == ["layers/dense/vars/0", "x"]


def test_user_block_and_damage(tmp_path: Path) -> None:
    path = hdf5(tmp_path / "m.h5", lambda file: None, userblock_size=512)
    with pytest.raises(LoadError, match="zip"):
        from_keras(path)
    whole = (FOLDER / "sensor.h5").read_bytes()
    rng = np.random.default_rng(0)
    for number in range(12):
        data = bytearray(whole)
        for place in rng.integers(8, len(whole), 200 if number % 2 else 3):
            data[place] = rng.integers(256)
        path.write_bytes(bytes(data if number % 3 else data[: rng.integers(8, len(data))]))
        try:
            read(path)
        except (LoadError, ConvertError):
            continue


def test_a_child_that_crashes_or_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from seqkit.interop.keras import hdf5 as module

    child = tmp_path / "child.py"
    monkeypatch.setattr(module, "CHILD", child)
    head = "import os, sys\nsys.stdin.buffer.read()\nout = sys.stdout.buffer\n"
    answers = {
        "os.kill(os.getpid(), 11)": "crashed",
        "out.write(b'[1]\\n')": "crashed|announced",
        'out.write(b\'{"texts": {}, "arrays": {"a": ["<f4", [2]]}}\\n1234\')': "crashed",
        'out.write(b\'{"texts": {}, "arrays": {"a": ["<f4", [1]]}}\\n12345\')': "more than it announced",
        'out.write(b\'{"texts": {}, "arrays": {"a": ["|O8", [1]]}}\\n\')': "an unusual form",
        'out.write(b\'{"texts": {}, "arrays": {"a": ["<f4", [-1]]}}\\n\')': "cannot have the shape",
        'out.write(b\'{"texts": {}, "arrays": {"a": ["<f8", [99999999999]]}}\\n\')': "times the bytes",
    }
    for answer, message in answers.items():
        child.write_text(head + answer)
        with pytest.raises(UnsafeFileError, match=message):
            module.read_hdf5(module.SIGNATURE + bytes(100), "m.h5")


def test_the_child_cannot_do_anything_else(tmp_path: Path) -> None:
    import subprocess
    import sys

    from seqkit.interop.keras.hdf5 import CHILD

    code = (
        f"import sys; sys.path.insert(0, {str(CHILD.parent)!r})\n"
        "import hdf5_child, os, socket\nhdf5_child.confine(1000, 100)\n"
    )
    for attempt in (f"open({str(tmp_path / 'x')!r}, 'w')", "import calendar", "os.system('true')", "socket.socket()"):
        done = subprocess.run([sys.executable, "-c", code + attempt], capture_output=True)
        assert done.returncode == 99, (attempt, done)
    unheard = code.replace("hdf5_child.confine", "hdf5_child._refuse = lambda *a: None\nhdf5_child.confine")
    done = subprocess.run([sys.executable, "-c", f"{unheard}open({str(CHILD)!r})"], capture_output=True)
    assert b"Too many open files" in done.stderr  # whoever goes past the audit hook, such as C, can open nothing
    done = subprocess.run([sys.executable, "-c", f"{unheard}bytearray(300 << 20)"], capture_output=True)
    assert b"MemoryError" in done.stderr
    done = subprocess.run([sys.executable, "-c", f"{unheard}while True: pass"], capture_output=True, timeout=60)
    assert done.returncode < 0


def test_no_keras_is_imported() -> None:
    import subprocess
    import sys

    code = (
        f"import sys\nfrom seqkit.interop import from_keras\nfrom_keras({str(SENTIMENT)!r})\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('keras', 'h5py', 'torch')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
