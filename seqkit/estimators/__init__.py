"""Estimators in scikit-learn's manner, for sequences of any length.

They need scikit-learn: ``pip install 'seqkit[sklearn]'``.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from seqkit.errors import ConfigError

_HOMES = {
    "SequenceAnomalyDetector": "seqkit.estimators.detector",
    "SequenceClassifier": "seqkit.estimators.classifier",
    "SequenceForecaster": "seqkit.estimators.forecaster",
    "SequenceRegressor": "seqkit.estimators.regressor",
    "SequenceScaler": "seqkit.estimators.scaler",
    "SequenceTagger": "seqkit.estimators.tagger",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'seqkit.estimators' has no attribute {name!r}; it has {', '.join(__all__)}.")
    try:
        module = import_module(_HOMES[name])
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != "sklearn":
            raise
        raise ConfigError(f"seqkit.estimators.{name} needs scikit-learn: pip install 'seqkit[sklearn]'.") from None
    return getattr(module, name)


def __dir__() -> list[str]:
    return list(__all__)
