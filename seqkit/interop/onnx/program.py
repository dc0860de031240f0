"""A graph made ready to run: every node bound once, every value in a numbered place.

What is known when the model is loaded is computed then, where that cannot make it larger.  Nodes that nobody reads are
left out, and a value is let go after its last reader.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from seqkit.errors import ConvertError, LoadError, SeqkitError, ShapeError, words
from seqkit.interop.onnx.messages import Graph, Node
from seqkit.interop.onnx.names import check_names, read_inside, require_known
from seqkit.interop.onnx.operators.binding import CAPTURED, Arrays, Bind, Constants, Function, label
from seqkit.interop.onnx.recurrent_stack import joined
from seqkit.interop.onnx.zero_states import without_zero_states

NEVER_LARGER = {"Concat", "Flatten", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"}
"""Operators whose results take no more bytes than what they are made from: they are applied to weights, too."""
SMALL = {"Add", "Cast", "Constant", "Div", "Equal", "Gather", "Mul", "ReduceProd", "Shape", "Size", "Sub", "Where"}
"""Operators whose results have no more numbers than the product of those of their inputs."""
MOST_NUMBERS = 1 << 18
"""Of such a product."""
MOST_FOLDED = 1 << 24
"""Bytes of all results that are computed when a model is loaded, beside as many as the constants have."""

Operators = Mapping[str, Bind]


class Step(NamedTuple):
    """A bound node, the places of its inputs and outputs, and the places that nobody reads afterwards."""

    function: Function
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    free: tuple[int, ...]
    label: str


class Program:
    """A graph whose nodes are bound.

    Parameters
    ----------
    graph : Graph
    operators : mapping
        What binds a node, by its type.
    opset : int
        Version of ONNX' operators.
    outer : mapping
        Constants of the graph that this one is inside of.

    Raises
    ------
    ConvertError
        If there are operators that are not known; the message lists all.
    LoadError
        If nodes are not in an order in which they can run, or a name is given to two values.
    """

    def __init__(self, graph: Graph, operators: Operators, opset: int, outer: Constants | None = None) -> None:
        require_known(graph, operators)
        self.inputs = [value.name for value in graph.inputs]
        self.outputs = [value.name for value in graph.outputs]
        fed = set(self.inputs)
        constants = {**(outer or {}), **{k: v for k, v in graph.initializers.items() if k not in fed}}
        check_names(graph, set(outer or ()))
        nodes = [_with_captured(node, constants) for node in without_zero_states(graph.nodes, constants)]
        needed = _needed(replace(graph, nodes=nodes))
        nodes = [_without_unread(node, read) for node, read in needed]
        bound = joined(_bound(nodes, constants, operators, opset), constants, set(self.outputs))
        made = [name for node, _ in bound for name in node.outputs if name]
        self._places = {name: place for place, name in enumerate(["", *self.inputs, *constants, *made])}
        self._unread = len(self._places)  # where results go that nobody reads
        self._start = [*_start(self._places, constants, bound, self.outputs), None]
        self._steps = self._steps_of(bound)
        self._inputs = [self._places[name] for name in self.inputs]
        self._outputs = [self._places[name] for name in self.outputs]

    def _steps_of(self, bound: list[tuple[Node, Function]]) -> list[Step]:
        """Steps; each value is let go after the last step that reads it, or makes it."""
        steps: list[Step] = []
        kept = {self._places[name] for name in self.outputs} | {0}
        for node, function in reversed(bound):
            inputs = tuple(self._places[name] for name in node.inputs)
            outputs = tuple(self._places[name] if name else self._unread for name in node.outputs)
            free = {place for place in (*inputs, *outputs) if place not in kept and self._start[place] is None}
            kept |= free - {self._unread}
            steps.append(Step(function, inputs, outputs, tuple(free), label(node)))
        return steps[::-1]

    def run(self, feeds: Sequence[Any]) -> Arrays:
        """Arrays of the outputs, for one array (or None) for each input.

        Raises
        ------
        SeqkitError
            If an operator cannot be used on what it gets; the message names the node.
        """
        values = self._start.copy()
        for place, array in zip(self._inputs, feeds, strict=True):
            values[place] = array
        with np.errstate(all="ignore"):
            for function, inputs, outputs, free, name in self._steps:
                try:
                    results = function([values[place] for place in inputs])
                except SeqkitError as error:
                    raise type(error)(f"{name}: {error}") from error
                except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
                    shapes = [getattr(values[place], "shape", None) for place in inputs]
                    raise ShapeError(
                        f"{name}: cannot be run on arrays of the shapes {shapes}: {words(error)}"
                    ) from error
                for place, result in zip(outputs, results, strict=False):  # those at the end need not be read
                    values[place] = result
                for place in free:
                    values[place] = None
        return [values[place] for place in self._outputs]


def _needed(graph: Graph) -> list[tuple[Node, set[str]]]:
    """Nodes that the outputs depend on, with the names of all values that are read."""
    read = {value.name for value in graph.outputs}
    needed = []
    for node in reversed(graph.nodes):
        if read.intersection(node.outputs) - {""}:
            read.update(node.inputs)
            needed.append(node)
    return [(node, read) for node in reversed(needed)]


def _with_captured(node: Node, constants: Constants) -> Node:
    """The node with values that graphs inside it read, unless these are constants, as more inputs."""
    if CAPTURED in node.attributes:
        raise ConvertError(f"{label(node)}: the attribute {CAPTURED} is not known here.")
    names = sorted(read_inside(node) - constants.keys())
    if not names:
        return node
    return replace(node, inputs=[*node.inputs, *names], attributes={**node.attributes, CAPTURED: names})


def _without_unread(node: Node, read: set[str]) -> Node:
    """The node with "" for outputs that nobody reads, which it need not make."""
    outputs = [name if name in read else "" for name in node.outputs]
    return replace(node, outputs=outputs)


def _bound(
    nodes: list[Node], constants: dict[str, np.ndarray], operators: Operators, opset: int
) -> list[tuple[Node, Function]]:
    """Nodes with their functions; results of those that are computed now are added to `constants`."""
    bound, budget = [], MOST_FOLDED + sum(array.nbytes for array in constants.values())
    for node in nodes:
        try:
            function = operators[node.op_type](node, constants, opset)
            folded = _folded(node, function, constants, budget)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            if isinstance(error, SeqkitError):
                raise
            raise LoadError(f"{label(node)}: cannot be used as it is: {words(error)}.") from error
        if folded is None:
            bound.append((node, function))
            continue
        budget -= sum(array.nbytes for array in folded.values() if array.base is None)
        constants |= folded
    return bound


def _folded(node: Node, function: Function, constants: Constants, budget: int) -> dict[str, np.ndarray] | None:
    """Results of a node that reads constants alone, and cannot make them large; None if it is another."""
    arrays = [constants.get(name) for name in node.inputs]
    given = [array for array in arrays if array is not None]
    small = node.op_type in SMALL and math.prod(max(1, array.size) for array in given) <= MOST_NUMBERS
    if len(given) < sum(map(bool, node.inputs)) or not (small or node.op_type in NEVER_LARGER):
        return None
    if sum(array.nbytes for array in given) > budget:
        return None
    with np.errstate(all="ignore"):
        results = function(arrays)
    return {name: np.asarray(each) for name, each in zip(node.outputs, results, strict=False) if name}


def _start(
    places: Mapping[str, int], constants: Constants, bound: list[tuple[Node, Function]], outputs: list[str]
) -> Arrays:
    """What lies in all places before the first step: the constants that are still read."""
    read = {name for node, _ in bound for name in node.inputs} | set(outputs)
    start: Arrays = [None] * len(places)
    for name in read.intersection(constants):
        array = constants[name].view()
        array.flags.writeable = False
        start[places[name]] = array
    return start
