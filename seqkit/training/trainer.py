"""The training loop.

Legend: B batch, T time.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from seqkit import _core
from seqkit.errors import ConfigError, NonFiniteError
from seqkit.sequences import valid_steps
from seqkit.stack import Stack
from seqkit.training import losses, metrics, optimizers
from seqkit.training.batches import Batch, Part

Logs = dict[str, float]


class Callback(Protocol):
    """Something to do after every epoch."""

    def on_epoch_end(self, epoch: int, logs: Logs) -> bool | None:
        """Called with the number of the epoch (from 0) and its results; True stops training."""


@dataclass
class History:
    """What training gave, epoch by epoch.

    Attributes
    ----------
    epoch : list of int
        Numbers of the epochs, from 0.
    history : dict of str to list of float
        "loss", every metric, and the same of the validation data as "val_loss" and so on.
    """

    epoch: list[int] = field(default_factory=list)
    history: dict[str, list[float]] = field(default_factory=dict)

    def add(self, logs: Logs) -> None:
        """Append the results of one epoch."""
        self.epoch.append(len(self.epoch))
        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)


@dataclass(frozen=True)
class Recipe:
    """How a model is trained: what `compile` was told.

    Attributes
    ----------
    optimizer : Optimizer
    loss : Loss
    metrics : dict of str to callable
    """

    optimizer: optimizers.Optimizer
    loss: losses.Loss
    metrics: Mapping[str, metrics.Metric]

    def spec(self) -> dict[str, Any] | None:
        """Plain values for a file, or None where a part is not one of seqkit's."""
        built_in = type(self.optimizer) in optimizers.OPTIMIZERS.values() and type(self.loss) in losses.LOSSES.values()
        if not built_in or any(metrics.METRICS.get(name) is not metric for name, metric in self.metrics.items()):
            return None
        return {
            "optimizer": {"name": self.optimizer.name, "config": self.optimizer.config()},
            "loss": {"name": self.loss.name, "config": self.loss.config()},
            "metrics": list(self.metrics),
        }

    @classmethod
    def from_spec(cls, description: Mapping[str, Any]) -> Recipe:
        """The recipe that :meth:`spec` described."""
        optimizer, loss = description["optimizer"], description["loss"]
        return cls(
            optimizers.OPTIMIZERS[optimizer["name"]](**optimizer["config"]),
            losses.LOSSES[loss["name"]](**loss["config"]),
            dict(metrics.get(name) for name in description["metrics"]),
        )


def fit(
    model: Stack,
    recipe: Recipe,
    train: Part,
    validation: Part | None,
    *,
    epochs: int,
    batch_size: int,
    order: np.random.Generator | None,
    callbacks: Sequence[Callback],
    report: bool,
) -> History:
    """Train for some epochs; `order` shuffles the samples of each, None keeps their order."""
    history = History()
    for epoch in range(epochs):
        began = time.perf_counter()
        rows = train.rows if order is None else order.permutation(train.rows)
        logs = _train_epoch(model, recipe, Part(train.samples, rows), batch_size, epoch)
        if validation is not None:
            measured = evaluate(model, recipe, validation, batch_size)
            logs |= {f"val_{name}": value for name, value in measured.items()}
        history.add(logs)
        if report:
            print(_line(f"Epoch {epoch + 1}/{epochs}", time.perf_counter() - began, logs), file=sys.stderr)
        stop = [callback.on_epoch_end(epoch, dict(logs)) for callback in callbacks]
        if any(stop):
            break
    return history


def evaluate(model: Stack, recipe: Recipe, part: Part, batch_size: int) -> Logs:
    """Loss and metrics of some samples, as means over all of them."""
    means = _Means()
    for batch in part.batches(batch_size):
        y_pred, _ = model.forward(batch.x, batch.lengths, training=False)
        value, _ = recipe.loss(batch.y, y_pred, batch.sample_weight, _lengths_of(y_pred, batch))
        means.add(
            {"loss": value, **_measure(recipe, y_pred, batch)}, recipe.loss.terms(y_pred, _lengths_of(y_pred, batch))
        )
    return means.result()


def reports(verbose: str | int) -> bool:
    """Whether to write a line per epoch: "auto" does where standard error is a terminal."""
    if verbose not in ("auto", 0, 1, 2):
        raise ConfigError(f"verbose must be 'auto', 0 or 1, got {verbose!r}.")
    return sys.stderr.isatty() if verbose == "auto" else bool(verbose)


def _train_epoch(model: Stack, recipe: Recipe, part: Part, batch_size: int, epoch: int) -> Logs:
    means = _Means()
    for number, batch in enumerate(part.batches(batch_size)):
        # A diverging model is reported by name below, not by NumPy's warnings.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            value, y_pred = _train_step(model, recipe, batch, f"epoch {epoch + 1}, batch {number + 1}")
            means.add(
                {"loss": value, **_measure(recipe, y_pred, batch)},
                recipe.loss.terms(y_pred, _lengths_of(y_pred, batch)),
            )
    return means.result()


def _train_step(model: Stack, recipe: Recipe, batch: Batch, where: str) -> tuple[float, np.ndarray]:
    model.zero_grads()
    y_pred, caches = model.forward(batch.x, batch.lengths, training=True)
    lengths = _lengths_of(y_pred, batch)
    value, dy = recipe.loss(batch.y, y_pred, batch.sample_weight, lengths)
    if not np.isfinite(value):
        seen = {**model.params, "x": _valid(batch.x, batch.lengths), "the output": y_pred}
        raise _non_finite(f"{where}: the loss is {value}", _first_non_finite(seen) or "y or sample_weight")
    model.backward(dy, caches)
    culprit = _first_non_finite(model.grads)
    if culprit is not None:
        raise _non_finite(f"{where}: a gradient is not finite", culprit)
    recipe.optimizer.step(model.params, model.grads)
    return value, y_pred


def _non_finite(what: str, culprit: str) -> NonFiniteError:
    return NonFiniteError(
        f"{what}; the first NaN or infinite values are in {culprit}. The weights are as before this batch. Lower "
        f"learning_rate, set global_clipnorm, or look for NaN and huge values in the data."
    )


def _first_non_finite(arrays: Mapping[str, np.ndarray]) -> str | None:
    return next((name for name, array in arrays.items() if not _core.all_finite(array)), None)


def _valid(array: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
    """The entries of `array` (B, T, ...) inside their sequences."""
    return array if lengths is None else array[valid_steps(lengths, *array.shape[:2])]


def _lengths_of(y_pred: np.ndarray, batch: Batch) -> np.ndarray | None:
    return batch.lengths if y_pred.ndim == 3 else None


def _terms(recipe: Recipe, y_pred: np.ndarray, batch: Batch) -> int:
    """How many samples or valid steps the means of this batch are over."""
    return recipe.loss.terms(y_pred, _lengths_of(y_pred, batch))


def _measure(recipe: Recipe, y_pred: np.ndarray, batch: Batch) -> Logs:
    lengths = _lengths_of(y_pred, batch)
    return {name: metric(batch.y, y_pred, lengths) for name, metric in recipe.metrics.items()}


class _Means:
    """Means of named values, each counted as often as the samples it stands for."""

    def __init__(self) -> None:
        self._sums: defaultdict[str, float] = defaultdict(float)
        self._count = 0

    def add(self, values: Logs, count: int) -> None:
        for name, value in values.items():
            self._sums[name] += value * count
        self._count += count

    def result(self) -> Logs:
        return {name: total / max(self._count, 1) for name, total in self._sums.items()}


def _line(title: str, seconds: float, logs: Logs) -> str:
    values = "".join(f" - {name}: {value:.4g}" for name, value in logs.items())
    return f"{title} - {seconds:.1f}s{values}"
