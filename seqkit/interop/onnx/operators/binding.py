"""What an operator is: a function that reads a node once, when a model is loaded, and gives a function of arrays.

``bind(node, constants, opset)`` checks all that the node says, refuses what it does not know, and prepares what does
not change: weights among `constants` are packed.  The function it gives takes one array for each input of the node,
None for one that is not given, and gives one for each output; it changes none of them and may give views of them.

Source of all operators: "Operator Schemas", github.com/onnx/onnx, docs/Operators.md and docs/Changelog.md, by the
version of the operator set that a model imports.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from seqkit.errors import ConvertError, LoadError
from seqkit.interop.onnx.messages import Graph, Node

Constants = Mapping[str, np.ndarray]
Arrays = list[Any]
"""One array for each input or output; an input that is not given is None."""
Function = Callable[[Arrays], Arrays]
Bind = Callable[[Node, Constants, int], Function]

CAPTURED = "captured"
"""Attribute of a node with graphs inside: names of values around them, which are its last inputs."""

KINDS: dict[str, Callable[[Any], bool]] = {
    "int": lambda value: isinstance(value, int),
    "float": lambda value: isinstance(value, float),
    "text": lambda value: isinstance(value, str),
    "tensor": lambda value: isinstance(value, np.ndarray),
    "graph": lambda value: isinstance(value, Graph),
    "ints": lambda value: isinstance(value, list) and all(isinstance(each, int) for each in value),
    "floats": lambda value: isinstance(value, list) and all(isinstance(each, float) for each in value),
    "texts": lambda value: isinstance(value, list) and all(isinstance(each, str) for each in value),
}


def label(node: Node) -> str:
    """How errors call a node.

    Examples
    --------
    >>> label(Node("Tanh", ["x"], ["y"])), label(Node("Tanh", ["x"], ["y"], name="/act"))
    ("Tanh of 'y'", "Tanh '/act'")
    """
    of = f"{node.name!r:.100}" if node.name else f"of {(node.outputs or [''])[0]!r:.100}"
    return f"{node.op_type:.80} {of}"


def options(
    node: Node, inputs: int | tuple[int, int], outputs: int | tuple[int, int] = 1, /, **known: tuple[str, Any]
) -> SimpleNamespace:
    """The attributes of a node, by the kind and the default of those that are known.

    Parameters
    ----------
    node : Node
    inputs, outputs : int or (int, int)
        How many it must have, or at least and at most.
    **known : (str, value)
        Kind, a key of KINDS, and default of each attribute.

    Raises
    ------
    ConvertError
        If there is an attribute that is not known.
    LoadError
        If an attribute is of another kind, or inputs or outputs are missing or too many.

    Examples
    --------
    >>> options(Node("Concat", ["a", "b"], ["y"], {"axis": 1}), (1, 9), axis=("int", 0)).axis
    1
    """
    for what, names, count in (("inputs", node.inputs, inputs), ("outputs", node.outputs, outputs)):
        least, most = (count, count) if isinstance(count, int) else count
        if not least <= len(names) <= most or ("" in names[:least] and what == "inputs"):
            raise LoadError(f"{label(node)}: has the {what} {names!r:.100}, expected {least} to {most}.")
    unknown = [name for name in node.attributes if name not in known]
    if unknown:
        raise ConvertError(f"{label(node)}: the attributes {unknown!r:.200} are not known here; known are {[*known]}.")
    for name, value in node.attributes.items():
        if not KINDS[known[name][0]](value):
            raise LoadError(f"{label(node)}: attribute {name} must be {known[name][0]}, got {value!r:.100}.")
    return SimpleNamespace(**{name: node.attributes.get(name, default) for name, (_, default) in known.items()})


def numbers(node: Node, place: int, constants: Constants, otherwise: Any = None) -> Callable[[Arrays], Any]:
    """What gives the ints of input `place` of a node, a list or one of them, known now or read from the inputs."""
    if place >= len(node.inputs) or not node.inputs[place]:
        return lambda inputs: otherwise
    found = constants.get(node.inputs[place])
    if found is not None:
        values = found.tolist()
        return lambda inputs: values
    return lambda inputs: inputs[place].tolist()


def many(names: list[str]) -> tuple[int, int]:
    """From one to as many inputs or outputs as there are."""
    return 1, max(1, len(names))
