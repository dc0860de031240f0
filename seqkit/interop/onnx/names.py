"""Names in a graph: which operators it has, who makes its values and who reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

from seqkit.errors import ConvertError, LoadError
from seqkit.interop.onnx.messages import Graph, Node
from seqkit.interop.onnx.operators.binding import label


def require_known(graph: Graph, operators: Collection[str]) -> None:
    """ConvertError with all operators of a graph, and of graphs inside it, that are not known."""
    unknown = Counter(
        f"{node.domain}.{node.op_type}".lstrip(".") for node in nodes_of(graph) if _unknown(node, operators)
    )
    if unknown:
        names = ", ".join(f"{name!r:.80} ({count} times)" for name, count in sorted(unknown.items())[:50])
        raise ConvertError(f"the ONNX model has operators that are not known here: {names}.")


def _unknown(node: Node, operators: Collection[str]) -> bool:
    return bool(node.domain) or node.op_type not in operators


def nodes_of(graph: Graph) -> Iterator[Node]:
    """Nodes of a graph and of all graphs that are attributes of them."""
    for node in graph.nodes:
        yield node
        for inner in graphs_in(node):
            yield from nodes_of(inner)


def graphs_in(node: Node) -> list[Graph]:
    return [value for value in node.attributes.values() if isinstance(value, Graph)]


def check_names(graph: Graph, outer: set[str]) -> None:
    """Every value is made once, and before it is read."""
    inputs = [value.name for value in graph.inputs]
    there = {*outer, *inputs, *graph.initializers, ""}
    if len(set(inputs)) != len(inputs) or "" in inputs:
        raise LoadError(f"graph {graph.name!r:.100}: two inputs have one name, or one has none: {inputs!r:.200}.")
    for node in graph.nodes:
        for name in (*node.inputs, *read_inside(node)):
            if name not in there:
                raise LoadError(f"{label(node)}: reads {name!r:.100}, which no node before it gives.")
        for name in filter(None, node.outputs):
            if name in there:
                raise LoadError(f"{label(node)}: gives {name!r:.100}, a name that something else has.")
            there.add(name)
    missing = [value.name for value in graph.outputs if value.name not in there or not value.name]
    if missing:
        raise LoadError(f"graph {graph.name!r:.100}: nothing gives its outputs {missing!r:.200}.")


def free_names(graph: Graph) -> set[str]:
    """Names of values that a graph reads, or gives, and does not make."""
    read = {value.name for value in graph.outputs}
    made = {"", *graph.initializers, *(value.name for value in graph.inputs)}
    for node in graph.nodes:
        read.update(node.inputs)
        made.update(node.outputs)
        read |= read_inside(node)
    return read - made


def read_inside(node: Node) -> set[str]:
    """Names of values around a node that the graphs inside it read."""
    return {name for inner in graphs_in(node) for name in free_names(inner)}
