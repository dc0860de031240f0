"""Recurrent nodes that read each other's Y, joined to one step of a program.

An exporter writes a stack of layers as nodes, with a Squeeze between those of one direction and a Transpose and a
Reshape between those of two.  What lies between them only drops or moves the axis of directions: joined, each layer
writes what the next one reads, and the engine may run layers as a pipeline (decision 8).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain

import numpy as np

from seqkit.interop.onnx.messages import Node
from seqkit.interop.onnx.operators.binding import Arrays, Constants, Function
from seqkit.interop.onnx.recurrent import RecurrentNode, run_stack
from seqkit.interop.onnx.recurrent_form import INPUTS
from seqkit.interop.onnx.recurrent_layers import WEIGHTS

Bound = list[tuple[Node, Function]]
LENGTHS = INPUTS.index("sequence_lens")


class RecurrentStack:
    """Bound nodes of which each reads the Y of the one before.

    Its inputs are those that `reads` says, for each node by name and place; its outputs are Y_h and Y_c of all nodes
    but the last, then those of the last.
    """

    def __init__(self, nodes: Sequence[RecurrentNode], reads: Sequence[Mapping[str, int]]) -> None:
        self.nodes, self._reads = nodes, reads

    def __call__(self, inputs: Arrays) -> Arrays:
        """Y_h and Y_c of all nodes but the last, then Y, Y_h and Y_c of that."""
        return run_stack(self.nodes, [{key: inputs[place] for key, place in reads.items()} for reads in self._reads])


def joined(bound: Bound, constants: Constants, outputs: Collection[str]) -> Bound:
    """The same nodes with those of stacks joined, a node alone being a stack of one.

    Parameters
    ----------
    bound : list of (Node, function)
        Nodes in the order in which they run.
    constants : mapping of str to ndarray
    outputs : collection of str
        Names that are read beside those that nodes read.
    """
    links = _Links(bound, constants, outputs)
    after = {place: link for place in range(len(bound)) if (link := links.of(place))}
    gone = {place for between, following in after.values() for place in between} | set(after)
    stacks = dict(_stacks(after))
    return [
        _stack([bound[each] for each in stacks.get(place, [place])]) if _joins(function) else (node, function)
        for place, (node, function) in enumerate(bound)
        if place not in gone
    ]


def _stacks(after: Mapping[int, tuple[list[int], int]]) -> Iterator[tuple[int, list[int]]]:
    """Places of the nodes of each stack, by that of the last."""
    followers = {following for _, following in after.values()}
    for first in sorted(set(after) - followers):
        stack = [first]
        while stack[-1] in after:
            stack.append(after[stack[-1]][1])
        yield stack[-1], stack


def _stack(members: list[tuple[Node, Function]]) -> tuple[Node, Function]:
    """The nodes as one, which reads no weights: the layers have them."""
    nodes = [node for node, _ in members]
    reads: list[dict[str, int]] = []
    inputs: list[str] = []
    for number, node in enumerate(nodes):
        named = zip(INPUTS, node.inputs, strict=False)
        read = {key: name for key, name in named if name and key not in WEIGHTS and (key != "X" or number == 0)}
        reads.append({key: len(inputs) + place for place, key in enumerate(read)})
        inputs += read.values()
    outputs = [*chain(*(node.outputs[1:] for node in nodes[:-1])), *nodes[-1].outputs]
    functions = [function for _, function in members if isinstance(function, RecurrentNode)]
    kinds = ", ".join(dict.fromkeys(node.op_type for node in nodes))
    return Node(f"{kinds} stack", inputs, outputs, name=nodes[0].name), RecurrentStack(functions, reads)


class _Links:
    """Which node follows on which in a stack."""

    def __init__(self, bound: Bound, constants: Constants, outputs: Collection[str]) -> None:
        self._bound, self._constants = bound, constants
        self._readers: dict[str, list[int]] = {name: [-1] for name in outputs}
        for place, (node, _) in enumerate(bound):
            for name in node.inputs:
                self._readers.setdefault(name, []).append(place)

    def of(self, place: int) -> tuple[list[int], int] | None:
        """Places of the nodes between a recurrent node and the one that reads its Y, and that of the latter."""
        node, first = self._bound[place]
        if not (isinstance(first, RecurrentNode) and _joins(first)):
            return None
        patterns = [self._is_squeeze] if len(first.form.reversed) == 1 else [self._is_transpose, self._is_reshape]
        between, name = [], node.outputs[0]
        for fits in patterns:
            reader = self._only_reader(name)
            if reader is None or not fits(self._bound[reader][0]):
                return None
            between.append(reader)
            name = self._bound[reader][0].outputs[0]
        following = self._only_reader(name)
        return (between, following) if following is not None and self._follows(place, following, name) else None

    def _only_reader(self, name: str) -> int | None:
        readers = self._readers.get(name, [])
        return readers[0] if name and len(readers) == 1 and readers[0] >= 0 else None

    def _follows(self, place: int, following: int, name: str) -> bool:
        """Whether a node reads `name` as X, with the lengths of the one before, whose states nobody needs earlier."""
        (node, _), (after, function) = self._bound[place], self._bound[following]
        states = [reader for output in node.outputs[1:] if output for reader in self._readers.get(output, [])]
        same_lengths = node.inputs[LENGTHS : LENGTHS + 1] or [""]
        return (
            _joins(function)
            and after.inputs[0] == name
            and (after.inputs[LENGTHS : LENGTHS + 1] or [""]) == same_lengths
            and all(reader > following or reader < 0 for reader in states)
        )

    def _is_squeeze(self, node: Node) -> bool:
        """Whether a node drops the axis of directions of (T, 1, B, H)."""
        axes = node.attributes.get("axes", self._numbers(node, 1))
        return node.op_type == "Squeeze" and axes == [1]

    def _is_transpose(self, node: Node) -> bool:
        """Whether a node makes (T, B, 2, H) of (T, 2, B, H)."""
        return node.op_type == "Transpose" and node.attributes.get("perm") == [0, 2, 1, 3]

    def _is_reshape(self, node: Node) -> bool:
        """Whether a node puts the directions of (T, B, 2, H) side by side."""
        keeps = not node.attributes.get("allowzero", 0)
        return node.op_type == "Reshape" and keeps and self._numbers(node, 1) == [0, 0, -1]

    def _numbers(self, node: Node, place: int) -> list[int] | None:
        """Constant numbers that an input gives."""
        array = self._constants.get(node.inputs[place]) if place < len(node.inputs) else None
        return None if array is None else np.atleast_1d(array).tolist()


def _joins(function: Function) -> bool:
    """Whether a function is that of a recurrent node that may be in a stack."""
    return isinstance(function, RecurrentNode) and function.layers is not None and not function.form.batch_first
