"""The order of the layers of a model, and proof that there is only one.

In a Functional model of Keras 3 the masks are part of the graph: small operations read the input of an Embedding or
Masking layer, and every layer behind it names the result.  They must say what Keras would do without them, and are
then left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seqkit.errors import ConvertError

MASK_OPERATIONS = ("NotEqual", "Any")
MASK_MODULES = ("keras.src.ops.numpy", "keras.ops.numpy", "keras.ops", None)
FUNCTIONAL = ("Functional", "Model")


def ordered(description: Any, owner: str) -> list[dict[str, Any]]:
    """The descriptions of a model's layers, each the input of the next.

    Raises
    ------
    ConvertError
        If there is no such order; the message names the layer where the model branches.
    """
    kind = description.get("class_name") if isinstance(description, dict) else None
    config = description.get("config") if isinstance(description, dict) else None
    if kind == "Sequential" and isinstance(config, list):  # Keras before 2.2
        config = {"layers": config}
    layers = config.get("layers") if isinstance(config, dict) else None
    if kind not in ("Sequential", *FUNCTIONAL) or not isinstance(config, dict) or not isinstance(layers, list):
        raise ConvertError(f"{owner}: expected a Sequential or Functional model, got {kind!r:.80}.")
    if not layers or not all(isinstance(layer, dict) and isinstance(layer.get("config"), dict) for layer in layers):
        raise ConvertError(f"{owner}: the model has no layers, or something else in their place.")
    return layers if kind == "Sequential" else _Graph(config, layers, owner).order()


class _Graph:
    """A Functional model."""

    def __init__(self, config: Mapping[str, Any], layers: list[dict[str, Any]], owner: str) -> None:
        self.owner = owner
        self.layers = {self._name(layer): layer for layer in layers}
        if len(self.layers) != len(layers):
            raise ConvertError(f"{owner}: two layers have one name.")
        self.inputs, self.outputs = (self._ends(config, key) for key in ("input_layers", "output_layers"))

    def order(self) -> list[dict[str, Any]]:
        """From the input to the output, one after the other."""
        readers: dict[str, list[str]] = {name: [] for name in self.layers}
        for name, layer in self.layers.items():
            if not self._is_mask(layer) and name != self.inputs:
                readers[self._call(name)[0]].append(name)
        names, mask = [self.inputs], None
        while readers[names[-1]]:
            here = names[-1]
            if len(readers[here]) > 1:
                several = " and ".join(repr(name) for name in readers[here][:3])
                raise self._error(f"it branches behind layer {here!r}, which {several} read; only chains work")
            names += readers[here]
            mask = self._check_mask(names[-1], here, mask)
        if names[-1] != self.outputs:
            raise self._error(f"its output is that of layer {self.outputs!r}, but the chain ends at {names[-1]!r}")
        loose = [name for name, layer in self.layers.items() if name not in names and not self._is_mask(layer)]
        if loose:
            raise self._error(f"layer {loose[0]!r} is not in the chain from its input to its output")
        return [self.layers[name] for name in names]

    # ---- masks -----------------------------------------------------------------------------------

    def _check_mask(self, name: str, before: str, mask: str | None) -> str | None:
        """Whether the mask that a layer is given is the one that Keras would give it; the mask behind it.

        A mask is known by the layer that makes it.
        """
        layer, given = self.layers[name], self._call(name)[1].get("mask")
        if given is not None and self._maker(given) != mask:
            raise self._error(f"layer {name!r} is given another mask than the one of the layers before it")
        config = layer["config"]
        if layer.get("class_name") == "Masking" or (layer.get("class_name") == "Embedding" and config.get("mask_zero")):
            return name
        return mask if config.get("return_sequences", True) else None

    def _maker(self, tensor: Any) -> str | None:
        """The layer whose mask a tensor is: that which reads what the operations of the mask read."""
        operation = self.layers[self._source(tensor)]
        kind = operation.get("class_name")
        arguments = self._arguments(operation)
        compared: Any = None
        if kind == "Any" and operation["config"].get("axis") == -1 and not operation["config"].get("keepdims"):
            operation = self.layers[self._source(arguments[0])]
            compared = "Masking"
            arguments = self._arguments(operation)
        elif kind == "NotEqual":
            compared = "Embedding"
        if compared is None or operation.get("class_name") != "NotEqual" or len(arguments) != 2:
            raise self._error("it computes a mask in a way that is not Keras' own")
        source, value = self._source(arguments[0]), arguments[1]
        for name, layer in self.layers.items():
            wanted = layer["config"].get("mask_value", 0)
            if layer.get("class_name") == compared and self._call(name)[0] == source and wanted == value:
                return name
        raise self._error("it has a mask that belongs to no layer")

    def _is_mask(self, layer: Mapping[str, Any]) -> bool:
        """Whether a node is such an operation; older files do not say its module."""
        return layer.get("module") in MASK_MODULES and layer.get("class_name") in MASK_OPERATIONS

    # ---- nodes -----------------------------------------------------------------------------------

    def _call(self, name: str) -> tuple[str, Mapping[str, Any]]:
        """The layer that a layer reads, and the other arguments of its only call."""
        nodes = self.layers[name].get("inbound_nodes")
        if not isinstance(nodes, list) or len(nodes) != 1:
            raise self._error(f"layer {name!r} is not called exactly once")
        node = nodes[0]
        if isinstance(node, list):  # Keras 2: [[name, node, tensor, arguments]]
            node = {"args": [*node], "kwargs": node[0][3] if self._is_old(node) else None}
        arguments, others = (node.get("args"), node.get("kwargs")) if isinstance(node, dict) else (None, None)
        if not isinstance(arguments, list) or not isinstance(others, dict) or len(arguments) != 1:
            raise self._error(f"layer {name!r} is not called on one tensor")
        extra = [key for key, value in others.items() if value not in (None, False) and key != "mask"]
        if extra:
            raise self._error(f"layer {name!r} is called with {extra[0]!r}, which cannot be represented")
        return self._source(arguments[0]), others

    @staticmethod
    def _is_old(node: list[Any]) -> bool:
        return len(node) == 1 and isinstance(node[0], list) and len(node[0]) == 4

    def _arguments(self, operation: Mapping[str, Any]) -> list[Any]:
        nodes = operation.get("inbound_nodes")
        if self._is_mask(operation) and isinstance(nodes, list) and len(nodes) == 1 and isinstance(nodes[0], dict):
            arguments = nodes[0].get("args")
            if isinstance(arguments, list) and arguments and not nodes[0].get("kwargs"):
                return arguments
        raise self._error("it computes a mask in a way that is not Keras' own")

    def _source(self, tensor: Any) -> str:
        """The layer whose first output a tensor is."""
        place = tensor[:3] if isinstance(tensor, list) else None
        if isinstance(tensor, dict) and tensor.get("class_name") == "__keras_tensor__":
            config = tensor.get("config")
            place = config.get("keras_history") if isinstance(config, dict) else None
        match place:
            case [str(name), 0, 0] if name in self.layers:
                return name
            case _:
                raise self._error(f"it has a connection that is not to the first output of a layer: {tensor!r:.120}")

    def _ends(self, config: Mapping[str, Any], key: str) -> str:
        ends = config.get(key)
        if isinstance(ends, list) and len(ends) == 1:
            ends = ends[0]
        if not isinstance(ends, list) or len(ends) != 3 or not isinstance(ends[0], str):
            raise self._error(f"it has not exactly one of its {key!r}")
        return self._source(ends)

    def _name(self, layer: Mapping[str, Any]) -> str:
        name = layer.get("name", layer["config"].get("name"))
        if not isinstance(name, str):
            raise ConvertError(f"{self.owner}: a layer has no name.")
        return name

    def _error(self, reason: str) -> ConvertError:
        return ConvertError(f"{self.owner}: the model cannot be represented: {reason}.")
