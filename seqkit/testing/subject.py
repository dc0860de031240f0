"""What is checked: a name, a class or an unbuilt layer, as a source of fresh layers.

Legend: H units, F input features.
"""

from __future__ import annotations

import inspect
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from itertools import product
from typing import Any

from seqkit import registry
from seqkit.equations import Cell
from seqkit.errors import ConfigError, UnknownLayerError
from seqkit.layer import Layer
from seqkit.recurrent import Recurrent
from seqkit.testing.data import fill
from seqkit.testing.kinds import blank, vectors_only

Target = str | type[Cell] | type[Layer] | Layer

UNITS = (18, 20, 24, 16, 21)  # more than one vector of any instruction set; divisible by most numbers of heads
FEATURES = (5, 6, 8, *UNITS, 7, *range(9, 65), 4, 3, 2, 1)
DEFAULTS = {"return_sequences": True, "stateful": False}
"""Options that the checks vary themselves, where a layer has them."""


class Subject:
    """A source of fresh, built layers, always with the same random parameters for one type.

    Parameters
    ----------
    target : str, Cell class, Layer class or Layer
        A registered name (or ``module:attribute``), a class, or an unbuilt layer, which is only
        read.  Of a name or a class the number of units and of features is the first that the layer
        can be built with; arguments of a layer's constructor that have no default are made from
        their annotation (int, float, Layer).

    Examples
    --------
    >>> subject = Subject("gru")
    >>> layer = subject("float32", go_backwards=True)
    >>> layer.units, layer.input_size, layer.go_backwards, layer.return_sequences
    (18, 5, True, True)
    """

    def __init__(self, target: Target) -> None:
        if isinstance(target, Layer) and target.built:
            raise ConfigError(f"{target!r} is built already; give a new layer to be checked.")
        self.target = target

    @cached_property
    def resolved(self) -> type[Cell] | type[Layer] | Layer:
        """The class or the unbuilt layer."""
        return resolve(self.target) if isinstance(self.target, str) else self.target

    @property
    def name(self) -> str:
        """What the report and pytest call it."""
        if isinstance(self.target, str):
            return self.target
        own = self.target.name if "name" in vars(self.target) or isinstance(self.target, Layer) else ""
        return own or getattr(self.target, "__name__", "layer")

    def __call__(self, dtype: str, **options: Any) -> Any:
        """A new layer with random parameters."""
        template, features = self._template
        return fill(self.unbuilt(template, **options).build(features, seed=0, dtype=dtype))

    def unbuilt(self, template: Layer | None = None, **options: Any) -> Any:
        """A new layer with these options."""
        template = template or self._template[0]
        known = template.config()
        return again(template, **{name: value for name, value in DEFAULTS.items() if name in known} | options)

    @cached_property
    def _template(self) -> tuple[Layer, int]:
        """A layer that is never built, and the features that layers like it can be built for."""
        first: Exception | None = None
        for units, features in self._sizes():
            try:
                template = self._construct(units)
                layer = self.unbuilt(template).build(features, seed=0)
                if not vectors_only(layer):
                    layer.forward(blank(layer, 1, 2))
                return template, features
            except Exception as error:  # of any kind: the first one is told if nothing helps
                first = first or error
        assert first is not None
        raise first

    def _sizes(self) -> Any:
        """Units and features to try."""
        if not isinstance(self.resolved, Layer):
            return product(UNITS, FEATURES)
        shape = self.resolved.input_shape
        return product([0], FEATURES if shape is None or shape[-1] is None else [shape[-1]])

    def _construct(self, units: int) -> Layer:
        target = self.resolved
        if isinstance(target, Layer):
            return target
        if issubclass(target, Cell):
            return Recurrent(target, units)
        return target(**{name: example(target, name, kind, units) for name, kind in required(target).items()})


def resolve(name: str) -> type[Cell] | type[Layer] | Layer:
    """What a registered name, or ``module:attribute``, leads to."""
    try:
        return registry.get(name)
    except UnknownLayerError:
        module, _, attribute = name.partition(":")
        if not attribute or find_spec(module) is None:
            raise
        found = getattr(import_module(module), attribute)
        if not isinstance(found, Layer) and not (isinstance(found, type) and issubclass(found, (Cell, Layer))):
            expected = "a class of a cell or layer, or an unbuilt layer"
            raise ConfigError(f"{name} is {found!r:.80}, expected {expected}.") from None
        return found


def again(layer: Layer, **options: Any) -> Any:
    """A new, unbuilt layer from the configuration of one, with some options changed."""
    config = layer.config() | options
    if type(layer) is not Recurrent:
        return type(layer).from_config(config)
    if layer.options or "use_bias" in options:
        return Recurrent(type(layer.cell), **config)
    del config["use_bias"]  # the cell knows: it may have been made by the caller
    return Recurrent(layer.cell, **config)


def required(target: type[Layer]) -> dict[str, str]:
    """Arguments of a constructor without a default, and how they are annotated."""
    parameters = inspect.signature(target).parameters.values()
    return {
        p.name: getattr(p.annotation, "__name__", str(p.annotation))
        for p in parameters
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    }


def example(target: type[Layer], name: str, kind: str, units: int) -> Any:
    """A value for an argument."""
    if kind == "int" or name == "units":
        return 2 if name.startswith("num_") else units  # of parts, such as heads, a few will do
    if kind == "float":
        return 0.5
    if kind == "VectorLayer":
        return registry.create("dense", units)
    if kind.endswith(("Layer", "Recurrent")):
        return registry.create("gru", units, return_sequences=True)
    if kind == "Sequence[Layer]":
        return [registry.create("gru", units, return_sequences=True), registry.create("dense", units)]
    if kind.startswith("Mapping[str, Layer"):
        return {"h": registry.create("gru", units, return_sequences=True), "y": registry.create("dense", units)}
    raise ConfigError(
        f"{target.__name__}: nothing is known about its argument {name!r} ({kind}); check an unbuilt layer, such as "
        f"{target.__name__}({name}=...), instead of its class."
    )
