"""Finding a learning rate by trying all of them in one short training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from seqkit.errors import ConfigError, NonFiniteError
from seqkit.options import positive_integer, positive_number
from seqkit.training.callbacks.base import Callback
from seqkit.training.history import Logs
from seqkit.training.moment import Moment
from seqkit.training.schedules import Schedule

SMOOTHING = 0.9
DIVERGED = 4.0


class RangeTest(NamedTuple):
    """What :func:`find_learning_rate` gives.

    Attributes
    ----------
    rates : ndarray, (n,)
        Learning rates tried, ascending.
    losses : ndarray, (n,)
        Loss of the batch trained with each, smoothed over the batches before.
    suggestion : float
        The rate where the loss falls most steeply.
    """

    rates: np.ndarray
    losses: np.ndarray
    suggestion: float


def find_learning_rate(
    model: Any, x: Any, y: Any, low: float = 1e-6, high: float = 1.0, steps: int = 100, **options: Any
) -> RangeTest:
    """Train for some steps while the learning rate grows from `low` to `high`, and see where the loss falls fastest.

    Training ends early where the loss is 4 times the least one, or not finite.  The model, its
    optimizer and its generators are afterwards as they were.

    Parameters
    ----------
    model : Sequential
        A model that is built and compiled.
    x, y : array_like or list of ndarray
        Samples, as for :meth:`seqkit.Sequential.fit`.
    low, high : float
        First and last learning rate; those between are equally far apart in their logarithm.
    steps : int
        Updates of the weights.
    **options
        Further arguments of `fit`, such as `batch_size`, `lengths` and `seed`.

    Raises
    ------
    ConfigError
        If `low` is not below `high`, or `options` say how long to train.
    NonFiniteError
        If the loss is not finite from the start.

    Notes
    -----
    Losses are smoothed by ``m += 0.1 (l - m)`` with the bias of the beginning corrected.

    Source: Smith, "Cyclical learning rates for training neural networks", WACV 2017, section 3.3.

    Examples
    --------
    >>> import numpy as np
    >>> from seqkit.layers.dense import Dense
    >>> from seqkit.model import Sequential
    >>> x = np.random.default_rng(0).normal(size=(64, 2))
    >>> model = Sequential([Dense(1)], seed=0).build(2)
    >>> model.compile("adam", "mse")
    >>> found = find_learning_rate(model, x, x.sum(axis=1))
    >>> bool(1e-3 < found.suggestion < 1.0), model.optimizer.iterations
    (True, 0)
    """
    low, high = positive_number(low, "low"), positive_number(high, "high")
    if not low < high:
        raise ConfigError(f"find_learning_rate: low must be below high, got {low} and {high}.")
    taken = sorted({"callbacks", "epochs", "initial_epoch", "resume"} & options.keys())
    if taken:
        raise ConfigError(f"find_learning_rate: leave {', '.join(taken)} out; it trains for `steps` updates by itself.")
    rates = np.geomspace(low, high, positive_integer(steps, "steps"))
    watch = _Climb(rates)
    with unchanged(model):
        try:
            model.fit(x, y, **{"verbose": 0, **options}, epochs=len(rates), callbacks=[watch])
        except NonFiniteError:
            if len(watch.losses) < 3:
                raise
    losses = np.array(watch.losses)
    return RangeTest(rates[: len(losses)], losses, _steepest(rates, losses))


class _Climb(Callback):
    """Sets the learning rate of every update; smooths the losses and stops where they diverge."""

    def __init__(self, rates: np.ndarray) -> None:
        self._rates = rates
        self._mean = 0.0
        self.losses: list[float] = []

    def on_train_batch_begin(self, batch: int) -> None:
        self.model.optimizer.learning_rate = float(self._rates[len(self.losses)])

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        self._mean += (1 - SMOOTHING) * (logs["loss"] - self._mean)
        loss = self._mean / (1 - SMOOTHING ** (len(self.losses) + 1))
        self.losses.append(loss)
        self.model.stop_training = len(self.losses) == len(self._rates) or loss > DIVERGED * min(self.losses)


def _steepest(rates: np.ndarray, losses: np.ndarray) -> float:
    """The rate where the loss falls fastest over the logarithm of the rate, before its least value."""
    end = max(int(losses.argmin()) + 1, 2)
    slopes = np.gradient(losses[:end]) if len(losses) > 1 else np.zeros(1)
    return float(rates[int(slopes.argmin())])


@contextmanager
def unchanged(model: Any) -> Iterator[None]:
    """Whatever is trained inside the block, the model, its optimizer and its generators are afterwards as before."""
    optimizer = model.optimizer
    params = {name: array.copy() for name, array in model.trainable.items()}
    state = {name: array.copy() for name, array in optimizer.state().items()}
    rate: float | Schedule = optimizer.schedule or optimizer.learning_rate
    moment, random, history = Moment.of(model), model.random_state(), model.history
    try:
        yield
    finally:
        with model.trainable.editing() as arrays:
            for name, array in params.items():
                arrays[name][...] = array
        optimizer.restore(state, model.trainable)
        optimizer.learning_rate = rate
        moment.restore()
        model.restore_random_state(random)
        model.history = history
