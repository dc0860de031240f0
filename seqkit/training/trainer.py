"""The training loop.

    fit ── epoch ── update: forward, loss, backward for each of its batches; check; optimizer
        └─ validation, callbacks

An update happens as a whole or not at all: Ctrl-C waits while weights change, and whatever stops
a batch before that leaves model, optimizer and generators as they were before it.

Legend: B batch, T time.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, TypeVar

import numpy as np

from seqkit.errors import ConfigError
from seqkit.stack import Stack
from seqkit.training import resume, truncated
from seqkit.training.batches import POOL, Batch, Part
from seqkit.training.callbacks.base import Callback, CallbackList
from seqkit.training.callbacks.progress_bar import ProgressBar
from seqkit.training.class_weights import ClassWeights
from seqkit.training.history import History, Logs
from seqkit.training.interrupts import Interrupts
from seqkit.training.moment import Moment
from seqkit.training.non_finite import culprit_of_loss, first_non_finite, non_finite
from seqkit.training.progress import Progress, group
from seqkit.training.recipe import Recipe
from seqkit.training.totals import Sums, Totals
from seqkit.training.truncated import Whole, Window

__all__ = ["Callback", "History", "Logs", "Recipe", "Settings", "Trainer", "evaluate", "reporters"]

T = TypeVar("T")


@dataclass(frozen=True)
class Settings:
    """What `fit` was told about the loop.

    Attributes
    ----------
    epochs, initial_epoch : int
        Numbers of the last epoch (from 1) and of the first (from 0).
    batch_size : int
        Samples that run together.
    accumulate : int
        Batches whose gradients make one update.
    order : Generator or None
        Shuffles the samples of every epoch; None keeps their order.
    class_weights : ClassWeights or None
    tbptt : (int, int) or None
        Steps of a window, which makes one update, and steps that its gradient is taken back.
    bucket : int
        See :meth:`Part.shuffled`.
    """

    epochs: int
    batch_size: int
    order: np.random.Generator | None
    initial_epoch: int = 0
    accumulate: int = 1
    class_weights: ClassWeights | None = None
    tbptt: tuple[int, int] | None = None
    bucket: int = POOL


class Trainer:
    """One call of `fit`.

    Parameters
    ----------
    model : Sequential
    recipe : Recipe
    train : Part
        Samples to train on.
    validation : Part or None
        Samples to measure after every epoch.
    settings : Settings
    callbacks : iterable
        See :mod:`seqkit.training.callbacks`.
    told : dict
        What else must be the same when the training is resumed.
    """

    def __init__(
        self,
        model: Any,
        recipe: Recipe,
        train: Part,
        validation: Part | None,
        settings: Settings,
        callbacks: Iterable[Any],
        told: Mapping[str, Any],
    ) -> None:
        self.model, self.recipe, self.settings = model, recipe, settings
        self.train, self.validation = train, validation
        steps = -(-len(train.rows) // (settings.batch_size * settings.accumulate))
        self.callbacks = CallbackList(callbacks, model, {"epochs": settings.epochs, "steps": steps})
        self.progress = Progress(
            recipe,
            Totals(recipe.metrics),
            settings.order,
            lambda: resume.fingerprint(model, recipe, train, validation, {**told, "accumulate": settings.accumulate}),
            self.callbacks,
            epoch=settings.initial_epoch,
        )
        self._interrupts = Interrupts()

    def fit(self, checkpoint: str | os.PathLike[str] | None = None) -> History:
        """Train; where there is a checkpoint, go on from it."""
        self.model.stop_training = False
        self._begin(None if checkpoint is None else resume.find(checkpoint))
        try:
            with self._interrupts:
                while self.progress.epoch < self.settings.epochs and not self.model.stop_training:
                    self._epoch()
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"training was stopped {self.progress.where()}; the model has the weights of the last whole update"
            ) from None
        finally:
            self.callbacks.train_end()
        return self.progress.history

    def _begin(self, contents: resume.Contents | None) -> None:
        if contents is None:
            self.callbacks.train_begin()
            return
        file, description, arrays = contents
        resume.compare(file, description["progress"]["fingerprint"], self.progress.fingerprint)
        self.progress.restore(self.model, description["progress"], arrays)
        self.callbacks.train_begin()
        self.callbacks.restore(group(arrays, "progress/callbacks/"))

    def _epoch(self) -> None:
        progress, epoch = self.progress, self.progress.epoch
        progress.remember_order()
        order = self.settings.order
        part = (
            self.train if order is None else self.train.shuffled(order, self.settings.batch_size, self.settings.bucket)
        )
        self.callbacks.epoch_begin(epoch)
        self._updates(part)
        logs = progress.totals.result()
        if self.validation is not None:
            measured = evaluate(self.model, self.recipe, self.validation, self.settings.batch_size)
            logs |= {f"val_{name}": value for name, value in measured.items()}
        progress.settled = False
        progress.end_epoch(logs)
        self.callbacks.epoch_end(epoch, logs)
        progress.settled = True

    def _updates(self, part: Part) -> None:
        """The updates of an epoch that have not been done yet."""
        progress, accumulate = self.progress, self.settings.accumulate
        left = islice(part.batches(self.settings.batch_size), progress.batch * accumulate, None)
        # A diverging model is reported by name, not by NumPy's warnings.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            for batches in grouped(left, accumulate):
                if self.model.stop_training:
                    break
                number = progress.batch
                self.callbacks.batch_begin(number)
                progress.settled = self.settings.tbptt is None  # the windows of a batch are not counted
                loss = _mean_loss(self._learn(batches))
                progress.batch, progress.settled = number + 1, True
                self.callbacks.batch_end(number, loss)

    def _learn(self, batches: Iterable[Batch]) -> list[Sums]:
        """Some batches together make one update or, in windows, each makes several."""
        if self.settings.tbptt is None:
            return self._update((Whole(self.model, batch) for batch in batches), last=True)
        parts = (window for batch in batches for window in truncated.windows(self.model, batch, *self.settings.tbptt))
        return [sums for window in parts for sums in self._update([window])]

    def _update(self, parts: Iterable[Whole | Window], last: bool = False) -> list[Sums]:
        """One change of the weights, from the gradients of some batches or of a window; their losses and metrics."""
        before = Moment.of(self.model)
        try:
            measured = self._gradients(parts)
            grads = self._checked_grads()
            self._interrupts.hold()
        except BaseException:
            before.restore()
            raise
        try:
            self.recipe.optimizer.step(self.recipe.params(self.model), grads)
            for sums in measured:
                self.progress.totals.add(sums)
            self.progress.batch += last
        finally:
            self._interrupts.release()
        return measured

    def _gradients(self, parts: Iterable[Whole | Window]) -> list[Sums]:
        """Leave the gradient of the mean over all samples of the batches in `grads`; their losses and metrics.

        While it grows, the gradient is that of the sum over all samples so far, divided by the
        terms of the batch that is added: a loss adds to its own gradients, too, for its mean.
        """
        self.recipe.zero_grads(self.model)
        measured: list[Sums] = []
        unit = total = 0
        for part in parts:
            y_pred, caches = part.forward()
            terms = self.recipe.loss.terms(y_pred, _lengths_of(y_pred, part.batch, self.model))
            if 0 < terms != unit:
                if unit:  # else they are 0
                    self._scale(unit / terms)
                unit = terms
            total += terms
            measured.append(self._backward(part, y_pred, caches, terms))
        if total != unit:
            self._scale(unit / total)
        return measured

    def _checked_grads(self) -> Mapping[str, np.ndarray]:
        """The gradients, if all of them are finite."""
        grads = self.recipe.grads(self.model)
        culprit = first_non_finite(grads)
        if culprit is not None:
            raise non_finite(f"{self._where()}: a gradient is not finite", culprit)
        return grads

    def _backward(self, part: Whole | Window, y_pred: np.ndarray, caches: list[Any], terms: int) -> Sums:
        """Add the gradients of a part, whose loss is a mean over `terms`; give what it adds to loss and metrics."""
        batch, weights, loss = part.batch, self.settings.class_weights, self.recipe.loss
        lengths = _lengths_of(y_pred, batch, self.model)
        if weights is not None:
            batch = weights.apply(batch)
        value, dy = loss(batch.y, y_pred, batch.sample_weight, lengths)
        if not np.isfinite(value):
            culprit = culprit_of_loss(self.model, self.recipe.params(self.model), batch, y_pred)
            raise non_finite(f"{self._where()}: the loss is {value}", culprit)
        part.backward(dy, caches)
        return self.progress.totals.measure(value, terms, batch.y, y_pred, lengths)

    def _scale(self, factor: float) -> None:
        for grad in self.recipe.grads(self.model).values():
            grad *= grad.dtype.type(factor)

    def _where(self) -> str:
        return f"epoch {self.progress.epoch + 1}, batch {self.progress.batch + 1}"


def evaluate(model: Stack, recipe: Recipe, part: Part, batch_size: int) -> Logs:
    """Loss and metrics over some samples."""
    totals = Totals(recipe.metrics)
    for batch in part.batches(batch_size):
        y_pred, _ = model.forward(batch.x, batch.lengths, training=False)
        lengths = _lengths_of(y_pred, batch, model)
        value, _ = recipe.loss(batch.y, y_pred, batch.sample_weight, lengths)
        totals.add(totals.measure(value, recipe.loss.terms(y_pred, lengths), batch.y, y_pred, lengths))
    return totals.result()


def reporters(verbose: str | int) -> list[ProgressBar]:
    """What writes to standard error: a line per epoch and, for "auto" and 1 in a terminal, a bar within it."""
    if verbose not in ("auto", 0, 1, 2):
        raise ConfigError(f"verbose must be 'auto', 0, 1 or 2, got {verbose!r}.")
    terminal = sys.stderr.isatty()
    silent = verbose == 0 or (verbose == "auto" and not terminal)
    return [] if silent else [ProgressBar(live=terminal and verbose != 2)]


def grouped(items: Iterable[T], size: int) -> Iterator[Iterator[T]]:
    """Some items at a time, each group taken before the next; nothing is held.

    Examples
    --------
    >>> [list(group) for group in grouped("abcde", 2)]
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    left = iter(items)
    for first in left:
        yield chain([first], islice(left, size - 1))


def _lengths_of(y_pred: np.ndarray, batch: Batch, model: Stack) -> np.ndarray | None:
    return model.output_lengths(batch.lengths) if y_pred.ndim == 3 and model.returns_sequences else None


def _mean_loss(measured: list[Sums]) -> float:
    losses = [sums["loss"].tolist() for sums in measured]
    return sum(total for total, _ in losses) / max(sum(terms for _, terms in losses), 1)
