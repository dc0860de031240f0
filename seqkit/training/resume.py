"""Finding the file to go on from, and making sure that it belongs to the same training."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from seqkit import checkpoint
from seqkit.errors import ConfigError, LoadError
from seqkit.inputs import first
from seqkit.stack import Stack
from seqkit.training.batches import Batch, Part
from seqkit.training.optimizer import Optimizer
from seqkit.training.recipe import Recipe

ENDING = ".safetensors"
SAMPLED = 64  # samples whose values are part of a fingerprint

Contents = tuple[Path, dict[str, Any], dict[str, np.ndarray]]


def checkpoint_name(step: int) -> str:
    """Name of the file written after this many updates of the weights.

    Examples
    --------
    >>> checkpoint_name(120), step_of(Path(checkpoint_name(120)))
    ('step-0000000120.safetensors', 120)
    """
    return f"step-{step:010d}{ENDING}"


def step_of(file: Path) -> int:
    """The number in a checkpoint's name."""
    return int(file.stem.removeprefix("step-"))


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in a folder, the newest last."""
    return sorted(folder.glob(f"step-{'[0-9]' * 10}{ENDING}"))


def find(path: str | os.PathLike[str]) -> Contents | None:
    """The checkpoint to go on from: this file, or the newest good one of this folder.

    A damaged one is set aside, under a name that ends in ".damaged", with a warning.  None where
    the folder does not exist or has no checkpoint yet.

    Raises
    ------
    LoadError
        If the file cannot be used, or every checkpoint of the folder is damaged.
    """
    place = Path(path)
    if place.suffix == ENDING:
        return _read(place)
    found = checkpoints(place)
    for file in reversed(found):
        try:
            return _read(file)
        except LoadError as error:
            os.replace(file, file.with_name(f"{file.name}.damaged"))
            warnings.warn(f"{error} It was set aside; the checkpoint before it is taken.", stacklevel=2)
    if found:
        raise LoadError(f"{place}: every checkpoint is damaged; take another directory to begin anew.")
    return None


def _read(file: Path) -> Contents:
    description, arrays = checkpoint.read(file)
    if not description.get("progress"):
        raise LoadError(f"{file}: a model without a state of training; load it with seqkit.load and call fit.")
    return file, description, arrays


def fingerprint(
    model: Stack, recipe: Recipe, train: Part, validation: Part | None, told: Mapping[str, Any]
) -> dict[str, Any]:
    """What must be the same for training to go on: the layers, the data, what `compile` and `fit` were told."""
    return {
        "optimizer": recipe.optimizer.name,
        "arguments of the optimizer": _arguments(recipe.optimizer),
        "loss": type(recipe.loss).__name__,
        "arguments of the loss": str(recipe.loss.config()),
        "metrics": list(recipe.metrics),
        "layers": [repr(layer) for layer in model.layers],
        "dtype": str(model.dtype),
        "training data": _about(train),
        "validation data": None if validation is None else _about(validation),
        **told,
    }


def _arguments(optimizer: Optimizer) -> str:
    """What it was made with; a learning rate that is a number goes on from the file, as a callback may have set it."""
    return str(optimizer.config() | {"learning_rate": optimizer.schedule})


def compare(file: Path, then: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise ConfigError unless two fingerprints are the same; the message names what differs."""
    differing = [name for name in sorted({*then, *now}) if then.get(name) != now.get(name)]
    if differing:
        listed = ", ".join(_difference(name, then.get(name), now.get(name)) for name in differing)
        raise ConfigError(
            f"resume: {file} is from another training: {listed}. Call fit as then, or without resume in another "
            f"directory."
        )


def _difference(name: str, then: Any, now: Any) -> str:
    text = f"{name} was {then!r} and is {now!r}"
    return text if len(text) < 200 else f"other {name}"


def _about(part: Part) -> str:
    """Number and shape of samples, and a checksum of their lengths and of the values of some of them."""
    digest = hashlib.sha256()
    for row in part.rows[np.unique(np.linspace(0, max(len(part.rows) - 1, 0), SAMPLED).astype(int))]:
        batch = part.samples.take(np.array([row]))
        for array, lengths in _arrays(batch):
            if array is not None:
                digest.update(_valid(np.asarray(array), lengths, first(batch.x)).tobytes())
    features = sum(one.features for one in part.samples.inputs)
    return f"{len(part.rows)} samples of {features} features, checksum {digest.hexdigest()[:8]}"


def _arrays(batch: Batch) -> Iterator[tuple[Any, Any]]:
    """All that a batch holds, with lengths."""
    several = isinstance(batch.x, tuple)
    yield from zip(batch.x, batch.lengths, strict=True) if several else [(batch.x, batch.lengths)]
    yield from ((array, first(batch.lengths)) for array in (batch.y, batch.sample_weight))


def _valid(array: np.ndarray, lengths: Any, x: np.ndarray) -> np.ndarray:
    """The values inside the one sequence of a batch; whatever is not one value per step has no padding."""
    if lengths is None or array.ndim == 1 or array.shape[1] != x.shape[1]:
        return array
    return array[:, : int(lengths[0])]
