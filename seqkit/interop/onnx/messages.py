"""ONNX models as plain values: read from the bytes of a file and written to them, without the onnx package.

What changes the meaning of a model and cannot be represented (functions, training, sparse tensors, sequences, strings)
is refused with the reason; what is said about it (documentation, value_info, devices) is left out.

Source: "Open Neural Network Exchange Intermediate Representation", github.com/onnx/onnx, docs/IR.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from seqkit.errors import ConvertError, LoadError, UnsafeFileError
from seqkit.interop.onnx.external import ExternalFiles
from seqkit.interop.onnx.schema import ATTRIBUTES, REFUSED_ATTRIBUTES, TABLES, dtype_of, number_of
from seqkit.interop.onnx.tensors import read_tensor, write_tensor
from seqkit.interop.onnx.wire import Record, parse, serialize
from seqkit.limits import LIMITS

MOST_BYTES = 2**31 - 1
"""Of a message: readers of Protocol Buffers take no more."""


@dataclass
class Node:
    """An operator with the names of what it reads ("" for an input that is not given) and of what it gives.

    An attribute is an int, float, str, ndarray, Graph, or a list of ints, floats or strs.
    """

    op_type: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any] = field(default_factory=dict)
    name: str = ""
    domain: str = ""


@dataclass(frozen=True)
class Value:
    """Name, type and shape of an input or output, None where they are not known; a str is a size known by name."""

    name: str
    dtype: np.dtype | None
    shape: tuple[int | str | None, ...] | None


@dataclass
class Graph:
    """Nodes in the order in which they can run; initializers are constants by name."""

    name: str
    nodes: list[Node]
    inputs: list[Value]
    outputs: list[Value]
    initializers: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass
class Model:
    """A graph with the versions of the operator sets that its nodes belong to, by domain."""

    graph: Graph
    opsets: dict[str, int]
    ir_version: int
    producer: str = ""
    metadata: dict[str, str] = field(default_factory=dict)


def decode(data: bytes, folder: Path | None = None) -> Model:
    """The model in the bytes of an ONNX file.

    Parameters
    ----------
    data : bytes
        Contents of the file.
    folder : Path, optional
        Where the file is: tensors in other files of the folder are read from there.

    Raises
    ------
    LoadError
        If these are not the bytes of an ONNX model, or not whole.
    UnsafeFileError
        If sizes are impossible, or a tensor lies outside of the folder.
    ConvertError
        If there is something in it that cannot be represented here.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = (Value(name, np.dtype("float32"), ("batch", 3)) for name in "xy")
    >>> model = Model(Graph("g", [Node("Tanh", ["x"], ["y"])], [x], [y]), {"": 22}, 10)
    >>> decode(encode(model)) == model
    True
    """
    if len(data) > MOST_BYTES:
        raise LoadError(f"an ONNX file has at most {MOST_BYTES} bytes, these are {len(data)}; keep weights beside it.")
    record = parse(TABLES, "Model", data)
    if record.get("ir_version", 0) < 1 or "graph" not in record:
        raise LoadError("not an ONNX model: it has no version or no graph.")
    for name, what in (("functions", "functions of its own"), ("training_info", "instructions for training")):
        if name in record:
            raise ConvertError(f"the ONNX model has {what}, which are not read; export it for inference, inlined.")
    opsets = {_domain(entry): entry.get("version", 0) for entry in record.get("opset_import", [])}
    if len(opsets) != len(record.get("opset_import", [])):
        raise LoadError("the ONNX model gives the version of an operator set twice; the file is damaged.")
    producer = f"{record.get('producer_name', '')} {record.get('producer_version', '')}".strip()
    metadata = {entry.get("key", ""): entry.get("value", "") for entry in record.get("metadata_props", [])}
    graph = _graph(record["graph"], ExternalFiles(folder))
    return Model(graph, opsets, record["ir_version"], producer, metadata)


def _domain(record: Record) -> str:
    """The name of an operator set; ONNX' own has two."""
    domain: str = record.get("domain", "")
    return "" if domain == "ai.onnx" else domain


def _graph(record: Record, files: ExternalFiles) -> Graph:
    name = record.get("name", "")
    if "sparse_initializer" in record:
        raise ConvertError(f"graph {name!r}: sparse initializers cannot be represented here; write them as dense ones.")
    tensors = record.get("initializer", [])
    initializers = {each.get("name", ""): each for each in tensors}
    if len(initializers) != len(tensors) or "" in initializers:
        raise LoadError(f"graph {name!r}: initializers have no name or the same; the file is damaged.")
    return Graph(
        name,
        [_node(each, files) for each in record.get("node", [])],
        [_value(each) for each in record.get("input", [])],
        [_value(each) for each in record.get("output", [])],
        {key: read_tensor(each, files, f"initializer {key!r:.100}") for key, each in initializers.items()},
    )


def _node(record: Record, files: ExternalFiles) -> Node:
    op_type, name = record.get("op_type", ""), record.get("name", "")
    owner = f"{op_type:.80} {name!r:.100}"
    if record.get("overload"):
        raise ConvertError(f"{owner}: a call of a function, which are not read; export the model inlined.")
    attributes: dict[str, Any] = {}
    for each in record.get("attribute", []):
        key = each.get("name", "")
        if key in attributes:
            raise LoadError(f"{owner}: attribute {key!r:.100} is given twice; the file is damaged.")
        attributes[key] = _attribute(each, files, f"{owner}: attribute {key!r:.100}")
    return Node(op_type, record.get("input", []), record.get("output", []), attributes, name, _domain(record))


def _attribute(record: Record, files: ExternalFiles, owner: str) -> Any:
    refused = [name for name in REFUSED_ATTRIBUTES if name in record]
    if refused or record.get("ref_attr_name"):
        raise ConvertError(f"{owner}: {' and '.join(refused) or 'attributes of functions'} are not read.")
    given = [name for name in ATTRIBUTES.values() if name in record]
    untyped = "type" not in record and len(given) == 1  # before version 2 of the format
    kind = given[0] if untyped else ATTRIBUTES.get(record.get("type", 0), "")
    if not kind or given not in ([], [kind]) or (not given and kind in ("t", "g")):
        raise LoadError(f"{owner} of type {record.get('type')} has {given or 'no value'}; the file is damaged.")
    if kind == "t":
        return read_tensor(record["t"], files, owner)
    if kind == "g":
        return _graph(record["g"], files)
    empty: dict[str, Any] = {"f": 0.0, "i": 0, "s": ""}  # what a writer need not write
    value = record.get(kind, empty.get(kind, []))
    return value.tolist() if isinstance(value, np.ndarray) else value


def _value(record: Record) -> Value:
    name, kind = record.get("name", ""), record.get("type", {})
    others = [key.removesuffix("_type") for key in kind if key != "tensor_type"]
    if others:
        raise ConvertError(f"{name!r:.100} is of type {others[0]}; only tensors can be represented here.")
    tensor = kind.get("tensor_type", {})
    number = tensor.get("elem_type", 0)
    dtype = dtype_of(number, f"{name!r:.100}") if number else None
    return Value(name, dtype, _shape(tensor["shape"], name) if "shape" in tensor else None)


def _shape(record: Record, name: str) -> tuple[int | str | None, ...]:
    sizes = [each.get("dim_value", each.get("dim_param") or None) for each in record.get("dim", [])]
    if len(sizes) > LIMITS.rank:
        raise UnsafeFileError(f"{name!r:.100} has {len(sizes)} dimensions, expected at most {LIMITS.rank}.")
    # a negative size is how some writers say that they do not know
    return tuple(None if isinstance(size, int) and size < 0 else size for size in sizes)


def encode(model: Model) -> bytes:
    """The bytes of an ONNX file; numbers of tensors are inside it.

    Raises
    ------
    ConvertError
        If an array or attribute has a type that ONNX or :func:`decode` does not know, or it all takes 2 GiB.
    """
    name, _, version = model.producer.partition(" ")
    record = {
        "ir_version": model.ir_version,
        "producer_name": name or None,
        "producer_version": version or None,
        "graph": _graph_record(model.graph),
        "opset_import": [{"domain": domain, "version": number} for domain, number in model.opsets.items()],
        "metadata_props": [{"key": key, "value": value} for key, value in model.metadata.items()],
    }
    data = serialize(TABLES, "Model", record)
    if len(data) > MOST_BYTES:
        raise ConvertError(f"the ONNX file would have {len(data)} bytes; it can have {MOST_BYTES} at most.")
    return data


def _graph_record(graph: Graph) -> Record:
    return {
        "name": graph.name,
        "node": [_node_record(node) for node in graph.nodes],
        "initializer": [write_tensor(array, name, f"{name!r}") for name, array in graph.initializers.items()],
        "input": [_value_record(value) for value in graph.inputs],
        "output": [_value_record(value) for value in graph.outputs],
    }


def _node_record(node: Node) -> Record:
    attributes = [_attribute_record(name, value, node) for name, value in node.attributes.items()]
    return {
        "input": node.inputs,
        "output": node.outputs,
        "name": node.name or None,
        "op_type": node.op_type,
        "attribute": attributes,
        "domain": node.domain or None,
    }


def _attribute_record(name: str, value: Any, node: Node) -> Record:
    for number, kind in ATTRIBUTES.items():
        if _fits(kind, value):
            content = {"t": lambda: write_tensor(value, "", name), "g": lambda: _graph_record(value)}.get(kind)
            return {"name": name, "type": number, kind: content() if content else value}
    raise ConvertError(f"{node.op_type}: attribute {name!r} cannot be {type(value).__name__} {value!r:.100}.")


_KINDS: dict[str, Any] = {
    "f": (float, np.floating),
    "i": (int, np.integer),
    "s": str,
    "t": np.ndarray,
    "g": Graph,
}


def _fits(kind: str, value: Any) -> bool:
    """Whether a value is one of the field; a list with a float in it is one of floats, an empty list one of ints."""
    if kind in _KINDS:
        return isinstance(value, _KINDS[kind]) and not isinstance(value, (bool, np.bool_))
    if not isinstance(value, (list, tuple)):
        return False
    kinds: Iterable[Any] = {"floats": ("f", "i"), "ints": ("i",), "strings": ("s",)}[kind]
    all_fit = all(any(_fits(each, item) for each in kinds) for item in value)
    return all_fit and (kind != "floats" or any(_fits("f", item) for item in value))


def _value_record(value: Value) -> Record:
    tensor: Record = {"elem_type": None if value.dtype is None else number_of(value.dtype, value.name)}
    if value.shape is not None:
        tensor["shape"] = {"dim": [_dimension(size) for size in value.shape]}
    return {"name": value.name, "type": {"tensor_type": tensor}}


def _dimension(size: int | str | None) -> Record:
    return {} if size is None else {"dim_param": size} if isinstance(size, str) else {"dim_value": int(size)}
