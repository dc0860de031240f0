"""From a Keras configuration to a chain of layers: blocks, each the input of the next.

Two kinds of models are chains: Sequential, and Functional where every layer reads the one before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seqkit.errors import ConvertError
from seqkit.interop.keras.links import ordered
from seqkit.interop.keras.schema import PARTS, known_kind, options_of

DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class Block:
    """One layer.

    Attributes
    ----------
    kind : str
        Keras' class name.
    name : str
        The layer's own name.
    options : dict
        Options that matter, checked.
    parts : tuple of Block
        Layers or cells that it runs.
    weights : tuple of ndarray
        Its own variables in Keras' order, without those of its parts.
    """

    kind: str
    name: str
    options: Mapping[str, Any]
    parts: tuple[Block, ...] = ()
    weights: tuple[np.ndarray, ...] = field(default=(), repr=False)

    @property
    def slug(self) -> str:
        """The name under which Keras files the layer's variables.

        Examples
        --------
        >>> Block("SpatialDropout1D", "a", {}).slug, Block("SimpleRNN", "b", {}).slug
        ('spatial_dropout1d', 'simple_rnn')
        """
        words = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", self.kind)
        return re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()


@dataclass(frozen=True)
class Chain:
    """A model: blocks one after the other.

    Attributes
    ----------
    blocks : tuple of Block
        Without the input layer.
    shape : tuple of int or None
        (batch, ...) of the input, None where the file does not say.
    dtype : str
        "float32" or "float64".
    """

    blocks: tuple[Block, ...]
    shape: tuple[int | None, ...] | None
    dtype: str


def chain_of(description: Any, owner: str, version: str = "3") -> Chain:
    """The chain in the configuration of a model.

    Parameters
    ----------
    description : object
        The value of config.json, or of the attribute model_config.
    owner : str
        Name of the file, for errors.
    version : str
        Of Keras, as the file gives it.

    Raises
    ------
    ConvertError
        If it is not a chain, or a layer cannot be represented; the message says which, and why.
    """
    layers = ordered(description, owner)
    blocks = [_block(layer, owner) for layer in layers]
    if version.startswith(("1.", "2.")):
        _check_old(blocks, owner)
    configs = [layer["config"] for layer in layers if layer["class_name"] != "InputLayer"]
    whole = description["config"]  # of Sequential; it has a type of its own, in which inputs come in
    dtypes = {_dtype(one, owner) for one in [*configs, *([whole] if isinstance(whole, dict) else [])]} - {None}
    if len(dtypes) > 1:
        raise ConvertError(f"{owner}: layers of {' and '.join(sorted(map(str, dtypes)))} in one model; only one works.")
    inputs = [block for block in blocks if block.kind == "InputLayer"]
    if len(inputs) > 1 or (inputs and blocks[0] is not inputs[0]):
        raise ConvertError(f"{owner}: the model has an input at another place than its beginning.")
    rest = tuple(block for block in blocks if block.kind != "InputLayer")
    if not rest:
        raise ConvertError(f"{owner}: the model has no layers.")
    shape = _input_shape(layers[0]["config"], inputs, owner)
    if shape is not None and len(shape) not in ((2,) if rest[0].kind == "Embedding" else (2, 3)):
        raise ConvertError(f"{owner}: inputs of shape {shape} cannot be represented, only (batch, time, features).")
    return Chain(rest, shape, str(next(iter(dtypes), "float32")))


def _block(description: Any, owner: str) -> Block:
    """A layer and those in it."""
    kind = known_kind(description, owner)
    config = description["config"]
    name = str(config.get("name", kind))[:80]
    where = f"{owner}: layer {name!r}"
    parts: list[Block] = []
    for key in PARTS.get(kind, ()):
        parts += [_block(one, where) for one in _held(config, key, where)]
    return Block(kind, name, options_of(kind, config, where), tuple(parts))


def _held(config: Mapping[str, Any], key: str, where: str) -> Iterator[Any]:
    """The layers that an option holds: one, or a list."""
    held = config.get(key)
    if key == "backward_layer" and held is None:
        held = _reversed(config["layer"])
    if held is None:
        raise ConvertError(f"{where}: {key!r} is missing.")
    if isinstance(held, list) != (key == "cells"):
        raise ConvertError(
            f"{where}: {key} must be {'a list of layers' if key == 'cells' else 'one layer'}, got {held!r:.80}."
        )
    yield from held if isinstance(held, list) else [held]


def _reversed(layer: Any) -> Any:
    """The backward layer that Keras makes where a file of an early version says none."""
    if not isinstance(layer, dict) or not isinstance(layer.get("config"), dict):
        return layer
    return layer | {"config": layer["config"] | {"go_backwards": not layer["config"].get("go_backwards", False)}}


def _dtype(config: Mapping[str, Any], owner: str) -> str | None:
    """Name of the type that a layer computes in, None where it does not say."""
    dtype = config.get("dtype")
    if isinstance(dtype, dict):
        inner = dtype.get("config")
        dtype = inner.get("name") if isinstance(inner, dict) else dtype
    if dtype is not None and dtype not in DTYPES:
        raise ConvertError(
            f"{owner}: layer {config.get('name')!r:.80} computes in {dtype!r:.80}; only {' and '.join(DTYPES)} can be "
            f"represented exactly."
        )
    return dtype


def _input_shape(first: Mapping[str, Any], inputs: list[Block], owner: str) -> tuple[int | None, ...] | None:
    if inputs:
        options = inputs[0].options
        return options["batch_shape"] or options["batch_input_shape"]
    given = first.get("batch_input_shape")  # files of Keras 2 have it in the first layer
    return options_of("InputLayer", {"batch_shape": given}, owner)["batch_shape"] if given is not None else None


def _check_old(blocks: list[Block], owner: str) -> None:
    for block in blocks:
        if "hard_sigmoid" in (block.options.get("activation"), block.options.get("recurrent_activation")):
            raise ConvertError(
                f"{owner}: layer {block.name!r} uses hard_sigmoid, which is another function in Keras 2, of which the "
                f"file is, than in Keras 3; load and save it with the Keras that is meant."
            )
        _check_old(list(block.parts), owner)
