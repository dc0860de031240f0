"""What of a model goes into a file, and back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from seqkit import registry
from seqkit.errors import LoadError, SeqkitError, UnknownLayerError
from seqkit.stack import Stack
from seqkit.training.trainer import Recipe

_OPTIMIZER = "optimizer/"


def describe(model: Stack, recipe: Recipe | None) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Layers and training set-up as plain values; weights and state of the optimizer as arrays."""
    arrays = dict(model.params)
    training = None if recipe is None else recipe.spec()
    if recipe is not None and training is not None:
        arrays |= {f"{_OPTIMIZER}{name}": array for name, array in recipe.optimizer.state().items()}
    description = {
        "layers": [registry.spec(layer) for layer in model.layers],
        "input_size": model.layers[0].input_size,
        "dtype": str(model.layers[0].dtype),
        "training": training,
        "metadata": model.metadata,
    }
    return description, arrays


def rebuild(
    model: Stack, path: str | os.PathLike[str], description: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> Recipe | None:
    """Fill an empty model with what :func:`describe` gave; `path` is for errors."""
    try:
        model.metadata = dict(description["metadata"])
        model.dtype = description["dtype"]  # before the first layer: it may be built when it is added
        for layer in description["layers"]:
            model.add(registry.from_spec(layer))
        model.build(description["input_size"])
        _fill(model, {name: array for name, array in arrays.items() if not name.startswith(_OPTIMIZER)})
        if description["training"] is None:
            return None
        recipe = Recipe.from_spec(description["training"])
        state = {name: array for name, array in arrays.items() if name.startswith(_OPTIMIZER)}
        recipe.optimizer.restore({name.removeprefix(_OPTIMIZER): state[name] for name in state}, model.params)
        return recipe
    except UnknownLayerError as error:
        raise LoadError(f"{path}: {error} Install the package that provides it, or register its class.") from error
    except (SeqkitError, LookupError, TypeError, ValueError, MemoryError) as error:
        raise LoadError(f"{path}: the model cannot be rebuilt: {error} ({type(error).__name__}).") from error


def _fill(model: Stack, arrays: Mapping[str, np.ndarray]) -> None:
    wanted = {name: f"{array.shape} {array.dtype}" for name, array in model.params.items()}
    found = {name: f"{array.shape} {array.dtype}" for name, array in arrays.items()}
    for name in sorted(wanted | found):
        if wanted.get(name) != found.get(name):
            raise LoadError(f"parameter {name!r} is {found.get(name)} in the file, its layer has {wanted.get(name)}")
    with model.params.editing() as own:
        for name, array in arrays.items():
            own[name][...] = array
