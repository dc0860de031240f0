"""Keras' files: an archive with a configuration and HDF5, and HDF5 alone (F26, F27)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Any

import h5py
import numpy as np

from hostile_files import hdf5, zips
from hostile_files.cases import Case, Format, found
from hostile_files.mutate import corrupt, corrupt_json

Json = dict[str, Any]
CONFIG, WEIGHTS = "config.json", "model.weights.h5"


def layer(kind: str, name: str, **config: Any) -> Json:
    return {"module": "keras.layers", "class_name": kind, "config": {"name": name, **config}, "registered_name": None}


def recurrent(kind: str, name: str, units: int, **config: Any) -> Json:
    options = {"activation": "tanh", "use_bias": True, "return_sequences": True, "return_state": False, "dropout": 0.0}
    if kind != "SimpleRNN":
        options["recurrent_activation"] = "sigmoid"
    return layer(kind, name, units=units, **(options | config))


LSTM = recurrent("LSTM", "forward_lstm", 2)


def model(*layers: Json) -> Json:
    start = layer("InputLayer", "input_layer", batch_shape=[None, None, 3], dtype="float32", sparse=False)
    return {"module": "keras", "class_name": "Sequential", "config": {"name": "sequential", "layers": [start, *layers]}}


def _first() -> Json:
    both = layer("Bidirectional", "bidirectional", merge_mode="concat", layer=recurrent("LSTM", "forward_lstm", 2))
    both["config"]["backward_layer"] = recurrent("LSTM", "backward_lstm", 2, go_backwards=True)
    last = recurrent("GRU", "gru", 2, return_sequences=False, reset_after=True)
    return model(
        both,
        layer("Dropout", "dropout", rate=0.5),
        last,
        layer("Dense", "dense", units=1, activation="relu", use_bias=True),
    )


SHAPES = {
    **{f"bidirectional/{side}_layer/cell": ((3, 8), (2, 8), (8,)) for side in ("forward", "backward")},
    "gru/cell": ((4, 6), (2, 6), (2, 6)),
    "dense": ((2, 1), (1,)),
}
NAMES = {
    "bidirectional": ("forward_lstm/lstm_cell", "backward_lstm/lstm_cell"),
    "gru": ("gru/gru_cell",),
    "dense": ("dense",),
}


def _numbers(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def _weights(file: h5py.File) -> None:
    """As in an archive."""
    for owner, shapes in SHAPES.items():
        for number, shape in enumerate(shapes):
            file[f"layers/{owner}/vars/{number}"] = _numbers(shape)
    for name in ("bidirectional", "dropout", "gru", "dense"):
        file.require_group(f"layers/{name}/vars").attrs["name"] = name
    file.create_group("vars").attrs["name"] = "sequential"


def _legacy(file: h5py.File) -> None:
    """As in a file of its own, with the configuration."""
    file.attrs["keras_version"], file.attrs["model_config"] = "3.15.1", json.dumps(_first())
    group = file.create_group("model_weights")
    group.attrs["layer_names"] = np.array([name.encode() for name in NAMES])
    owners = list(SHAPES.items())
    for name, cells in NAMES.items():
        paths = []
        for cell in cells:
            _, shapes = owners.pop(0)
            for part, shape in zip(
                ("kernel", *(["recurrent_kernel"] * (len(shapes) > 2)), "bias"), shapes, strict=True
            ):
                paths.append(f"sequential/{name}/{cell}/{part}" if name != cell else f"sequential/{name}/{part}")
                group[f"{name}/{paths[-1]}"] = _numbers(shape)
        group[name].attrs["weight_names"] = np.array([path.encode() for path in paths])
    group.create_group("top_level_model_weights").attrs["weight_names"] = np.zeros(0)


@cache
def _archive() -> dict[str, bytes]:
    versions = json.dumps({"keras_version": "3.15.1", "date_saved": "2026-01-01@00:00:00"}).encode()
    return {"metadata.json": versions, CONFIG: json.dumps(_first()).encode(), WEIGHTS: hdf5.written(_weights)}


@cache
def _whole() -> bytes:
    return hdf5.written(_legacy)


# ---- corrupted -----------------------------------------------------------------------------------


def damaged_archive(rng: Random, seeds: list[bytes]) -> bytes:
    """The zip file, or the configuration, or the weights."""
    way = rng.random()
    if way < 0.2:
        return corrupt(rng, seeds)
    members = zips.unpack(rng.choice(seeds))
    if way < 0.7:
        members[CONFIG] = corrupt_json(rng, members[CONFIG])
    elif way < 0.85:
        members[WEIGHTS] = hdf5.damaged(rng, members[WEIGHTS])
    else:
        name = rng.choice(list(members))
        members[name] = corrupt(rng, [members[name]])
    return zips.pack(members, rng.choice((0, 8)))


def damaged_file(rng: Random, seeds: list[bytes]) -> bytes:
    """Bytes, or what h5py writes."""
    return corrupt(rng, seeds) if rng.random() < 0.6 else hdf5.damaged(rng, rng.choice(seeds))


# ---- made by hand --------------------------------------------------------------------------------


def archives() -> Iterator[Case]:
    yield from found("keras")
    for name, data in zips.lies(_archive()):
        yield Case(f"zip, {name}", data, refused=True)
    for name in _archive():
        if name != "metadata.json":
            rest = {key: value for key, value in _archive().items() if key != name}
            yield Case(f"without {name}", zips.pack(rest), refused=True)
    for name, config in _configs().items():
        text = config if isinstance(config, bytes) else json.dumps(config).encode()
        yield Case(name, zips.pack(_archive() | {CONFIG: text}), refused=True)
    for name, edit in hdf5.strange().items():
        data = hdf5.edited(_archive()[WEIGHTS], edit)
        yield Case(f"weights with {name}", zips.pack(_archive() | {WEIGHTS: data}), refused=name != "deep groups")


def _with_inputs(shape: list[int | None]) -> Json:
    changed = _first()
    changed["config"]["layers"][0]["config"]["batch_shape"] = shape
    return changed


def _configs() -> dict[str, Json | bytes]:
    dense = layer("Dense", "dense", units=1, activation="linear", use_bias=True)
    code = {"class_name": "__lambda__", "config": {"value": ["4wEAAAA=", None, None]}}
    odd: dict[str, Json] = {
        "Lambda": layer("Lambda", "l", function=code, arguments={}),
        "TFSMLayer": layer("TFSMLayer", "l", filepath="/tmp/x"),
        "a module": dense | {"module": "os", "class_name": "system", "config": {"command": "touch canary"}},
        "a builtin": dense | {"module": "builtins", "class_name": "eval", "config": {"source": "1"}},
        "a registered name": dense | {"registered_name": "my>Dense", "module": None},
        "another package": dense | {"module": "keras.src.utils.file_utils", "class_name": "get_file"},
        "a model to load": dense | {"module": "keras.saving", "class_name": "load_model", "config": {"filepath": "x"}},
        "a model in the model": model(dense),
        "an activation with code": layer("Dense", "dense", units=1, activation=code, use_bias=True),
        "an activation of a module": layer(
            "Dense", "dense", units=1, activation={"module": "os", "class_name": "system"}
        ),
        "a wrapper of nothing": layer("Bidirectional", "b", layer=None),
        "two directions of which one is a list": layer("Bidirectional", "b", layer=LSTM, backward_layer=[]),
        "two directions of which one is many": layer("Bidirectional", "b", layer=LSTM, backward_layer=[LSTM] * 2),
        "a list in a wrapper": layer("TimeDistributed", "t", layer=[]),
        "one cell of many": layer("RNN", "r", cell=layer("StackedRNNCells", "s", cells=LSTM), return_sequences=True),
        "huge units": recurrent("LSTM", "lstm", 10**12),
        "large units": recurrent("LSTM", "lstm", 20_000),
        "negative units": recurrent("LSTM", "lstm", -1),
        "units that are true": recurrent("LSTM", "lstm", True),
        "a huge embedding": layer("Embedding", "e", input_dim=2**40, output_dim=2**20),
        "no name": {"module": "keras.layers", "class_name": "Dense", "config": {}},
        "a name that leads outside": layer("Dense", "../../vars", units=1, activation="linear", use_bias=True),
    }
    deep = layer("TimeDistributed", "t", layer=dense)
    for _ in range(12):
        deep = layer("TimeDistributed", "t", layer=deep)
    functional = {
        "module": "keras",
        "class_name": "Functional",
        "config": {"name": "f", "layers": [], "input_layers": 3},
    }
    return {
        **{name: model(value) for name, value in odd.items()},
        "wrappers in wrappers": model(deep),
        "many layers": model(*[dense] * 20_000),
        "many dropouts": model(*[layer("Dropout", f"d{n}", rate=0.1) for n in range(20_000)]),
        "no layers": model(),
        "another class": model(dense) | {"class_name": "Model"},
        **{f"inputs of the shape {shape}": _with_inputs(shape) for shape in ([None] * 5 + [3], [3])},
        "a functional model of nothing": functional,
        "deep": b"[" * 100_000,
        "not a text": b"\xff" * 100,
        "large": b'{"a": "' + b"x" * (20 << 20) + b'"}',
        "NaN": b'{"class_name": NaN}',
        "a key twice": b'{"class_name": "Sequential", "class_name": "Functional", "config": {}}',
        "a list": b"[]",
        "nothing": b"",
    }


def files() -> Iterator[Case]:
    yield from found("hdf5")
    for name, edit in hdf5.strange().items():
        yield Case(name, hdf5.edited(_whole(), edit), refused=name != "deep groups")
        yield Case(f"{name}, and no model", hdf5.written(edit), refused=True)
    for name, data in hdf5.bombs():
        yield Case(name, data, refused=True)
    for size in (0, 8, 9, 100, 1000, len(_whole()) - 1):
        yield Case(f"cut off at {size}", _whole()[:size], refused=True)
    yield Case("something before it", b"\0" * 512 + _whole(), refused=True)
    for name, config in _configs().items():
        text = config if isinstance(config, bytes) else json.dumps(config).encode()
        if len(text) < 60_000:  # the most that an attribute holds
            changed = hdf5.edited(_whole(), lambda file, text=text: file.attrs.__setitem__("model_config", text))
            yield Case(name, changed, refused=True)


READER, WARM = "seqkit.interop:load", "hostile_files.warm_hdf5:run"
KERAS = Format("keras", ".keras", READER, lambda: [zips.pack(_archive())], damaged_archive, archives, WARM)
HDF5 = Format("hdf5", ".h5", READER, lambda: [_whole()], damaged_file, files, WARM)
