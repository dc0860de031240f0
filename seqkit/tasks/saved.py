"""What a model file says of its data, whoever saved it, in the words of ``seqkit fit``.

``seqkit fit`` writes what its columns mean; a classifier or regressor of `seqkit.estimators` writes its classes and its
scaling; a model that a program saved says nothing, and takes and gives numbers as they are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from seqkit.errors import ConfigError, LoadError
from seqkit.model import Sequential

Facts = dict[str, Any]


def understand(
    model: Sequential, path: str | os.PathLike[str], id_column: str | None = None, ignore: Sequence[str] = ()
) -> None:
    """Complete the metadata of a model, where `seqkit fit` has not written them.

    Parameters
    ----------
    model : Sequential
    path : path-like
        Its file, for messages.
    id_column : str, optional
        The column that groups the rows of a table, where the model does not say it.
    ignore : sequence of str
        Columns that are no features, likewise.

    Raises
    ------
    LoadError
        If the model is for other data than sequences of numbers.
    ConfigError
        If columns are named of which the model knows.
    """
    facts = model.metadata
    if "task" in facts or "vocabulary" in facts:
        if id_column or ignore:
            raise ConfigError(f"{path}: the model says itself how to read its data; leave out --id and --ignore.")
        return
    try:
        told = _of_estimator(facts["estimator"], path) if "estimator" in facts else _of_any(model, path)
    except (AttributeError, KeyError, TypeError) as error:
        raise LoadError(f"{path}: what the file says of its data is incomplete ({error!r:.80}).") from None
    model.metadata = told | {"id": id_column, "ignore": list(ignore), "features": None}


def _of_estimator(note: Mapping[str, Any], path: str | os.PathLike[str]) -> Facts:
    kind, state = note["class"], note["state"]
    if kind not in READERS:
        way = f"apply it with `seqkit detect DATA --model {path}`" if "Detector" in kind else "load it in Python"
        raise LoadError(f"{path}: a {kind!s:.40}, which this command cannot use; {way}.")
    if state["scaler_"] is None:
        return READERS[kind](state) | _unscaled(state["n_step_features_"])
    rows = state["scaler_"]["rows"]
    return READERS[kind](state) | {"mean": _numbers(rows["mean_"]), "deviation": _numbers(rows["scale_"])}


def _classifier(state: Mapping[str, Any]) -> Facts:
    return {"task": "classify", "label": None, "classes": list(map(str, _numbers(state["classes_"])))}


def _regressor(state: Mapping[str, Any]) -> Facts:
    mean, deviation = _numbers(state["target_mean_"]), _numbers(state["target_scale_"])
    names = ["y"] if len(mean) == 1 else [f"y{number}" for number in range(1, len(mean) + 1)]
    return {"task": "regress", "target": None, "targets": names, "target_mean": mean, "target_deviation": deviation}


READERS: dict[str, Callable[[Mapping[str, Any]], Facts]] = {
    "SequenceClassifier": _classifier,
    "SequenceRegressor": _regressor,
}


def _of_any(model: Sequential, path: str | os.PathLike[str]) -> Facts:
    first, count = model.layers[0], model.layers[-1].output_size
    if len(first.inputs) > 1 or first.ids_of_inputs[0]:
        what = "several inputs" if len(first.inputs) > 1 else "ids, and has no vocabulary to tell them"
        raise LoadError(f"{path}: the model reads {what}; this command knows sequences of numbers.")
    names = [f"output {number}" for number in range(count)]
    return {"task": "outputs", "targets": names} | _unscaled(int(first.input_size))


def _unscaled(features: int) -> Facts:
    return {"mean": [0.0] * features, "deviation": [1.0] * features}


def _numbers(encoded: Mapping[str, Any]) -> list[Any]:
    return list(encoded["array"])
