"""ONNX files that are damaged, or made to do harm: refused with a typed error, at once, and nothing else is touched."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqkit.errors import ConvertError, LoadError, SeqkitError, UnsafeFileError
from seqkit.interop.onnx.graph_model import GraphModel
from seqkit.interop.onnx.messages import Graph, Model, Node, Value, decode, encode
from seqkit.interop.onnx.reader import from_onnx
from seqkit.interop.onnx.schema import TABLES
from seqkit.interop.onnx.wire import serialize

FLOAT = np.dtype(np.float32)


def record(graph: dict[str, Any] | None = None, **fields: Any) -> bytes:
    """The bytes of a model with these fields."""
    base = {"ir_version": 10, "opset_import": [{"domain": "", "version": 17}], "graph": graph or {"name": "g"}}
    return serialize(TABLES, "Model", base | fields)


def with_tensor(**fields: Any) -> bytes:
    tensor = {"name": "w", "dims": [2, 3], "data_type": 1, "raw_data": bytes(24)} | fields
    return record({"initializer": [{name: value for name, value in tensor.items() if value is not None}]})


def with_attribute(**fields: Any) -> bytes:
    node = {"op_type": "Elu", "input": ["x"], "output": ["y"], "attribute": [{"name": "alpha"} | fields]}
    return record({"node": [node]})


def field(number: int, wire: int, content: bytes = b"") -> bytes:
    """A field as it stands, whatever it says."""
    return bytes([number << 3 | wire]) + content


def around(number: int, content: bytes) -> bytes:
    """A field whose length takes five bytes."""
    size = len(content)
    return field(number, 2, bytes(size >> shift & 127 | 128 for shift in range(0, 28, 7)) + b"\0" + content)


NESTED = b""
for _ in range(10_000):  # a graph in an attribute of a node of a graph in ...
    NESTED = around(1, around(5, around(6, NESTED)))
VERSION = field(1, 0, b"\x08")

DAMAGED = {
    "nothing": b"",
    "text": b"a text and no model",
    "no graph": serialize(TABLES, "Model", {"ir_version": 8}),
    "no version": serialize(TABLES, "Model", {"graph": {"name": "g"}}),
    "varint without end": record() + field(13, 0, b"\xff" * 20),
    "varint of 65 bits": record() + field(13, 0, b"\xff" * 9 + b"\x7f"),
    "varint cut off": record() + field(13, 0, b"\x80"),
    "length beyond the end": field(7, 2, b"\x05abc"),
    "length of 2**63": field(7, 2, b"\x80" * 9 + b"\x01"),
    "a group": record() + field(9, 3) + field(9, 4),
    "wire type 6": record() + field(9, 6),
    "wire type 7": record() + field(9, 7),
    "field 0": record() + field(0, 0, b"\x01"),
    "graph as a number": VERSION + field(7, 0, b"\x01"),
    "version as bytes": field(1, 2, b"\x01a"),
    "two graphs": record() + field(7, 2, b"\0"),
    "not UTF-8": record() + field(2, 2, b"\x02\xff\xfe"),
    "an opset twice": record(opset_import=[{"domain": "", "version": 17}, {"domain": "ai.onnx", "version": 18}]),
    "an initializer twice": record({"initializer": [{"name": "w", "data_type": 1, "raw_data": bytes(4)}] * 2}),
    "an initializer without name": record({"initializer": [{"data_type": 1, "raw_data": bytes(4)}]}),
    "raw and typed": with_tensor(float_data=[0.0] * 6),
    "integers as floats": with_tensor(raw_data=None, int64_data=[0] * 6),
    "packed floats cut off": field(1, 0, b"\x08")
    + field(7, 2, b"\x07" + field(5, 2, b"\x05" + field(4, 2, b"\x03abc"))),
    "packed integers cut off": field(1, 0, b"\x08")
    + field(7, 2, b"\x06" + field(5, 2, b"\x04" + field(1, 2, b"\x02\x01\x80"))),
    "300 as int8": with_tensor(data_type=3, raw_data=None, int32_data=[300] * 6),
    "-1 as float16": with_tensor(data_type=10, raw_data=None, int32_data=[-1] * 6),
    "2 as bool": with_tensor(data_type=9, raw_data=bytes([2] * 6)),
    "attribute without value": with_attribute(type=5),
    "attribute of no type": with_attribute(i=1, f=1.0),
    "attribute of another type": with_attribute(type=2, f=1.0),
    "an attribute twice": record({"node": [{"op_type": "Elu", "attribute": [{"name": "a", "type": 2, "i": 1}] * 2}]}),
}

UNSAFE = {
    "10,000 graphs deep": VERSION + around(7, NESTED),
    "raw data too short": with_tensor(raw_data=bytes(23)),
    "raw data too long": with_tensor(raw_data=bytes(25)),
    "no data": with_tensor(raw_data=None),
    "too few floats": with_tensor(raw_data=None, float_data=[0.0] * 5),
    "sizes of 2**32": with_tensor(dims=[2**32, 2**32]),
    "sizes that overflow to 24 bytes": with_tensor(dims=[2**62, 2**4, 6]),
    "a negative size": with_tensor(dims=[-2, -3]),
    "nothing, of 2**62 rows": with_tensor(dims=[0, 2**62, 2**62], raw_data=None),
    "nine dimensions": with_tensor(dims=[1] * 9, raw_data=bytes(4)),
    "a shape of nine": record({"input": [{"name": "x", "type": {"tensor_type": {"shape": {"dim": [{}] * 9}}}}]}),
    "100,001 nodes": record({"node": [{}] * 100_001}),
}

REFUSED = {
    "functions of its own": record(functions=[b""]),
    "instructions for training": record(training_info=[b""]),
    "sparse initializers": record({"sparse_initializer": [b""]}),
    "strings": with_tensor(data_type=8, raw_data=None, string_data=[b"a"] * 6),
    "complex64": with_tensor(data_type=14, raw_data=bytes(48)),
    "type 99": with_tensor(data_type=99),
    "segments": with_tensor(segment=b""),
    "sequence": record({"input": [{"name": "x", "type": {"sequence_type": b""}}]}),
    "optional": record({"output": [{"name": "x", "type": {"optional_type": b""}}]}),
    "sparse_tensor are not read": with_attribute(type=11, sparse_tensor=b""),
    "attributes of functions are not read": with_attribute(type=1, ref_attr_name="alpha"),
    "a call of a function": record({"node": [{"op_type": "F", "overload": "1"}]}),
}


@pytest.fixture
def modest() -> Iterator[None]:
    """The test takes no 64 MiB."""
    tracemalloc.start()
    yield
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 << 20


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
def test_damaged(data):
    with pytest.raises(LoadError):
        decode(data)


@pytest.mark.parametrize("data", UNSAFE.values(), ids=UNSAFE)
def test_unsafe(modest, data):
    with pytest.raises(UnsafeFileError):
        decode(data)


@pytest.mark.parametrize(("reason", "data"), REFUSED.items(), ids=REFUSED)
def test_refused_with_the_reason(reason, data):
    with pytest.raises(ConvertError, match=reason):
        decode(data)


def test_cut_off_at_every_byte():
    rng = np.random.default_rng(0)
    x, y = (Value(name, FLOAT, ("batch", 3)) for name in "xy")
    nodes = [Node("MatMul", ["x", "w"], ["h"]), Node("LeakyRelu", ["h"], ["y"], {"alpha": 0.1})]
    weights = {"w": rng.normal(size=(3, 3)).astype(np.float32)}
    data = encode(Model(Graph("g", nodes, [x], [y], weights), {"": 17}, 8))
    whole = 0
    for end in range(len(data)):
        try:
            GraphModel(decode(data[:end]))
        except SeqkitError:
            continue
        whole += 1
    assert whole == 0  # the versions of the operators come last


def test_many_small_fields():
    with pytest.raises(UnsafeFileError, match="fields"):
        decode(record() + field(13, 0, b"\0") * 1_000_001)
    with pytest.raises(UnsafeFileError, match="messages"):
        decode(record() + field(14, 2, b"\0") * 100_001)


def test_two_gibibytes(modest, tmp_path):
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.truncate(2**31)
    with pytest.raises(LoadError, match="2147483648 bytes"):
        from_onnx(path)


# tensors in other files


def external(folder: Path, **entries: Any) -> Path:
    """A model whose weight (2, 3) lies at this place."""
    place = [{"key": key, "value": str(value)} for key, value in entries.items()]
    graph = {"initializer": [{"name": "w", "dims": [2, 3], "data_type": 1, "data_location": 1, "external_data": place}]}
    output = {"name": "w", "type": {"tensor_type": {"elem_type": 1}}}
    folder.mkdir(exist_ok=True)
    path = folder / "model.onnx"
    path.write_bytes(record(graph | {"output": [output]}))
    return path


WEIGHTS = np.arange(6, dtype="<f4").reshape(2, 3) + 0.5


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's folder with weights at byte 8, and secrets outside."""
    inside = tmp_path / "model"
    (inside / "data").mkdir(parents=True)
    (inside / "data" / "weights.bin").write_bytes(bytes(8) + WEIGHTS.tobytes())
    (tmp_path / "secret").write_bytes(bytes(100))
    return inside


@pytest.mark.parametrize("place", [{"offset": 8, "length": 24}, {"offset": 8}, {"offset": 8, "checksum": "x"}])
def test_weights_in_another_file(folder, place):
    model = from_onnx(external(folder, location="data/weights.bin", **place))
    assert np.array_equal(model.run({})["w"], WEIGHTS)


def test_weights_of_a_model_without_path(folder):
    data = external(folder, location="data/weights.bin", offset=8).read_bytes()
    with pytest.raises(LoadError, match="path"):
        decode(data)


PLACES = {
    "parent": {"location": "../secret"},
    "parent in the middle": {"location": "data/../../secret"},
    "root": {"location": "/etc/passwd"},
    "drive": {"location": "C:secret"},
    "backslash": {"location": "..\\secret"},
    "nul": {"location": "data\0"},
    "nothing": {"location": ""},
    "the folder": {"location": "."},
    "two slashes": {"location": "data//weights.bin"},
    "the network": {"location": "http://example.com/weights"},
    "5,000 letters": {"location": "../" + "a" * 5000},
    "offset -1": {"location": "data/weights.bin", "offset": -1},
    "offset past the end": {"location": "data/weights.bin", "offset": 9},
    "offset of 2**80": {"location": "data/weights.bin", "offset": 2**80},
    "offset in words": {"location": "data/weights.bin", "offset": "eight"},
    "offset in other digits": {"location": "data/weights.bin", "offset": "\u0668"},
    "length -1": {"location": "data/weights.bin", "length": -1},
    "length of 2**50": {"location": "data/weights.bin", "length": 2**50},
    "length of less": {"location": "data/weights.bin", "length": 8},
    "another key": {"location": "data/weights.bin", "__class__": "x"},
    "no place": {"offset": 0},
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_places_outside(folder, place):
    with pytest.raises(UnsafeFileError) as caught:
        from_onnx(external(folder, **place))
    assert len(str(caught.value)) < 1000


def test_two_tensors_at_one_place(folder):
    tensor = {"dims": [2, 3], "data_type": 1, "data_location": 1}
    place = [{"key": "location", "value": "data/weights.bin"}]
    graph = {"initializer": [tensor | {"name": name, "external_data": place} for name in "ab"]}
    with pytest.raises(UnsafeFileError, match="all tensors together"):
        decode(record(graph), folder)


def test_data_twice(folder):
    with pytest.raises(UnsafeFileError, match="only one"):
        decode(with_tensor(data_location=1, external_data=[{"key": "location", "value": "data/weights.bin"}]), folder)


def test_addresses_of_the_memory_are_names_of_files(folder):
    with pytest.raises(LoadError, match="No such file"):
        from_onnx(external(folder, location="*/_ORT_MEM_ADDR_/*", offset=94_000_000))


LINKS = {
    "symbolic": lambda link, folder: link.symlink_to(folder.parent / "secret"),
    "symbolic, inside": lambda link, folder: link.symlink_to(folder / "data" / "weights.bin"),
    "hard": lambda link, folder: link.hardlink_to(folder.parent / "secret"),
    "pipe": lambda link, folder: os.mkfifo(link),
    "device": lambda link, folder: link.symlink_to("/dev/zero"),
    "folder": lambda link, folder: link.mkdir(),
    "nothing": lambda link, folder: None,
}


@pytest.mark.parametrize("make", LINKS.values(), ids=LINKS)
def test_what_is_no_plain_file(folder, make):
    make(folder / "w", folder)
    with pytest.raises(LoadError):
        from_onnx(external(folder, location="w"))


def test_a_folder_that_is_a_link(folder):
    (folder / "out").symlink_to(folder.parent)
    with pytest.raises(LoadError, match="links"):
        from_onnx(external(folder, location="out/secret"))


@pytest.mark.parametrize("place", ["/dev/zero", "/proc/self/mem"])
def test_a_model_that_is_a_device(place):
    with pytest.raises(SeqkitError):
        from_onnx(place)


# graphs


def graph_of(*nodes: Node, opset: int = 17, **initializers: np.ndarray) -> Model:
    x, y = (Value(name, FLOAT, ("batch", 3)) for name in "xy")
    return Model(Graph("g", list(nodes), [x], [y], initializers), {"": opset} if opset else {}, 8)


@pytest.mark.parametrize("opset", [0, 1, 6, 29, 10**6, 2**63 - 1])
def test_versions(opset):
    with pytest.raises(ConvertError, match="opset"):
        GraphModel(graph_of(Node("Tanh", ["x"], ["y"]), opset=opset))


@pytest.mark.parametrize("opset", range(7, 29))
def test_every_version_that_is_read(opset):
    model = GraphModel(graph_of(Node("Tanh", ["x"], ["y"]), opset=opset))
    assert np.allclose(model.predict([[0, 1, 2]]), np.tanh([[0, 1, 2]]))


def test_unknown_operators_are_listed_together():
    inner = Graph("inner", [Node("Inner", [], ["b"])], [], [Value("b", FLOAT, ())])
    nodes = [Node("os.system", ["x"], ["a"]), Node("Mine", ["a"], ["y"], {"body": inner}, domain="com.example")]
    with pytest.raises(ConvertError, match=r"'Inner' \(1 times\), 'com.example.Mine' \(1 times\), 'os.system'"):
        GraphModel(graph_of(*nodes))


WRONG = {
    "reads itself": [Node("Add", ["x", "y"], ["y"])],
    "reads a later one": [Node("Tanh", ["b"], ["a"]), Node("Tanh", ["a"], ["b"]), Node("Tanh", ["a"], ["y"])],
    "gives what is given": [Node("Tanh", ["x"], ["x"]), Node("Tanh", ["x"], ["y"])],
    "gives twice": [Node("Tanh", ["x"], ["y"]), Node("Tanh", ["x"], ["y"])],
    "nothing gives the output": [Node("Tanh", ["x"], ["a"])],
    "no inputs": [Node("Tanh", [], ["y"])],
    "three inputs": [Node("Tanh", ["x", "x", "x"], ["y"])],
    "an input that is not given": [Node("Add", ["x", ""], ["y"])],
    "two outputs": [Node("Tanh", ["x"], ["y", "z"])],
    "axis of text": [Node("Flatten", ["x"], ["y"], {"axis": "one"})],
    "constant of two": [Node("Constant", [], ["y"], {"value_int": 1, "value_float": 1.0})],
    "constant of none": [Node("Constant", [], ["y"])],
}


@pytest.mark.parametrize("nodes", WRONG.values(), ids=WRONG)
def test_graphs_that_are_none(nodes):
    with pytest.raises(LoadError):
        GraphModel(graph_of(*nodes))


@pytest.mark.parametrize("name", ["__class__", "clip_value", "a" * 5000])
def test_unknown_attributes(name):
    with pytest.raises(ConvertError, match="not known") as caught:
        GraphModel(graph_of(Node("Tanh", ["x"], ["y"], {name: 1})))
    assert len(str(caught.value)) < 1000


def test_weights_that_grow_are_not_made_when_a_model_is_loaded(modest):
    """Constants alone, of which a terabyte would be made."""
    w = np.ones((2, 3), np.float32)
    nodes = [Node("Concat", [f"w{k}"] * 9, [f"w{k + 1}"], {"axis": 0}) for k in range(12)]
    nodes += [Node("ReduceSum", ["w12"], ["s"], {"keepdims": 0}), Node("Add", ["x", "s"], ["y"])]
    GraphModel(graph_of(*nodes, w0=w))
    many = Node("Concat", ["w0"] * 99_999, ["c"], {"axis": 0})
    GraphModel(graph_of(many, Node("ReduceSum", ["c"], ["s"], {"keepdims": 0}), Node("Add", ["x", "s"], ["y"]), w0=w))


def test_constants_that_grow_by_broadcasting_are_not_made_when_a_model_is_loaded(modest):
    vectors = {f"v{k}": np.ones((1,) * k + (300,) + (1,) * (2 - k), np.float32) for k in range(3)}
    nodes = [Node("Add", ["v0", "v1"], ["plane"]), Node("Where", ["c", "plane", "v2"], ["space"])]
    nodes += [Node("ReduceSum", ["space"], ["s"], {"keepdims": 0}), Node("Add", ["x", "s"], ["y"])]
    GraphModel(graph_of(*nodes, c=np.ones((1, 1, 1), bool), **vectors))


MAKERS = {
    "ConstantOfShape": Node("ConstantOfShape", ["sizes"], ["big"]),
    "Expand": Node("Expand", ["one", "sizes"], ["big"]),
    "Tile": Node("Tile", ["flat", "sizes"], ["big"]),
    "Range": Node("Range", ["zero", "end", "step"], ["big"]),
    "Pad": Node("Pad", ["flat", "pads"], ["big"]),
}


@pytest.mark.parametrize("node", MAKERS.values(), ids=MAKERS)
def test_a_petabyte_is_not_made_when_a_model_runs(node):
    sizes = {"sizes": np.array([2**25, 2**25]), "pads": np.array([0, 0, 2**25, 2**30])}
    ones = {"one": np.ones(1, np.float32), "flat": np.ones((1, 1), np.float32)}
    ends = {"zero": np.array(0.0, np.float32), "end": np.array(2.0**50, np.float32), "step": np.array(1.0, np.float32)}
    reduced = Node("ReduceMax", ["big"], ["m"], {"keepdims": 0})
    model = GraphModel(graph_of(node, reduced, Node("Add", ["x", "m"], ["y"]), **sizes, **ones, **ends))
    with pytest.raises(SeqkitError, match=f"{node.op_type} of 'big'.*take"):
        model.predict(np.zeros((1, 3), np.float32))
