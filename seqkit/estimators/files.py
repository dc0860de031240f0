"""Estimators in files: the model's own file, with what the estimator knows among its metadata."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from seqkit.errors import ConfigError, LoadError
from seqkit.estimators.scaler import SCALERS, SequenceScaler
from seqkit.model import Sequential
from seqkit.training.history import History

NOTE = "estimator"
"""Key of the metadata."""
PLAIN = (bool, int, float, str)
KINDS = "biufUO"
"""What arrays may hold: numbers, texts, and objects that are one or the other."""


class Saved(BaseEstimator):
    """Gives an estimator `save` and `load`."""

    model_: Sequential

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to a file of :meth:`Sequential.save`, which :func:`seqkit.load` reads, too.

        Raises
        ------
        ConfigError
            If something of the estimator cannot be written, such as classes that are dates.
        """
        check_is_fitted(self)
        model = self.model_
        state = {name: encode(value, name) for name, value in vars(self).items() if _is_learned(name)}
        options = {name: encode(value, name) for name, value in self.get_params(deep=False).items()}
        model.metadata[NOTE] = {"class": type(self).__name__, "options": options, "state": state}
        model.save(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """An estimator from a file that :meth:`save` wrote.

        Raises
        ------
        LoadError
            If the file cannot be read, or holds something else.
        """
        model = Sequential.load(path)
        note = model.metadata.get(NOTE)
        if not isinstance(note, dict) or note.get("class") != cls.__name__:
            kind = note.get("class") if isinstance(note, dict) else "a model that no estimator saved"
            raise LoadError(
                f"{path}: not a {cls.__name__} but {kind!s:.80}; load it with its own class or seqkit.load."
            )
        try:
            estimator = cls(**{name: decode(value) for name, value in note["options"].items()})
            for name, value in note["state"].items():
                if not _is_learned(name):
                    raise ValueError(f"{name!r:.40} is nothing that an estimator learns")
                setattr(estimator, name, decode(value))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise LoadError(f"{path}: the estimator cannot be rebuilt: {error!s:.200}") from error
        estimator.model_ = model
        return estimator


def _is_learned(name: str) -> bool:
    return name.endswith("_") and not name.startswith("_") and name != "model_"


def _is_plain(array: np.ndarray | np.generic) -> bool:
    return array.dtype.kind in KINDS and all(isinstance(item, PLAIN) for item in array.ravel().tolist())


def encode(value: Any, name: str) -> Any:
    """What an estimator was told or has learned as values that JSON can hold; :func:`decode` takes them back.

    A generator of random numbers is forgotten.

    Examples
    --------
    >>> encode(np.array(["no", "yes"]), "classes_")
    {'array': ['no', 'yes'], 'dtype': '<U3'}
    >>> decode({"array": [0.5], "dtype": "<f8"})
    array([0.5])
    """
    if isinstance(value, (np.ndarray, np.generic)) and _is_plain(value):
        return {"array": value.tolist(), "dtype": value.dtype.str}
    if isinstance(value, PLAIN) or value is None:
        return value
    if isinstance(value, np.random.RandomState):
        return None
    if isinstance(value, list):
        return [encode(item, name) for item in value]
    if isinstance(value, tuple):
        return {"tuple": encode(list(value), name)}
    if isinstance(value, Mapping):
        return {"items": [[encode(key, name), encode(item, name)] for key, item in value.items()]}
    if isinstance(value, History):
        return {"history": value.history, "epoch": value.epoch}
    if isinstance(value, SequenceScaler):
        rows = {key: encode(item, name) for key, item in vars(value.rows_).items() if key.endswith("_")}
        return {"method": value.method, "features": value.n_step_features_, "rows": rows}
    raise ConfigError(f"{name} is {value!r:.80}, which a file cannot hold; pickle the estimator instead.")


def decode(value: Any) -> Any:
    """What :func:`encode` was given."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "tuple" in value:
        return tuple(decode(value["tuple"]))
    if "array" in value:
        if value["dtype"][1:2] not in KINDS:
            raise ValueError(f"arrays of {value['dtype']!r:.20} are not known")
        return np.array(value["array"], dtype=value["dtype"])[()]
    if "items" in value:
        return {decode(key): decode(item) for key, item in value["items"]}
    if "history" in value:
        return History(value["epoch"], value["history"])
    scaler = SequenceScaler(value["method"])
    scaler.rows_ = SCALERS[scaler.method]()
    scaler.n_features_in_ = scaler.n_step_features_ = value["features"]
    for name, item in value["rows"].items():
        setattr(scaler.rows_, name, decode(item))
    return scaler
