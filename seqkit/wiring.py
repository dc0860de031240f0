"""Who reads whom in a graph of layers."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple

from seqkit.errors import ConfigError
from seqkit.layer import Layer
from seqkit.parts import twice


class Node(NamedTuple):
    """A layer, and the names of the inputs or nodes that it reads."""

    layer: Layer
    sources: tuple[str, ...]

    def of(self, values: Mapping[str, Any]) -> Any:
        """What this node reads: a value, or a tuple where it has several sources."""
        read = tuple(values[source] for source in self.sources)
        return read if len(read) > 1 else read[0]


class Wiring(NamedTuple):
    """The nodes of a graph, checked."""

    nodes: Mapping[str, Node]
    order: Sequence[str]
    """Names of the nodes in an order in which they can run."""
    output: str
    ids: tuple[bool, ...]
    """Which inputs are ids."""

    @classmethod
    def of(cls, given: Mapping[str, Any], inputs: Sequence[str], output: str | None, owner: str) -> Wiring:
        """The wiring of nodes as they are written, see :class:`seqkit.graph.Graph`.

        Raises
        ------
        ConfigError
            If names are wrong, unknown or unused, a layer is in two nodes, nodes read each other in a circle, or ids
            are read as numbers.
        """
        _check_names([*inputs, *given], owner)
        nodes = _nodes(given, inputs, owner)
        known = [*inputs, *nodes]
        for name, node in nodes.items():
            for source in node.sources:
                _check_known(source, known, f"{owner}: node {name!r} reads")
        output = known[-1] if output is None else output
        _check_known(output, known, f"{owner}: output is")
        order = _order(nodes, owner)
        _check_used(known, nodes, order, output, owner)
        return cls(nodes, order, output, tuple(_is_ids(name, nodes, owner) for name in inputs))


def _check_names(names: Sequence[str], owner: str) -> None:
    for place, name in enumerate(names):
        if not isinstance(name, str) or not name.isidentifier():
            raise ConfigError(f"{owner}: {name!r} is no name; use letters, digits and underscores.")
        if name in names[:place]:
            raise ConfigError(f"{owner}: {name!r} is the name of an input and of a node, or of two inputs; rename one.")


def _nodes(given: Mapping[str, Any], inputs: Sequence[str], owner: str) -> dict[str, Node]:
    """Nodes with their sources: a layer alone reads what stands before it."""
    nodes: dict[str, Node] = {}
    before = inputs[0]
    for name, entry in given.items():
        layer, *sources = entry if isinstance(entry, (tuple, list)) and entry else (entry,)
        if not isinstance(layer, Layer) or any(not isinstance(source, str) for source in sources):
            raise ConfigError(
                f"{owner}: node {name!r} is {entry!r}, expected a layer, or a tuple of a layer and the names of what "
                f"it reads, such as (seqkit.Add(), 'x', 'h')."
            )
        if twice([layer, *(node.layer for node in nodes.values())]):
            raise ConfigError(f"{owner}: node {name!r} has the layer of another node; make a second layer.")
        if getattr(layer, "merge_mode", "") is None:
            raise ConfigError(f"{owner}: node {name!r}: {layer!r} gives two outputs; choose a merge_mode.")
        nodes[name] = Node(layer, tuple(sources) or (before,))
        before = name
    return nodes


def _check_known(name: str, known: Sequence[str], what: str) -> None:
    if name not in known:
        close = difflib.get_close_matches(str(name), known, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ConfigError(f"{what} {name!r}, which is neither an input nor a node; {hint}there are {', '.join(known)}.")


def _order(nodes: Mapping[str, Node], owner: str) -> list[str]:
    """The names so that every node follows what it reads."""
    reads = {name: [source for source in node.sources if source in nodes] for name, node in nodes.items()}
    try:
        return list(TopologicalSorter(reads).static_order())
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise ConfigError(f"{owner}: nodes read each other in a circle: {circle}; a graph has none.") from None


def _check_used(known: Iterable[str], nodes: Mapping[str, Node], order: Sequence[str], output: str, owner: str) -> None:
    """Raise unless everything leads to the output."""
    used = {output}
    for name in reversed(order):
        if name in used:
            used.update(nodes[name].sources)
    unused = [name for name in known if name not in used]
    if unused:
        raise ConfigError(
            f"{owner}: nothing that leads to the output {output!r} reads {' and '.join(map(repr, unused))}; "
            f"leave it out or say which node reads it."
        )


def _is_ids(name: str, nodes: Mapping[str, Node], owner: str) -> bool:
    """Whether an input is ids; nobody may read it as numbers then, nor a node as ids."""
    kinds = {
        _reads_ids(node.layer, place)
        for node in nodes.values()
        for place, source in enumerate(node.sources)
        if source == name
    }
    if len(kinds) > 1:
        raise ConfigError(f"{owner}: input {name!r} is read as ids and as numbers; make it two inputs.")
    for reader, node in nodes.items():
        wrong = [s for n, s in enumerate(node.sources) if s in nodes and _reads_ids(node.layer, n)]
        if wrong:
            raise ConfigError(f"{owner}: node {reader!r} takes ids, which node {wrong[0]!r} does not give.")
    return kinds == {True}


def _reads_ids(layer: Layer, place: int) -> bool:
    return place < len(layer.ids_of_inputs) and layer.ids_of_inputs[place]
