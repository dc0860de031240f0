"""RTNeural's files, which are JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Any

import numpy as np

from hostile_files.cases import Case, Format
from hostile_files.mutate import corrupt, corrupt_json

Json = dict[str, Any]


def layer(kind: str, units: Any, weights: Any, activation: str = "") -> Json:
    return {"type": kind, "activation": activation, "shape": [None, None, units], "weights": weights}


def model(*layers: Json, inputs: Any = 1) -> Json:
    return {"in_shape": [None, None, inputs], "layers": list(layers)}


def _arrays(*shapes: tuple[int, ...]) -> list[Any]:
    rng = np.random.default_rng(len(shapes))
    return [np.round(rng.normal(size=shape), 4).tolist() for shape in shapes]


@cache
def _seeds() -> tuple[bytes, ...]:
    head = layer("dense", 1, _arrays((2, 1), (1,)))
    lstm = layer("lstm", 2, _arrays((1, 8), (2, 8), (8,)))
    gru = layer("gru", 2, _arrays((1, 6), (2, 6), (2, 6)))
    more = [layer("dense", 3, _arrays((1, 3), (3,)), "relu"), layer("activation", 3, [], "softmax")]
    models = (model(lstm, head), model(gru, head), model(*more, layer("prelu", 3, _arrays((1, 3)))))
    return tuple(json.dumps(each).encode() for each in models)


def damaged(rng: Random, seeds: list[bytes]) -> bytes:
    return corrupt(rng, seeds) if rng.random() < 0.4 else corrupt_json(rng, rng.choice(seeds))


def made() -> Iterator[Case]:
    dense = layer("dense", 1, [[[1.0]], [0.0]])
    texts: dict[str, Any] = {
        "no layers": model(),
        "huge units": model(layer("lstm", 10**12, [])),
        "large units": model(layer("lstm", 20_000, [[], [], []])),
        "units that are true": model(layer("dense", True, [[[1.0]], [0.0]])),
        "huge inputs": model(dense, inputs=10**12),
        "negative inputs": model(dense, inputs=-1),
        "no arrays": model(layer("dense", 1, [])),
        "ragged arrays": model(layer("dense", 2, [[[1.0, 2.0], [3.0]], [0.0, 0.0]], ""), inputs=2),
        "deep arrays": model(layer("dense", 1, [[[[1.0]]], [0.0]])),
        "texts for numbers": model(layer("dense", 1, [[["1"]], [0.0]])),
        "truth for numbers": model(layer("dense", 1, [[[True]], [0.0]])),
        "huge numbers": model(layer("dense", 1, [[[10**39]], [0.0]])) | {"x": 1},
        "an unknown layer": model(layer("os.system", 1, [])),
        "an unknown activation": model(layer("dense", 1, [[[1.0]], [0.0]], "__class__")),
        "a layer of a long name": model(layer("x" * 5000, 1, [])),
        "a convolution": model(layer("conv1d", 1, []) | {"kernel_size": [1], "dilation": [10**9]}),
        "many layers": model(*[dense] * 30_000) | {"x": 1},
        "an unknown key": model(dense) | {"__class__": "os"},
        "a list": [],
        "a number": 3,
    }
    for name, value in texts.items():
        yield Case(name, json.dumps(value).encode(), refused=True)
    wrong = (b"NaN", b"-Infinity", b"1e999", b"9" * 5000, b"1e-" + b"9" * 100_000, b"[" * 100_000)
    for number in wrong[:4] + wrong[5:]:
        text = json.dumps(model(dense)).encode().replace(b"1.0", number, 1)
        yield Case(f"a number {number[:10]!r}", text, refused=True)
    fills = {"numbers": b"0,", "lists": b"[],", "long numbers": b"0.1234567890123456,", "texts": b'"abcd",'}
    for name, fill in fills.items():
        yield Case(f"many {name}", b'{"layers": [' + fill * (30_000_000 // len(fill)) + b"0]}", refused=True)
    yield Case("white space", b" " * (130 << 20) + b"{}", refused=True)
    yield Case("a long text", b'{"layers": "' + b"x" * (60 << 20) + b'"}', refused=True)
    yield Case(
        "a long text of wide letters", b'{"layers": "' + "\U0001f600".encode() * (10 << 20) + b'"}', refused=True
    )
    data = _seeds()[0]
    for size in range(0, len(data), 5):
        yield Case(f"cut off at {size}", data[:size], refused=True)


RTNEURAL = Format("rtneural", ".json", "seqkit.interop:load", lambda: list(_seeds()), damaged, made)
