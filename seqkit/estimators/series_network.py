"""The network of an estimator of series, and its training."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from seqkit.model import Sequential
from seqkit.tasks.settings import Settings, optimizer
from seqkit.training.callbacks import LearningRateScheduler
from seqkit.training.losses import Loss
from seqkit.training.schedules import CosineDecay


class SeriesNetwork(BaseEstimator):
    """Options of a network and its training, as scikit-learn keeps them."""

    model_: Sequential

    def __init__(
        self,
        cell: str,
        units: int,
        layers: int,
        dropout: float,
        epochs: int,
        batch_size: int,
        learning_rate: float,
        random_state: Any,
        verbose: str | int,
    ) -> None:
        self.cell = cell
        self.units = units
        self.layers = layers
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state
        self.verbose = verbose

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _settings(self) -> Settings:
        return Settings(
            cell=self.cell,
            units=self.units,
            layers=self.layers,
            dropout=self.dropout,
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            seed=int(check_random_state(self.random_state).randint(2**31 - 1)),
        )

    def _fit_network(self, model: Sequential, x: Any, targets: Any, loss: str | Loss, settings: Settings) -> None:
        """Train while the learning rate falls to 0."""
        decay = LearningRateScheduler(CosineDecay(settings.learning_rate, settings.epochs))
        model.compile(optimizer(settings), loss=loss)
        self.history_ = model.fit(x, targets, settings.batch_size, settings.epochs, self.verbose, decay)
        self.model_ = model
