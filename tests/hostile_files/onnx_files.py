"""ONNX files: Protocol Buffers, graphs, and tensors in other files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from hostile_files import protobuf
from hostile_files.cases import Case, Format, found
from hostile_files.mutate import corrupt
from hostile_files.protobuf import integer, message
from seqkit.interop.onnx.messages import Graph, Model, Node, Value, encode

FLOAT = np.dtype(np.float32)


@cache
def _seeds() -> tuple[bytes, ...]:
    return tuple(encode(Model(graph, {"": opset}, 8, "seqkit 0")) for graph in _graphs() for opset in (13, 17))


def _graphs() -> Iterator[Graph]:
    rng = np.random.default_rng(0)

    kinds: tuple[tuple[str, int, dict[str, Any]], ...] = (
        ("LSTM", 4, {"activations": ["Sigmoid", "Tanh", "Tanh"], "clip": 3.0, "input_forget": 0}),
        ("GRU", 3, {"linear_before_reset": 1}),
        ("RNN", 1, {"activations": ["Affine"], "activation_alpha": [0.5], "activation_beta": [0.25]}),
    )

    def normal(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    x, y = Value("x", FLOAT, ("time", "batch", 3)), Value("y", FLOAT, None)
    for kind, gates, options in kinds:
        weights = {"W": normal(1, gates * 2, 3), "R": normal(1, gates * 2, 2), "B": normal(1, gates * 4)}
        options |= {"hidden_size": 2, "direction": "forward"}
        cell = Node(kind, ["x", "W", "R", "B"], ["h", ""], options, "cell")
        squeeze = Node("Squeeze", ["h", "axes"], ["s"])
        head = [Node("MatMul", ["s", "M"], ["m"]), Node("Softmax", ["m"], ["y"], {"axis": -1})]
        more = {"axes": np.array([1]), "M": normal(2, 4)}
        yield Graph(kind.lower(), [cell, squeeze, *head], [x], [y], weights | more)
    ids = Value("x", np.dtype(np.int64), ("batch", "time"))
    nodes = [
        Node("Gather", ["E", "x"], ["e"], {"axis": 0}),
        Node("Transpose", ["e"], ["t"], {"perm": [1, 0, 2]}),
        Node("Shape", ["t"], ["shape"]),
        Node("Constant", [], ["two"], {"value": np.array([2], np.int64)}),
        Node("Slice", ["shape", "zero", "two"], ["part"]),
        Node("Concat", ["part", "minus"], ["wanted"], {"axis": 0}),
        Node("Reshape", ["t", "wanted"], ["r"]),
        Node("Gemm", ["G", "G", "g"], ["n"], {"transB": 1}),
        Node("Unsqueeze", ["r", "zero"], ["u"]),
        Node("ReduceMean", ["u"], ["a"], {"axes": [0], "keepdims": 0}),
        Node("Cast", ["a"], ["y"], {"to": 1}),
    ]
    constants = {"E": normal(5, 3), "zero": np.array([0]), "minus": np.array([-1]), "G": normal(2, 2), "g": normal(2)}
    yield Graph("ids", nodes, [ids], [y], constants)


def damaged(rng: Random, seeds: list[bytes]) -> bytes:
    """Bytes, or fields with lengths that are right."""
    return corrupt(rng, seeds) if rng.random() < 0.4 else protobuf.damaged(rng, seeds)


# ---- made by hand (F28) --------------------------------------------------------------------------


def model(*graph: bytes, beside: bytes = b"") -> bytes:
    """A model of any graph, its version and operators in order."""
    return integer(1, 8) + message(7, *graph) + message(8, integer(2, 17)) + beside


def text(number: int, value: str | bytes) -> bytes:
    return message(number, value.encode() if isinstance(value, str) else value)


def tensor(dims: tuple[int, ...], *data: bytes, kind: int = 1, name: str = "w") -> bytes:
    """Content of a TensorProto."""
    return b"".join(integer(1, size) for size in dims) + integer(2, kind) + text(8, name) + b"".join(data)


def value(number: int, name: str) -> bytes:
    shape = message(2, message(1, integer(1, 2)))
    return message(number, text(1, name), message(2, message(1, integer(1, 1), shape)))


def node(kind: str, inputs: str, outputs: str, *attributes: bytes) -> bytes:
    names = [text(1, name) for name in inputs] + [text(2, name) for name in outputs]
    return message(1, *names, text(4, kind), *attributes)


def plain(content: bytes) -> bytes:
    """A model that adds a tensor, of which `content` is said, to its input."""
    return model(node("Add", "xw", "y"), message(5, content), value(11, "x"), value(12, "y"))


def made() -> Iterator[Case]:
    yield from found("onnx")
    for size in range(0, len(_seeds()[0]), 5):
        yield Case(f"cut off at {size}", _seeds()[0][:size])
    for name, content in _tensors().items():
        yield Case(name, plain(content), refused=True)
    yield Case("graphs in graphs", _nested(10_000), refused=True)
    yield Case("graphs in graphs, not too many", _nested(40), refused=True)
    yield Case("a million fields", model(*[text(1, "")] * 1_000_000), refused=True)
    yield Case("a million empty inputs", model(message(1, text(1, "") * 1_000_000, text(4, "Add"))), refused=True)
    yield Case("a million unknown fields", model(integer(99, 1) * 1_000_000), refused=True)
    yield Case("a million dimensions", plain(tensor((1,) * 1_000_000, text(9, b"\0" * 4))), refused=True)
    yield Case("many tensors", model(message(5, tensor((0,))) * 90_000, node("Add", "xx", "y")), refused=True)
    yield Case("no graph", integer(1, 8), refused=True)
    yield Case("nothing", b"", refused=True)
    yield Case("a node that reads itself", model(node("Relu", "y", "y"), value(11, "x"), value(12, "y")), refused=True)
    circle = model(node("Relu", "b", "a"), node("Relu", "a", "b"), value(11, "x"), value(12, "b"))
    yield Case("nodes in a circle", circle, refused=True)
    for kind in ("os.system", "Loop", "If", "Scan", "PyOp", "__class__", "x" * 5000, ""):
        yield Case(f"operator {kind[:20]}", model(node(kind, "x", "y"), value(11, "x"), value(12, "y")), refused=True)
    for opset in (0, 1, 6, 10**6, 2**63):
        graph = message(7, node("Relu", "x", "y"), value(11, "x"), value(12, "y"))
        yield Case(f"opset {opset}", integer(1, 8) + graph + message(8, integer(2, opset)), refused=True)
    call = message(25, text(1, "f"), text(4, "x"), text(5, "y"), node("f", "x", "y"), text(10, "own"))
    yield Case("a function that calls itself", model(node("f", "x", "y"), beside=call), refused=True)
    yield from _outside()


def _tensors() -> dict[str, bytes]:
    four = text(9, b"\0" * 16)
    return {
        "huge dimensions": tensor((2**32, 2**32), four),
        "dimensions that overflow": tensor((2**62, 4), four),
        "dimensions that overflow to nothing": tensor((2**32, 2**32, 0, 2**63 - 1), four),
        "a negative dimension": tensor((-1,), four),
        "two negative dimensions": tensor((-2, -2), four),
        "many dimensions": tensor((1,) * 64, text(9, b"\0" * 4)),
        "too few bytes": tensor((5,), four),
        "too many bytes": tensor((3,), four),
        "no bytes": tensor((4,)),
        "a large tensor of nothing": tensor((10**9,)),
        "numbers twice": tensor((4,), four, message(4, b"\0" * 16)),
        "texts": tensor((1,), text(6, "x"), kind=8),
        "an unknown type": tensor((4,), four, kind=99),
        "a type that is none": tensor((4,), four, kind=0),
        "a complex type": tensor((2,), four, kind=14),
        "integers that do not fit": tensor((1,), integer(5, 300), kind=3),
    }


def _nested(depth: int) -> bytes:
    """If in If in If."""
    graph = b""
    for _ in range(depth):
        graph = node("If", "x", "y", message(5, text(1, "then_branch"), message(6, graph), integer(20, 5)))
    return model(graph, value(11, "x"), value(12, "y"))


def external(*entries: tuple[str, str], size: int = 4) -> bytes:
    """A model whose tensor of `size` numbers is said to be elsewhere."""
    said = [message(13, text(1, key), text(2, word)) for key, word in entries]
    return plain(tensor((size,), *said, integer(14, 1)))


OUTSIDE = """
../secret /etc/hostname /dev/zero /proc/self/mem sub/../../secret ./../secret .. . / a\\..\\b C:x //host/share
file:///etc/hostname
"""
DATA = np.arange(4, dtype=np.float32).tobytes()


def _outside() -> Iterator[Case]:
    """Tensors in files that are none of the model's (F28)."""
    for place in (*OUTSIDE.split(), "", "a\0b", "x" * 5000):
        yield Case(f"data in {place[:20]!r}", external(("location", place)), refused=True)
    beside = {"data": DATA}
    for key, word in (
        *(("offset", word) for word in ("-1", "1", "16", "99999999999999999999", "0x0", "1e1", " 0", "nan", "٣", "")),
        *(("length", word) for word in ("-1", "15", "17", str(2**50), "16.0", "")),
        *((name, "1") for name in ("__class__", "__init__", "basepath", "location", "")),
    ):
        entries = external(("location", "data"), (key, word))
        yield Case(f"data with {key} {word}", entries, key != "offset" or word != "", beside)
    yield Case("data that are not there", external(("location", "data")), refused=True)
    yield Case("more data than there are", external(("location", "data"), size=5), True, beside)
    yield Case("far more data than there are", external(("location", "data"), size=1 << 40), True, beside)
    for name, prepare in _places().items():
        yield Case(f"data in {name}", external(("location", "data")), True, {"whole": DATA}, prepare)
    twice = plain(tensor((4,), text(9, DATA), message(13, text(1, "location"), text(2, "data")), integer(14, 1)))
    yield Case("data twice", twice, True, beside)


def _places() -> dict[str, Callable[[Path], Any]]:
    return {
        "a pipe": lambda folder: os.mkfifo(folder / "data"),
        "a link": lambda folder: (folder / "data").symlink_to("whole"),
        "a link to elsewhere": lambda folder: (folder / "data").symlink_to("/etc/hostname"),
        "a link to a device": lambda folder: (folder / "data").symlink_to("/dev/zero"),
        "a second name": lambda folder: os.link(folder / "whole", folder / "data"),
        "a folder": lambda folder: (folder / "data").mkdir(),
    }


ONNX = Format("onnx", ".onnx", "seqkit.interop:load", lambda: list(_seeds()), damaged, made)
