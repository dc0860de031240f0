"""Native model files and safetensors files of others: a header of JSON, then the numbers."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

import seqkit
from hostile_files.cases import Case, Format
from hostile_files.mutate import corrupt, corrupt_json, corrupt_value
from seqkit import checkpoint

EMPTY = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}


@cache
def _seeds() -> tuple[bytes, ...]:
    rng = np.random.default_rng(0)
    tagger = seqkit.Sequential([seqkit.Embedding(7, 3), seqkit.Bidirectional(seqkit.LSTM(2, return_sequences=True))])
    tagger.add(seqkit.Dense(2))
    trained = seqkit.Sequential([seqkit.GRU(3), seqkit.Dropout(0.1), seqkit.Dense(1, "tanh")])
    trained.compile("adam", "mse", ["mae"])
    trained.fit(rng.normal(size=(4, 3, 2)), rng.normal(size=(4, 1)), batch_size=2)
    crf = seqkit.Sequential([seqkit.SimpleRNN(3, return_sequences=True), seqkit.Dense(3)])
    crf.compile("sgd", seqkit.CRF(3))
    crf.build(2)
    graph = Path(__file__).parents[1] / "golden" / "2-graph.safetensors"
    return (*(_saved(model) for model in (tagger.build(1), trained, crf)), graph.read_bytes())


def _saved(model: seqkit.Sequential) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder, "m"))
        return Path(folder, "m").read_bytes()


def split(data: bytes) -> tuple[bytes, bytes]:
    """Header and numbers."""
    size = int.from_bytes(data[:8], "little")
    return data[8 : 8 + size], data[8 + size :]


def joined(header: bytes, numbers: bytes = b"") -> bytes:
    """A file of any header, whose length is right."""
    return len(header).to_bytes(8, "little") + header + numbers


def with_description(data: bytes, description: Any, changes: dict[str, Any] | None = None) -> bytes:
    """A native file with another description whose checksum is right, so that it is believed."""
    header, numbers = split(data)
    entries = json.loads(header)
    del entries["__metadata__"]
    arrays = {
        name: np.frombuffer(numbers[slice(*entry["data_offsets"])], _dtype(entry["dtype"])).reshape(entry["shape"])
        for name, entry in entries.items()
    }
    arrays |= changes or {}
    if isinstance(description, dict):
        description.pop("sha256", None)
        description["sha256"] = checkpoint._checksum(description, arrays)
    return bytes(checkpoint.save(arrays, {"seqkit": json.dumps(description)}))


def description_of(data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.loads(split(data)[0])["__metadata__"]["seqkit"])
    return found


def _dtype(name: str) -> str:
    return {"F": "<f", "I": "<i", "U": "<u"}[name[0]] + str(int(name[1:]) // 8)


def damaged(rng: Random, seeds: list[bytes]) -> bytes:
    """Bytes, the header, or what is described, with a checksum that is right."""
    way = rng.random()
    if way < 0.4:
        return corrupt(rng, seeds)
    data = rng.choice(seeds)
    if way < 0.6:
        header, numbers = split(data)
        return joined(corrupt_json(rng, header), numbers)
    return with_description(data, corrupt_value(rng, description_of(data)))


def made() -> Iterator[Case]:
    """Headers and descriptions of every bad kind."""
    yield from headers()
    yield from _described(_seeds()[0])


def headers() -> Iterator[Case]:
    """Headers of every bad kind (F24)."""
    good = _seeds()[0]
    header, numbers = split(good)
    for size in (0, 7, 8, 100_000_001, 2**63, 2**64 - 1):
        yield Case(f"a header of {size} bytes", size.to_bytes(8, "little") + header + numbers, refused=True)
    texts = {
        "deep": b"[" * 100_000,
        "deep objects": b'{"a":' * 100_000,
        "empty": b"",
        "not UTF-8": b"\xff" * 100,
        "a number": b"3",
        "a long name": json.dumps({"n" * (1 << 20): EMPTY}).encode(),
        "many arrays": json.dumps({str(n): EMPTY for n in range(100_000)}).encode(),
        "many numbers": b'{"__metadata__": [' + b"0," * 8_000_000 + b"0]}",
        "many lists": b'{"__metadata__": [' + b"[]," * 5_000_000 + b"0]}",
        "white space": b" " * (20 << 20) + b"{}",
        "the same name twice": b'{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":3}',
        "names": json.dumps(dict.fromkeys(("../../x", "\x00"), EMPTY)).encode(),
    }
    for name, text in texts.items():
        yield Case(name, joined(text, numbers), refused=True)
    for shape in ([2**62, 4], [0, 2**63], [2.0], [-1], [True], [1e3], ["2"], None, [[2]], [1] * 40):
        entry = {"a": {"dtype": "F32", "shape": shape, "data_offsets": [0, 8]}}
        yield Case(f"shape {shape}", joined(json.dumps(entry).encode(), b"\0" * 8), refused=True)
    for offsets in ([8, 0], [0, 16], [-8, 0], [4, 12], [0, 4], [0, 8, 8], "08", [0.0, 8.0], [2**63, 2**63 + 8]):
        entry = {"a": {"dtype": "F32", "shape": [2], "data_offsets": offsets}}
        yield Case(f"offsets {offsets}", joined(json.dumps(entry).encode(), b"\0" * 8), refused=True)
    yield Case("something behind it", good + b"PK\x05\x06" + b"\0" * 18, refused=True)


def _described(good: bytes) -> Iterator[Case]:
    """Descriptions whose checksum is right and that promise more than there is."""
    layers = {
        "huge units": [{"layer": "dense", "config": {"units": 10**12}}],
        "large units": [{"layer": "lstm", "config": {"units": 3000}}],
        "a large embedding": [{"layer": "embedding", "config": {"input_dim": 10**7, "output_dim": 1}}],
        "many layers": [{"layer": "dense", "config": {"units": 1}}] * 50_000,
        "a layer of nobody": [{"layer": "os", "config": {}, "package": "os", "version": "1"}],
        "a module": [{"layer": "os:system", "config": {"command": "touch /tmp/x"}}],
        "arguments of nobody": [{"layer": "dense", "config": {"units": 1, "__class__": "os"}}],
    }
    for name, value in layers.items():
        yield Case(name, with_description(good, description_of(good) | {"layers": value}), refused=True)
    others: dict[str, dict[str, Any]] = {
        "a state of a generator that is a list": {"random": []},
        "a state of a generator that is negative": {"random": dict.fromkeys(description_of(good)["random"], -1)},
        "a state of a generator of many bits": {"random": dict.fromkeys(description_of(good)["random"], 2**130)},
        "a type that NumPy would compile": {"dtype": "0.1.0,(9,)f4"},
        "units of many letters": {"layers": [{"layer": "dense", "config": {"units": "9" * 5000}}]},
    }
    for name, change in others.items():
        yield Case(name, with_description(good, description_of(good) | change), refused=True)
    deep: Any = {"layer": "dense", "config": {"units": 1}}
    for _ in range(25):
        deep = {"layer": "bidirectional", "config": {"layer": deep}}
    yield Case("layers in layers", with_description(good, description_of(good) | {"layers": [deep]}), refused=True)
    for version in (2**70, -1, None, "1", [1]):
        described = with_description(good, description_of(good) | {"format_version": version})
        yield Case(f"version {version}", described, refused=True)


NATIVE = Format("native", ".safetensors", "seqkit.interop:load", lambda: list(_seeds()), damaged, made)
