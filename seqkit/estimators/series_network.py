"""The network of an estimator of series, its training, and its file."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, ClassVar, Self

from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from seqkit.errors import LoadError
from seqkit.estimators.files import Saved
from seqkit.model import Sequential
from seqkit.options import positive_integer
from seqkit.tasks.settings import Settings, optimizer
from seqkit.training.callbacks import Callback, EarlyStopping, LearningRateScheduler
from seqkit.training.history import History
from seqkit.training.losses import Loss
from seqkit.training.schedules import CosineDecay

LARGEST_SEED = 2**31 - 1


@dataclass(eq=False, repr=False, kw_only=True)
class SeriesNetwork(Saved, BaseEstimator):
    """Base class: options of a network and its training.

    Parameters
    ----------
    cell : str
        Registered name of a recurrent layer: "lstm", "gru", "simple_rnn", that of a plugin.
    units : int
        Units of each recurrent layer.
    layers : int
        Recurrent layers on top of each other.
    dropout : float
        Share of their outputs that is set to 0 in training.
    epochs : int
        Times that all windows are seen, while the learning rate falls to 0.
    batch_size : int
        Windows between two updates.
    learning_rate : float
        Of Adam, at the start.
    random_state : int, RandomState or None
        Source of the initial weights, the order of windows and dropout; an int gives the same
        model every time.
    verbose : {0, 1, 2, "auto"}
        What :meth:`Sequential.fit` writes to standard error.

    Attributes
    ----------
    model_ : Sequential
    history_ : History
        Losses, epoch by epoch.
    """

    _parts: ClassVar[Mapping[str, type[Any]]] = MappingProxyType({})
    """Learned attributes that are data classes of numbers and arrays."""

    cell: str = "lstm"
    units: int = 32
    layers: int = 1
    dropout: float = 0.0
    epochs: int = 50
    batch_size: int = 32
    learning_rate: float = 0.01
    random_state: Any = None
    verbose: str | int = 0

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted estimator to a file of :meth:`Sequential.save`, which :func:`seqkit.load` reads, too."""
        flat = copy.copy(self)
        for name in self._parts.keys() & self.__dict__.keys():
            flat.__dict__.update({f"{name}{key}_": value for key, value in flat.__dict__.pop(name).__dict__.items()})
        super(SeriesNetwork, flat).save(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """An estimator from a file that :meth:`save` wrote.

        Raises
        ------
        LoadError
            If the file cannot be read, or holds something else.
        """
        estimator = super().load(path)
        state = estimator.__dict__
        try:
            for name, kind in cls._parts.items():
                state[name] = kind(**{field.name: state.pop(f"{name}{field.name}_") for field in fields(kind)})
        except KeyError as error:
            raise LoadError(f"{path}: the estimator cannot be rebuilt: {error} is missing.") from None
        return estimator

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _settings(self) -> Settings:
        names = {field.name for field in fields(SeriesNetwork)} & {field.name for field in fields(Settings)}
        positive_integer(self.epochs, f"{self._name}: epochs")
        seed = int(check_random_state(self.random_state).randint(LARGEST_SEED))
        return Settings(**{name: getattr(self, name) for name in names}, seed=seed)

    def _fit_network(
        self, model: Sequential, x: Any, targets: Any, loss: str | Loss, settings: Settings, held_out: float = 0.0
    ) -> None:
        """Train while the learning rate falls to 0; keep the weights that are best for the share held out, if any."""
        callbacks: list[Callback] = [LearningRateScheduler(CosineDecay(settings.learning_rate, settings.epochs))]
        if held_out:
            callbacks.append(EarlyStopping(patience=settings.epochs))
        model.compile(optimizer(settings), loss=loss)
        self.history_: History = model.fit(
            x,
            targets,
            settings.batch_size,
            settings.epochs,
            self.verbose,
            callbacks,
            validation_split=held_out,
            seed=settings.seed,
        )
        self.model_ = model
