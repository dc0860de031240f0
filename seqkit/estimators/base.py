"""What the estimators of sequences share: options, scaling, training, files.

Legend: n sequences, T_i steps, F features, K outputs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from seqkit.errors import ConfigError, DataError
from seqkit.estimators.files import Saved
from seqkit.estimators.inputs import as_sequence_list, as_weights
from seqkit.estimators.network import Network
from seqkit.estimators.scaler import SequenceScaler
from seqkit.options import positive_integer, positive_number
from seqkit.tasks.scaling import as_input, as_output
from seqkit.tasks.sequences import SEQUENCES_AT_ONCE
from seqkit.training.callbacks import Callback, EarlyStopping, LearningRateScheduler
from seqkit.training.history import History
from seqkit.training.losses import Loss
from seqkit.training.optimizers import Adam
from seqkit.training.schedules import CosineDecay

CLIPNORM = 1.0
"""Largest norm of a gradient; keeps a rare steep batch from undoing the training."""
LARGEST_SEED = 2**31 - 1


class Head(NamedTuple):
    """What a network ends with, and what it is trained on."""

    outputs: int
    activation: str | None
    loss: str | Loss


class Samples(NamedTuple):
    """Checked and scaled sequences, their targets, and their weights, mean 1."""

    x: list[np.ndarray]
    y: Any
    weights: np.ndarray | None

    def select(self, rows: np.ndarray) -> Samples:
        """These samples only."""
        y = [self.y[row] for row in rows] if isinstance(self.y, list) else self.y[rows]
        return Samples([self.x[row] for row in rows], y, None if self.weights is None else self.weights[rows])


@dataclass(eq=False, repr=False, kw_only=True)
class SequenceEstimator(Saved, ABC):
    """Base class; one of your own defines `_targets` and `_head`.

    Features are scaled to mean 0 and standard deviation 1 over all steps of the training sequences.
    The network is convolutions over time (or none), recurrent layers, pooling over time, dropout and a dense
    layer [1]_.  It is trained by Adam while the learning rate falls to 0 as half a cosine.

    Parameters
    ----------
    cell : str
        Registered name of a recurrent layer: "lstm", "gru", "simple_rnn", that of a plugin.
    units : int
        Units of each recurrent layer, in each direction.
    layers : int
        Recurrent layers on top of each other.
    bidirectional : bool
        Whether each of them reads the sequence from its end, too.
    filters, kernel_size : int or sequence of int
        Filters of the convolution, and steps that each sees; no convolution where `filters` is 0.  Several
        numbers are several convolutions, one after the other, each followed by max(x, 0); one number is for all
        of them: ``filters=64, kernel_size=(8, 5)`` are two of 64 filters.
    pooling : {"max", "mean", "last"}
        What becomes of the outputs of all steps: the largest, the mean, or the last of each unit.
    dropout : float
        Share of the pooled values that is set to 0 in training.
    scale : bool
        Whether to scale features.
    epochs : int
        Times that all samples are seen, at most.
    batch_size : int
        Samples between two updates.
    learning_rate : float
        Of Adam, at the start.
    patience : int, optional
        Epochs without a lower loss of held out samples after which training ends, with the best
        weights; without it nothing is held out.
    validation_fraction : float
        Share of the samples that is held out for `patience`.
    warm_start : bool
        Whether :meth:`fit` goes on from the weights that are there.
    random_state : int, RandomState or None
        Source of the initial weights, the order of samples and dropout; an int gives the same model
        every time.
    verbose : {0, 1, 2, "auto"}
        What :meth:`Sequential.fit` writes to standard error.

    Attributes
    ----------
    model_ : Sequential
        The network; everything that works on models works on it.
    scaler_ : SequenceScaler or None
        What scales its input.
    history_ : History
        Losses of the last training, epoch by epoch.
    n_features_in_ : int
        F, or the number of columns where sequences came as a table (n, T).
    n_step_features_ : int
        F.
    feature_names_in_ : ndarray of str
        Names of the columns, where sequences came as a data frame.

    References
    ----------
    .. [1] Convolutions before recurrent layers: Ordóñez and Roggen, "Deep convolutional and LSTM recurrent neural
       networks for multimodal wearable activity recognition", Sensors 16(1), 2016.
    """

    cell: str = "gru"
    units: int = 64
    layers: int = 1
    bidirectional: bool = True
    filters: int | Sequence[int] = 32
    kernel_size: int | Sequence[int] = 7
    pooling: str | None = "max"
    dropout: float = 0.0
    scale: bool = True
    epochs: int = 100
    batch_size: int = 16
    learning_rate: float = 0.01
    patience: int | None = None
    validation_fraction: float = 0.1
    warm_start: bool = False
    random_state: Any = None
    verbose: str | int = 0

    @abstractmethod
    def _targets(self, y: Any, sequences: list[np.ndarray], weights: np.ndarray | None, reset: bool) -> Any:
        """Checked targets as the network learns them; with `reset` what they say of the task is kept."""

    @abstractmethod
    def _head(self) -> Head:
        """What the network ends with, once the targets are known."""

    def _class_weight(self) -> Mapping[int, float] | str | None:
        return None

    def _strata(self, y: Any) -> Any:
        """What a part held out shall have the same shares of."""
        return None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.target_tags.required = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on sequences.

        Parameters
        ----------
        X : array_like, data frame or list of arrays
            Sequences, see :mod:`seqkit.estimators.inputs`.
        y : array_like
            A target for each.
        sample_weight : array_like, (n,), optional
            Weights of the sequences in the loss and in scaling; only their ratios count.

        Raises
        ------
        ShapeError, DTypeError
            If sequences, targets and weights do not fit together.
        DataError
            If there is nothing to learn from, or a value is missing.
        ConfigError
            If an option means nothing.
        """
        epochs = positive_integer(self.epochs, f"{self._name}: epochs")
        new = not (self.warm_start and hasattr(self, "model_"))
        samples, seed = self._begin(X, y, sample_weight, new)
        decay = LearningRateScheduler(CosineDecay(self._rate(), epochs))
        return self._train(samples, seed, epochs, [decay])

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Go on training for one epoch, on other sequences if need be; scaling is that of the first call.

        Arguments and errors are those of :meth:`fit`.
        """
        samples, seed = self._begin(X, y, sample_weight, not hasattr(self, "model_"))
        self.model_.optimizer.learning_rate = self._rate()
        return self._train(samples, seed, 1, [], hold_out=False)

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _rate(self) -> float:
        return positive_number(self.learning_rate, f"{self._name}: learning_rate")

    def _begin(self, X: Any, y: Any, sample_weight: Any, new: bool) -> tuple[Samples, int]:
        """Checked samples, with scaling and a network for them, and a seed for their order."""
        if y is None:
            raise DataError(f"{self._name} requires y to be passed, but the target y is None.")
        sequences = as_sequence_list(X, self, reset=new)
        weights = as_weights(sample_weight, len(sequences), self)
        targets = self._targets(y, sequences, weights, new)
        seed = int(check_random_state(self.random_state).randint(LARGEST_SEED))
        if new:
            self.scaler_ = SequenceScaler().fit(sequences, sample_weight=weights) if self.scale else None
            self._make(seed)
        return Samples(self._scaled(sequences), targets, None if weights is None else weights / weights.mean()), seed

    def _make(self, seed: int) -> None:
        """A compiled network with new weights."""
        head = self._head()
        options = {field.name: getattr(self, field.name) for field in fields(Network)}
        self.model_ = Network(**options).build(self.n_step_features_, head.outputs, head.activation, seed)
        self.model_.compile(Adam(self._rate(), global_clipnorm=CLIPNORM), head.loss)

    def _train(
        self, samples: Samples, seed: int, epochs: int, callbacks: list[Callback], hold_out: bool = True
    ) -> Self:
        held = None
        if hold_out and self.patience is not None:
            samples, held = self._split(samples, seed)
            callbacks = [*callbacks, EarlyStopping("val_loss", self.patience)]
        self.history_: History = self.model_.fit(
            samples.x,
            samples.y,
            self.batch_size,
            epochs,
            self.verbose,
            callbacks,
            sample_weight=samples.weights,
            validation_data=held,
            class_weight=self._class_weight(),
            seed=seed,
        )
        return self

    def _split(self, samples: Samples, seed: int) -> tuple[Samples, Samples]:
        """Samples to train on, and those held out."""
        rows = np.arange(len(samples.x))
        try:
            parts = train_test_split(
                rows, test_size=self.validation_fraction, random_state=seed, stratify=self._strata(samples.y)
            )
        except ValueError as error:
            raise ConfigError(f"{self._name}: validation_fraction={self.validation_fraction!r}: {error}") from None
        return samples.select(parts[0]), samples.select(parts[1])

    def _scaled(self, sequences: list[np.ndarray]) -> list[np.ndarray]:
        """The sequences as the network sees them."""
        rows = sequences if self.scaler_ is None else self.scaler_.transform(sequences)
        return [as_input(row, self._name) for row in rows]

    def _outputs(self, X: Any) -> Any:
        """What the network gives for sequences, in float64: (n, K), or a list of (T_i, K)."""
        check_is_fitted(self)
        outputs = self.model_.predict(self._scaled(as_sequence_list(X, self)), SEQUENCES_AT_ONCE)
        if isinstance(outputs, list):
            return [as_output(row, self._name) for row in outputs]
        return as_output(outputs, self._name)
