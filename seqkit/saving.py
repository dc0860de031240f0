"""What of a model goes into a file, and back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from seqkit import registry
from seqkit.available import at_most
from seqkit.errors import LoadError, SeqkitError, UnknownLayerError
from seqkit.initializers import replaced
from seqkit.stack import Stack, known_input_size
from seqkit.training.progress import OPTIMIZER, Progress, fill, group
from seqkit.training.recipe import LOSS, Recipe

ROOM, SLACK = 96, 1 << 20
"""Bytes that a new model may take for every number of its file, a few times what initial values take, and beside."""

WRONG = (SeqkitError, ArithmeticError, AttributeError, LookupError, MemoryError, RecursionError, TypeError, ValueError)
"""What comes of values that a description should not have."""


def describe(
    model: Stack, recipe: Recipe | None, progress: Progress | None = None
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Layers, training set-up and progress as plain values; weights and everything else as arrays."""
    arrays, training = dict(model.params), None if recipe is None else recipe.spec()
    if progress is not None:
        arrays = progress.arrays(model)
    elif recipe is not None and training is not None:
        optimizer = recipe.optimizer.state().items()
        arrays = dict(recipe.params(model)) | {f"{OPTIMIZER}{name}": array for name, array in optimizer}
    description = {
        "layers": [registry.spec(layer) for layer in model.layers],
        "input_size": known_input_size(model.layers[0]),
        "dtype": str(model.layers[0].dtype),
        "training": training,
        "metadata": model.metadata,
        "random": model.random_state(),
        "progress": None if progress is None else progress.describe(model),
    }
    return description, arrays


def rebuild(
    model: Stack, path: str | os.PathLike[str], description: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> Recipe | None:
    """Fill an empty model with what :func:`describe` gave; `path` is for errors.

    The description is believed only as far as there are arrays: layers larger than those are refused unbuilt.
    """
    if "kind" in description:
        raise LoadError(f"{path}: not a model of layers but a {description['kind']!r:.80}; load it with seqkit.load.")
    try:
        with at_most(ROOM * sum(array.size for array in arrays.values()) + SLACK):
            return _filled(model, description, arrays)
    except UnknownLayerError as error:
        raise LoadError(f"{path}: {error!s:.1000}") from error
    except WRONG as error:
        raise LoadError(f"{path}: the model cannot be rebuilt: {error!s:.1000} ({type(error).__name__}).") from error


def _filled(model: Stack, description: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Recipe | None:
    model.metadata = dict(description["metadata"])
    if description["dtype"] not in ("float32", "float64"):  # NumPy would compile other texts to find out what they are
        raise ValueError(f"dtype must be float32 or float64, got {description['dtype']!r:.40}")
    model.dtype = description["dtype"]  # before the first layer: it may be built when it is added
    with replaced():
        for layer in description["layers"]:
            model.add(registry.from_spec(layer))
        size = description["input_size"]
        model.build(tuple(size) if isinstance(size, list) else size)
    if "random" in description:  # files of early versions have none
        model.restore_random_state(description["random"])
    params = {name: array for name, array in arrays.items() if "/" not in name}
    if description["training"] is None:
        fill(model.params, {name: params[name] for name in params if not name.startswith(f"{LOSS}.")})
        return None
    recipe = Recipe.from_spec(description["training"])
    fill(recipe.params(model), params)
    recipe.optimizer.restore(group(arrays, OPTIMIZER), recipe.params(model))
    return recipe
