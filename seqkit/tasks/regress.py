"""Predict numbers from whole sequences.

The targets are scaled like features, ``y' = (y - m) / s`` with mean and standard deviation of
the training targets, and the network is trained on the squared error.

Legend: N sequences, K targets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqkit.data.dataset import Sequences, apart
from seqkit.data.files import Columns
from seqkit.errors import DataError
from seqkit.model import Sequential
from seqkit.tasks.baselines import rmse
from seqkit.tasks.scaling import is_constant
from seqkit.tasks.sequences import WHERE_ANSWERS_ARE, chunks, outputs, remember, train
from seqkit.tasks.settings import Settings, network
from seqkit.training.callbacks import Callback

DEFAULTS = Settings(epochs=60)


def fit(
    data: Sequences, columns: Columns, settings: Settings = DEFAULTS, callbacks: Sequence[Callback] = ()
) -> Sequential:
    """A model trained on sequences with numbers to predict.

    Raises
    ------
    DataError
        If a target or a feature is constant.
    """
    targets = _targets(data)
    for name, column in zip(data.target_names, targets.T, strict=True):
        if is_constant(column):
            raise DataError(f"{data.name}: target {name!r} is constant ({column[0]:g}); there is nothing to learn.")
    model = network(settings, len(data.features), targets.shape[1])
    mean, deviation = targets.mean(axis=0), targets.std(axis=0)
    facts = {"target_mean": mean.tolist(), "target_deviation": deviation.tolist(), "targets": list(data.target_names)}
    remember(model, data, columns, {"task": "regress", "target": columns.target, **facts})
    train(model, data, (targets - mean) / deviation, "mse", settings, callbacks)
    return model


def predict(model: Sequential, data: Sequences) -> np.ndarray:
    """Predicted targets in their own units, (N, K)."""
    mean, deviation = np.array(model.metadata["target_mean"]), np.array(model.metadata["target_deviation"])
    return mean + deviation * outputs(model, data)


def report(model: Sequential, data: Sequences) -> dict[str, Any]:
    """Root mean squared error over all targets, beside that of the training targets' mean.

    Raises
    ------
    DataError
        If the sequences have other targets than the training data.
    """
    targets = true_answers(data, model.metadata["targets"])
    mean = np.array(model.metadata["target_mean"])
    return {"rmse": rmse(predict(model, data), targets), "mean_rmse": rmse(mean, targets)}


def rows(model: Sequential, path: Path) -> Iterator[dict[str, Any]]:
    """One row per sequence: its name, the true targets where they are known, the predicted ones."""
    names = model.metadata["targets"]
    known = [apart(name, "id") for name in names]
    for data in chunks(model, path, target=model.metadata["target"]):
        if data.targets is not None and data.targets.shape[1] != len(names):
            count = data.targets.shape[1]
            raise DataError(f"{data.name}: there are {count} targets, expected {len(names)} as in training.")
        for i, values in enumerate(predict(model, data).tolist()):
            truth = {} if data.targets is None else dict(zip(known, data.targets[i].tolist(), strict=True))
            predicted = {f"predicted_{name}": value for name, value in zip(names, values, strict=True)}
            yield {"id": data.ids[i], **truth, **predicted}


def known(data: Sequences) -> list[str]:
    """The targets of training data."""
    return list(data.target_names)


def true_answers(data: Sequences, names: Sequence[str]) -> np.ndarray:
    """The numbers that belong to sequences, (N, K), for the targets of the training data.

    Raises
    ------
    DataError
        If there are others, or none.
    """
    targets = _targets(data)
    if known(data) != list(names):
        raise DataError(
            f"{data.name}: targets are {', '.join(known(data))}, expected {', '.join(names)} as in training."
        )
    return targets


def _targets(data: Sequences) -> np.ndarray:
    if data.targets is None:
        raise DataError(f"{data.name}: the sequences have no numbers to predict: {WHERE_ANSWERS_ARE}.")
    return data.targets
