"""Metrics: numbers to watch beside the loss, exact over an epoch.

Every loss of :mod:`seqkit.training.losses` is one too, by its name; so is any function
``(y_true, y_pred, lengths) -> float`` that gives a mean over samples or valid steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from seqkit.errors import ConfigError
from seqkit.options import by_name
from seqkit.training.losses import LOSSES, Loss
from seqkit.training.metrics.base import Function, Mean, MeanOf, Metric
from seqkit.training.metrics.classification import F1, Accuracy, TopK
from seqkit.training.metrics.labels import LabelErrorRate
from seqkit.training.metrics.language import BitsPerCharacter, Perplexity
from seqkit.training.metrics.regression import R2, RootMeanSquaredError

__all__ = [
    "F1",
    "METRICS",
    "R2",
    "Accuracy",
    "BitsPerCharacter",
    "Function",
    "LabelErrorRate",
    "LossMetric",
    "Mean",
    "MeanOf",
    "Metric",
    "Perplexity",
    "RootMeanSquaredError",
    "TopK",
    "from_spec",
    "get",
    "named",
    "spec",
    "table",
]


class LossMetric(Mean):
    """A loss watched as a metric.

    Parameters
    ----------
    loss : Loss

    Raises
    ------
    ConfigError
        If the loss has parameters: measuring it would change their gradients.
    """

    def __init__(self, loss: Loss) -> None:
        if loss.params is not None:
            raise ConfigError(f"metrics: the loss {loss.name} has parameters of its own and cannot be a metric.")
        self.name, self.loss = loss.name, loss

    def config(self) -> dict[str, Any]:
        return self.loss.config()

    def sums(self, y_true: Any, y_pred: np.ndarray, lengths: Any = None) -> np.ndarray:
        terms = self.loss.terms(y_pred, lengths)
        return np.array([self.loss(y_true, y_pred, None, lengths)[0] * terms, terms], np.float64)


def _loss_metric(name: str) -> Callable[..., Metric]:
    return lambda **config: LossMetric(LOSSES[name](**config))


_CLASSES = (Accuracy, TopK, F1, RootMeanSquaredError, R2, Perplexity, BitsPerCharacter, LabelErrorRate)
METRICS: Mapping[str, Callable[..., Metric]] = MappingProxyType(
    {cls.name: cls for cls in _CLASSES} | {"acc": Accuracy} | {name: _loss_metric(name) for name in LOSSES}
)


def get(metric: str | Metric | Loss | Function, from_logits: bool = False) -> Metric:
    """A metric by name, of probabilities or logits, the object itself, or a loss or function made into one.

    Raises
    ------
    ConfigError
        If no metric has the name; the message lists them.
    """
    if isinstance(metric, Metric):
        return metric
    if isinstance(metric, Loss):
        return LossMetric(metric)
    if isinstance(metric, type):
        raise ConfigError(f"metrics: {metric.__name__} is a class; give an object, {metric.__name__}().")
    return MeanOf(metric) if callable(metric) else _by_name(metric, from_logits)


def _by_name(name: str, from_logits: bool) -> Metric:
    made = by_name(METRICS, name, "metric")()
    return METRICS[name](from_logits=True) if from_logits and "from_logits" in made.config() else made


def named(metric: str | Metric | Loss | Function, from_logits: bool = False) -> tuple[str, Metric]:
    """A metric and what it is called in the history: the name it was asked for by, or its label."""
    made = get(metric, from_logits)
    return (metric if isinstance(metric, str) else made.label), made


def table(metrics: Sequence[str | Metric | Loss | Function], loss: Loss | None = None) -> dict[str, Metric]:
    """Metrics by what they are called in the history; those given by name read logits where the loss does.

    Raises
    ------
    ConfigError
        If two have the same name, or one that of the loss.
    """
    from_logits = getattr(loss, "from_logits", False)
    pairs = [named(metric, from_logits) for metric in metrics]
    names = ["loss", *(name for name, _ in pairs)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"metrics: two values would be called {twice!r}; give one of them another name.")
    return dict(pairs)


def spec(metrics: Mapping[str, Metric]) -> list[dict[str, Any]] | None:
    """Plain values for a file, or None where a metric is not one of seqkit's."""
    kinds = [type(metric.loss if isinstance(metric, LossMetric) else metric) for metric in metrics.values()]
    if any(kind not in (*_CLASSES, *LOSSES.values()) for kind in kinds):
        return None
    return [{"label": key, "name": metric.name, "config": metric.config()} for key, metric in metrics.items()]


def from_spec(description: Sequence[Any]) -> dict[str, Metric]:
    """The metrics that :func:`spec` described; files of older versions hold only names."""
    entries: list[dict[str, Any]] = [
        {"label": one, "name": one, "config": {}} if isinstance(one, str) else one for one in description
    ]
    return {entry["label"]: METRICS[entry["name"]](**entry["config"]) for entry in entries}
