"""ONNX files beside the onnx package: what it writes is read, what is written here its checker passes."""

from __future__ import annotations

import numpy as np
import pytest

from seqkit.interop.onnx.messages import Graph, Model, Node, Value, decode, encode
from seqkit.interop.onnx.schema import DTYPES

pytestmark = pytest.mark.peers
onnx = pytest.importorskip("onnx")

TEXTS = ("", "a", "Gewichte_ä", "x/y.z:0", "名")


def random_array(rng: np.random.Generator) -> np.ndarray:
    """Of any type and of up to four dimensions, some of them 0."""
    dtype = rng.choice(list(DTYPES.values()))
    shape = tuple(rng.integers(0, 4, size=rng.integers(0, 5)).tolist())
    return (
        np.asarray(rng.normal(0, 60, shape)).astype(np.int64).astype(dtype)
        if dtype.kind != "f"
        else np.asarray(rng.normal(size=shape)).astype(dtype)
    )


def random_attributes(rng: np.random.Generator, depth: int) -> dict[str, object]:
    kinds = {
        "f": lambda: float(np.float32(rng.normal())),
        "i": lambda: int(rng.integers(-(2**63), 2**63 - 1)),
        "s": lambda: str(rng.choice(TEXTS)),
        "t": lambda: random_array(rng),
        "floats": lambda: [float(np.float32(v)) for v in rng.normal(size=rng.integers(1, 5))],
        "ints": lambda: rng.integers(-300, 300, size=rng.integers(1, 5)).tolist(),
        "strings": lambda: [str(v) for v in rng.choice(TEXTS, size=rng.integers(1, 4))],
    }
    if depth:
        kinds["g"] = lambda: random_graph(rng, depth - 1)
    names = rng.choice(list(kinds), size=rng.integers(0, len(kinds)), replace=False)
    return {f"attribute_{name}": kinds[name]() for name in names}


def random_graph(rng: np.random.Generator, depth: int = 2) -> Graph:
    """Nothing that could run: every kind of field in any combination."""
    names = [f"v{k}" for k in range(9)]
    nodes = [
        Node(
            str(rng.choice(["LSTM", "Add", "Mine"])),
            [str(name) for name in rng.choice([*names, ""], size=rng.integers(0, 4))],
            [f"y{k}_{j}" for j in range(rng.integers(1, 3))],
            random_attributes(rng, depth),
            str(rng.choice(TEXTS)),
            str(rng.choice(["", "com.example"])),
        )
        for k in range(rng.integers(0, 4))
    ]
    values = [random_value(rng, name) for name in names]
    initializers = {f"w{k}": random_array(rng) for k in range(rng.integers(0, 5))}
    return Graph(str(rng.choice(TEXTS)), nodes, values[:4], values[4:], initializers)


def random_value(rng: np.random.Generator, name: str) -> Value:
    sizes = [None, "batch", 0, 7, 2**40]
    shape = None if rng.random() < 0.2 else tuple(sizes[k] for k in rng.integers(0, 5, size=rng.integers(0, 5)))
    return Value(name, None if shape is None and rng.random() < 0.5 else rng.choice(list(DTYPES.values())), shape)


def same(a: object, b: object) -> bool:
    """Equality down to types and NaN."""
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, (Graph, Model, Node)):
        return type(a) is type(b) and same(vars(a), vars(b))
    return type(a) is type(b) and a == b


@pytest.mark.parametrize("seed", range(60))
def test_what_is_written_here_is_what_the_package_reads(seed):
    rng = np.random.default_rng(seed)
    model = Model(random_graph(rng), {"": 22, "com.example": 3}, 10, "seqkit 1.0", {"k": "v", "ä": ""})
    data = encode(model)
    assert same(decode(data), model)
    theirs = onnx.load_model_from_string(data)
    again = theirs.SerializeToString()  # by another writer, its numbers of attributes one by one
    assert same(decode(again), model)
    assert (theirs.producer_name, theirs.producer_version) == ("seqkit", "1.0")
    for name, array in model.graph.initializers.items():
        (tensor,) = [each for each in theirs.graph.initializer if each.name == name]
        assert same(onnx.numpy_helper.to_array(tensor), array)
    for ours, node in zip(model.graph.nodes, theirs.graph.node, strict=True):
        attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
        assert [attributes[name] for name, value in ours.attributes.items() if isinstance(value, (int, float))] == [
            value for value in ours.attributes.values() if isinstance(value, (int, float))
        ]


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=str)
@pytest.mark.parametrize("raw", [False, True])
def test_tensors_of_the_package_in_every_form(dtype, raw):
    values = np.array([[0, 1, 2], [1, 100, 3]]) if dtype.kind == "u" else np.array([[0, -1, 2], [-100, 1, 3]])
    array = values.astype(dtype)
    content = array.tobytes() if raw else array.ravel().tolist()
    number = onnx.helper.np_dtype_to_tensor_dtype(dtype)
    tensor = onnx.helper.make_tensor("w", number, array.shape, content, raw=raw)
    graph = onnx.helper.make_graph([], "g", [], [], [tensor])
    assert same(decode(onnx.helper.make_model(graph).SerializeToString()).graph.initializers, {"w": array})


def test_the_checker_passes_what_is_written():
    float32 = np.dtype(np.float32)
    x, y = Value("x", float32, ("batch", "time", 3)), Value("y", float32, ("batch", "time", 2))
    w = np.arange(6, dtype=np.float32).reshape(3, 2)
    nodes = [Node("MatMul", ["x", "w"], ["h"]), Node("Softmax", ["h"], ["y"], {"axis": 2})]
    data = encode(Model(Graph("g", nodes, [x], [y], {"w": w}), {"": 22}, 10))
    onnx.checker.check_model(onnx.load_model_from_string(data), full_check=True)
