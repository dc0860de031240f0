"""From a chain of Keras layers with weights to a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from seqkit import registry
from seqkit.equations.activation import Choice
from seqkit.errors import ConvertError
from seqkit.interop.dialects import find
from seqkit.interop.keras.config import Block, Chain
from seqkit.layer import Layer
from seqkit.model import Sequential
from seqkit.sequence_layer import SequenceLayer

KINDS = {"LSTM": "lstm", "GRU": "gru", "SimpleRNN": "simple_rnn"}
LEAKY_RELU = {"name": "leaky_relu", "alpha": 0.2}
FEED_FORWARD: Mapping[str, Choice] = {
    **{"exponential": "exp", "gelu": "exact_gelu", "celu": "elu", "leaky_relu": LEAKY_RELU}
}
"""Activations of layers without a state that have another name here; celu with alpha=1 is elu."""
RECURRENT: Mapping[str, Choice] = {"exponential": "exp", "celu": "elu", "leaky_relu": LEAKY_RELU}
IN_CELLS = frozenset({"gelu", "softmax", "log_softmax"})
"""Activations that cells have not: the engine's gelu is the tanh form, which is another function."""

Params = Mapping[str, np.ndarray]
Fill = tuple[Layer, Params]


class _Layers:
    """Makes layers, and remembers which weights belong to them."""

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.fills: list[Fill] = []

    def chain(self, blocks: Sequence[Block], first: bool = True) -> list[Layer]:
        """The layers of blocks that follow each other; those behind a mask are in a Masked."""
        made: list[Layer] = []
        for number, block in enumerate(blocks):
            layers = self.block(block, first and number == 0)
            if _masks(block):
                self._check_masked(blocks[number + 1 :])
                return made + _masked(block, layers, self.chain(blocks[number + 1 :], first=False))
            made += layers
        return made

    def block(self, block: Block, first: bool) -> list[Layer]:
        """The layers of one block."""
        if block.kind == "Embedding" and not first:
            raise self._error(block, "it does not come first, and ids can only be the input of a model")
        makers: dict[str, Callable[[Block], list[Layer]]] = {
            **dict.fromkeys(KINDS, lambda one: [self.recurrent(one)]),
            "RNN": self.cells,
            "Bidirectional": self.bidirectional,
            "TimeDistributed": self.time_distributed,
            "Dense": self.dense,
            "Embedding": self.embedding,
            "RepeatVector": lambda one: [registry.create("repeat_vector", one.options["n"])],
            "Dropout": lambda one: _dropout(one, None),
            "SpatialDropout1D": lambda one: _dropout(one, (None, 1, None)),
            **dict.fromkeys(("Activation", "ReLU", "ELU", "LeakyReLU", "Softmax"), self.activation),
        }
        return makers[block.kind](block) if block.kind in makers else []  # the others act in training only

    def recurrent(self, block: Block, **changes: Any) -> Layer:
        """A recurrent layer of a block, or of a cell with the options of the layer around it."""
        kind = KINDS[block.kind.removesuffix("Cell")]
        options = dict(block.options) | changes
        own = {name: self._activation(block, options[name]) for name in _ACTIVATIONS if name in options}
        own |= {name: options[name] for name in _SAME if name in options}
        own |= {name: options[name] for name in ("dropout", "recurrent_dropout") if 0 <= options[name] < 1}
        units, reset = options["units"], {"reset_after": options["reset_after"]} if "reset_after" in options else {}
        layer = registry.create(kind, units, **own, **reset)
        kernel, recurrent, *bias = block.weights
        rows = bias[0] if bias and options.get("reset_after") else bias
        biases = dict(zip(("bias", "recurrent_bias"), rows, strict=False))
        self.fills.append((layer, find("keras", kind).read(kernel, recurrent, **biases, **reset)))
        return layer

    def cells(self, block: Block) -> list[Layer]:
        """A layer for each of some cells on top of each other; the last one is read."""
        cell = block.parts[0]
        cells = cell.parts if cell.kind == "StackedRNNCells" else (cell,)
        if not cells or any(not one.kind.endswith("Cell") for one in cells):
            raise self._error(block, "it does not run cells of Keras' own")
        common = {name: block.options[name] for name in ("stateful",)}
        layers = []
        for number, one in enumerate(cells):
            last = number == len(cells) - 1
            go = block.options["go_backwards"] and number == 0  # the others read what it has turned around
            sequences = block.options["return_sequences"] or not last
            layers.append(self.recurrent(one, return_sequences=sequences, go_backwards=go, **common))
        return layers

    def bidirectional(self, block: Block) -> list[Layer]:
        """Both directions of a layer."""
        forward, backward = block.parts
        if block.options["merge_mode"] is None:
            raise self._error(block, "merge_mode=None gives two outputs, and a model here has one")
        for part in block.parts:
            if part.kind not in KINDS:
                raise self._error(block, f"a direction is {part.kind}, only {', '.join(KINDS)} can be")
            if part.options["stateful"]:
                raise self._error(block, "it is stateful, which a layer that reads the end of a sequence cannot be")
        if forward.options["go_backwards"] or not backward.options["go_backwards"]:
            raise self._error(block, "its first layer reads from the end, and the second from the start")
        if forward.options["return_sequences"] != backward.options["return_sequences"]:
            raise self._error(block, "only one of its directions returns sequences")
        if (
            block.options["merge_mode"] not in ("concat", None)
            and forward.options["units"] != backward.options["units"]
        ):
            raise self._error(block, "its directions have different numbers of units")
        layers = self.recurrent(forward), self.recurrent(backward)
        return [registry.create("bidirectional", layers[0], block.options["merge_mode"], layers[1])]

    def time_distributed(self, block: Block) -> list[Layer]:
        """What works on each step alone does so anyway."""
        inner = block.parts[0]
        if inner.kind not in ("Dense", "Activation", "ReLU", "ELU", "LeakyReLU", "Softmax", "Dropout"):
            raise self._error(block, f"{inner.kind} in TimeDistributed cannot be represented")
        return self.block(inner, first=False)

    def dense(self, block: Block) -> list[Layer]:
        """A feed-forward layer."""
        options = block.options
        activation = FEED_FORWARD.get(options["activation"], options["activation"])
        layer = registry.create("dense", options["units"], activation, options["use_bias"])
        kernel, *bias = block.weights
        self.fills.append((layer, {"weight": kernel.T, **dict(zip(("bias",), bias, strict=False))}))
        return [layer]

    def embedding(self, block: Block) -> list[Layer]:
        """A table of vectors."""
        layer = registry.create("embedding", block.options["input_dim"], block.options["output_dim"])
        self.fills.append((layer, {"weight": block.weights[0]}))
        return [layer]

    def activation(self, block: Block) -> list[Layer]:
        """A function of every number."""
        name = block.options.get("activation", block.kind.lower())
        choice = FEED_FORWARD.get(name, name)
        if block.kind == "LeakyReLU":
            choice = {"name": "leaky_relu", "alpha": slope_of(block)}
        elif block.kind == "ELU":
            choice = {"name": "elu", "alpha": block.options["alpha"]}
        return [registry.create("activation", choice)] if name != "linear" else []

    def _activation(self, block: Block, name: str) -> Choice:
        if name in IN_CELLS:
            raise self._error(block, f"the activation {name!r} cannot be represented in a recurrent layer")
        return RECURRENT.get(name, name)

    def _check_masked(self, blocks: Sequence[Block]) -> None:
        """Whether blocks do under a mask what is done here."""
        for block in _under_mask(blocks):
            cell = block.parts[0] if block.kind == "RNN" else block
            if block.kind == "RNN" and block.options["go_backwards"] and len(cell.parts) > 1:
                raise self._error(block, "cells on top of each other that go backwards under a mask")
            if block.options.get("zero_output_for_mask"):
                raise self._error(block, "zero_output_for_mask under a mask, outside Bidirectional")
            if "Softmax" in (block.kind, *(part.kind for part in block.parts)):
                raise self._error(block, "a Softmax layer that is given a mask; use Activation('softmax')")

    def _error(self, block: Block, reason: str) -> ConvertError:
        return ConvertError(f"{self.owner}: layer {block.name!r} ({block.kind}) cannot be represented: {reason}.")


_ACTIVATIONS = ("activation", "recurrent_activation")
_SAME = ("use_bias", "return_sequences", "go_backwards", "stateful")


def model_of(chain: Chain, owner: str) -> Sequential:
    """The model of a chain.

    Raises
    ------
    ConvertError
        If something of it cannot be represented exactly; the message names the layer and says why.
    """
    layers = _Layers(owner)
    model = Sequential(layers.chain(chain.blocks), seed=0, dtype=chain.dtype)
    if not model.layers:
        raise ConvertError(f"{owner}: the model does nothing outside training.")
    model.build(input_size(chain))
    for layer, params in layers.fills:
        for name, array in params.items():
            layer.params[name] = array
    return model


def input_size(chain: Chain) -> int:
    """Number of features of the input, 1 of ids."""
    if chain.blocks[0].kind == "Embedding":
        return 1
    for block in _flat(chain.blocks):
        if block.weights:
            return len(block.weights[0])
    return chain.shape[-1] if chain.shape is not None and chain.shape[-1] is not None else 1


def _flat(blocks: Sequence[Block]) -> Iterator[Block]:
    for block in blocks:
        yield block
        yield from _flat(block.parts)


def slope_of(block: Block) -> float:
    """Of a LeakyReLU, called alpha in Keras 2."""
    given = (block.options[name] for name in ("negative_slope", "alpha"))
    return next((slope for slope in given if slope is not None), 0.3)


def _dropout(block: Block, noise_shape: tuple[int | None, ...] | None) -> list[Layer]:
    rate = block.options["rate"]
    return [registry.create("dropout", rate, noise_shape=noise_shape)] if 0 <= rate < 1 else []


# ---- masks ---------------------------------------------------------------------------------------


def _masks(block: Block) -> bool:
    """Whether a block makes a mask for those behind it."""
    return block.kind == "Masking" or bool(block.options.get("mask_zero"))


def _under_mask(blocks: Sequence[Block]) -> Iterator[Block]:
    """The blocks that are given the mask made before them."""
    for block in blocks:
        if block.kind == "Masking":
            return
        yield block
        sequences = [part.options["return_sequences"] for part in (block, *block.parts) if _ends(part)]
        if sequences and not sequences[0]:
            return


def _ends(block: Block) -> bool:
    return "return_sequences" in block.options


def _masked(block: Block, own: list[Layer], rest: list[Layer]) -> list[Layer]:
    """Layers behind a mask: those up to the last recurrent one skip masked steps."""
    end = next((n + 1 for n, layer in enumerate(rest) if not layer.returns_sequences), len(rest))
    recurrent = [n + 1 for n, layer in enumerate(rest[:end]) if isinstance(layer, SequenceLayer)]
    if block.kind == "Embedding" and not recurrent:
        return own + rest
    end = max(recurrent, default=0)
    value = block.options["mask_value"] if block.kind == "Masking" else 0.0
    return [registry.create("masked", [*own, *rest[:end]], value), *rest[end:]]
