"""Checks of what a layer says of itself: name, parameters, configuration.

Legend: F input features.
"""

from __future__ import annotations

import inspect
import json
from typing import Any

import numpy as np

from seqkit import registry
from seqkit.equations import Cell
from seqkit.errors import ConfigError, PluginError, SeqkitError, UnknownLayerError
from seqkit.recurrent import Recurrent
from seqkit.testing.data import Data, Make, assert_same_bits, fill, run
from seqkit.testing.kinds import needs, vectors_only
from seqkit.testing.subject import again


def author_class(layer: Any) -> type:
    """The class that the author wrote: of a cell in a plain Recurrent the cell's."""
    return type(layer.cell) if type(layer) is Recurrent else type(layer)


def registered_class(layer: Any) -> type | None:
    """What the layer's name leads to; the qualified one, where several packages claim the short one."""
    try:
        return registry.get(layer.name)
    except UnknownLayerError:
        return None
    except PluginError:
        record = registry.spec(layer)
        return registry.get(f"{record['package']}:{record['layer']}")


def check_build(make: Make) -> None:
    """The layer can be built and run, in float32 and float64.

    A layer of a name or a class is tried with several numbers of units and features; the first error is
    told.  Where none of them is possible, check an unbuilt layer.
    """
    for dtype in ("float32", "float64"):
        layer = make(dtype)
        run(layer, Data.vectors(layer, 3) if vectors_only(layer) else Data.draw(layer, [3, 3]))


def check_docstring(make: Make) -> None:
    """The class has a docstring of its own: what it computes, with its source."""
    own = author_class(make("float32"))
    assert (own.__dict__.get("__doc__") or "").strip(), f"{own.__name__} has no docstring"


def check_registration(make: Make) -> None:
    """The name is an identifier that leads to this class, and the class is for this version of the interface."""
    layer = make("float32")
    own = author_class(layer)
    needs("name" in vars(own), "its class is not registered")
    known = registered_class(layer)
    needs(known, "its class is not registered")
    assert layer.name.isidentifier(), f"the name {layer.name!r} is not an identifier such as 'my_cell'"
    assert known is own, f"{own.__name__} says its name is {layer.name!r}, which leads to {known}"
    for base in (Cell, registry.Layer):
        if issubclass(own, base):
            version = own.api_version
            assert version == base.api_version, f"api_version is {version!r}, this seqkit has {base.api_version}"


def check_parameters(make: Make) -> None:
    """Gradients have the names, shapes and types of the parameters, before and after a backward pass."""
    for dtype in ("float32", "float64"):
        layer = make(dtype)
        expected = {name: (value.shape, value.dtype) for name, value in layer.params.items()}
        for value in layer.params.values():
            assert value.dtype == dtype, f"a parameter has dtype {value.dtype} in a layer of {dtype}"
            assert not value.flags.writeable, "a parameter that was read can be written to: use seqkit.parameters"
        for when in ("new", "after backward"):
            found = {name: (grad.shape, grad.dtype) for name, grad in layer.grads.items()}
            assert found == expected, f"grads ({when}) are {_words(found)}, params are {_words(expected)}"
            run(layer, Data.draw(layer))


def _words(arrays: dict[str, Any]) -> str:
    return ", ".join(f"{name} {shape} {dtype}" for name, (shape, dtype) in arrays.items()) or "none"


def check_seed(make: Make) -> None:
    """The same seed gives the same initial parameters, finite ones."""
    layer = make("float64")
    one, two = (again(layer).build(layer.input_size, seed=7, dtype="float64") for _ in range(2))
    for name, value in one.params.items():
        assert np.isfinite(value).all(), f"initial {name} is not finite"
        assert_same_bits({name: two.params[name]}, {name: value}, "the same seed twice")


def check_rebuild(make: Make) -> None:
    """A layer is built once: again for the same size changes nothing, for another one it is refused."""
    layer = make("float32")
    before = {name: value.copy() for name, value in layer.params.items()}
    layer.build(layer.input_size, seed=3)
    for size, dtype in ((layer.input_size + 1, "float32"), (layer.input_size, "float64")):
        try:
            layer.build(size, seed=3, dtype=dtype)
        except ConfigError:
            continue
        raise AssertionError(f"a layer for {layer.input_size} features was built again for {size} of {dtype}")
    assert_same_bits(dict(layer.params), before, "building it again")


def check_config(make: Make) -> None:
    """`config()` holds every constructor argument, as JSON, and a layer made from it computes the same.

    Usual cause: an option that is not in `config()`, or a layer instead of its `registry.spec`.
    """
    layer = make("float64")
    config = layer.config()
    missing = [name for name in _arguments(layer) if name not in config]
    assert not missing, f"config() lacks the argument {missing[0]!r}"
    assert json.loads(json.dumps(config, allow_nan=False)) == config, "config() is not what JSON gives back"
    twin = fill(again(layer).build(layer.input_size, seed=0, dtype="float64"))
    assert twin.config() == config, f"a layer made from {config} says {twin.config()}"
    data = Data.draw(layer)
    assert_same_bits(run(twin, data), run(layer, data), "a layer made from the configuration")
    for name, value in _other_values(layer).items():
        try:
            found = again(layer, **{name: value}).config()[name]
        except SeqkitError:
            continue  # not a value for this option
        assert found == value, f"{name}={value!r} comes back from config() as {found!r}"


def _arguments(layer: Any) -> list[str]:
    """Names of the constructor's arguments but for `input_shape`; a Recurrent keeps the options of its cell itself."""
    parameters = () if type(layer) is Recurrent else inspect.signature(type(layer)).parameters.values()
    named = [p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    return [name for name in named if name != "input_shape"]


def _other_values(layer: Any) -> dict[str, Any]:
    """Another value for every option that is a number or a boolean."""
    changes = {bool: lambda v: not v, int: lambda v: v + 1, float: lambda v: v / 2 + 0.125}
    return {name: changes[type(v)](v) for name, v in layer.config().items() if type(v) in changes}
