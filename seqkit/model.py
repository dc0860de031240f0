"""Models: layers with a training loop, in Keras' words.

Legend: S samples (sequences), T time, F features, K outputs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from seqkit import checkpoint, saving, summary
from seqkit.errors import ConfigError
from seqkit.options import positive_integer
from seqkit.parameters import JoinedParameters
from seqkit.sequences import unpad
from seqkit.stack import Stack
from seqkit.training import losses, optimizers, preparing, trainer, truncated
from seqkit.training.batches import POOL, Part, Samples
from seqkit.training.callbacks import Callback
from seqkit.training.class_weights import ClassWeights
from seqkit.training.history import History
from seqkit.training.memory import Load, limited
from seqkit.training.metrics import Function, Metric, table
from seqkit.training.progress import Progress
from seqkit.training.recipe import Recipe


class Sequential(Stack):
    """A model of layers one after the other.

    Parameters
    ----------
    layers : iterable of Layer, optional
        The first layers; :meth:`add` appends more.
    seed : int, optional
        Source of all randomness: initial values, dropout, order of the samples.  Without one it
        is different every time.
    dtype : {"float32", "float64"}
        Type of parameters and results.

    Attributes
    ----------
    layers : list of Layer
    metadata : dict
        Notes of whoever uses the model, as values that JSON can hold; saved and loaded with it.
    history : History or None
        What the last :meth:`fit` gave.

    Notes
    -----
    Inputs are (S, T, F) arrays, with `lengths` where they are right-padded; (S, F) vectors;
    (S, T) integer ids for a first layer that takes ids; or a list of (T_i, F) arrays (of (T_i,)
    ids), which is padded batch by batch.  Targets are an array with one entry per sample or,
    where the model returns sequences, per step (a list of per-step arrays beside a list).

    A prediction does not depend on the size of the batch, not in its last bit.

    Examples
    --------
    >>> import numpy as np
    >>> from seqkit.layers.dense import Dense
    >>> x = np.linspace(-1.0, 1.0, 64)[:, None]
    >>> model = Sequential([Dense(8, activation="tanh"), Dense(1)], seed=0)
    >>> model.compile(optimizer="adam", loss="mse")
    >>> history = model.fit(x, x[:, 0] ** 2, epochs=3)
    >>> history.history["loss"][0] > history.history["loss"][2]
    True
    """

    name = "sequential"

    history: History | None = None
    progress: Progress | None = None
    """Where the training is, while :meth:`fit` runs."""
    stop_training: bool = False
    """Set by a callback to end the training after the batch."""
    _recipe: Recipe | None = None

    def compile(
        self,
        optimizer: str | optimizers.Optimizer = "rmsprop",
        loss: str | losses.Loss | None = None,
        metrics: Sequence[str | Metric | losses.Loss | Function] | None = None,
    ) -> None:
        """Say how to train.

        Parameters
        ----------
        optimizer : str or Optimizer
            See :mod:`seqkit.training.optimizers`.
        loss : str or Loss
            See :mod:`seqkit.training.losses`.
        metrics : sequence of str, Metric, Loss or callable, optional
            Numbers to watch, see :mod:`seqkit.training.metrics`; those given by name read logits where the loss does.

        Raises
        ------
        ConfigError
            If a name is unknown; the message lists the names.
        """
        if loss is None:
            raise ConfigError(f"{self.name}: compile needs a loss, one of {', '.join(sorted(losses.LOSSES))}.")
        known = losses.get(loss)
        self._recipe = Recipe(optimizers.get(optimizer), known, table(metrics or (), known))

    @property
    def optimizer(self) -> optimizers.Optimizer:
        """The optimizer given to :meth:`compile`."""
        return self._require_recipe().optimizer

    @property
    def trainable(self) -> JoinedParameters:
        """Everything that training changes: `params`, and those of a loss that has some, called "loss.name"."""
        return self._require_recipe().params(self)

    @property
    def loss(self) -> losses.Loss:
        """The loss given to :meth:`compile`; one with parameters, such as a CRF, is loaded with the model."""
        return self._require_recipe().loss

    def __getstate__(self) -> dict[str, Any]:
        """A copy or pickle that is made while the model is trained is of the model alone."""
        return {name: value for name, value in self.__dict__.items() if name != "progress"}

    def _require_recipe(self) -> Recipe:
        if self._recipe is None:
            raise ConfigError(f"{self.name}: not compiled; call compile(optimizer, loss) first.")
        return self._recipe

    def fit(
        self,
        x: Any,
        y: Any,
        batch_size: int = 32,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: Callback | Sequence[Callback] | None = None,
        validation_split: float = 0.0,
        validation_data: Sequence[Any] | None = None,
        shuffle: bool = True,
        *,
        sample_weight: Any = None,
        lengths: Any = None,
        seed: int | None = None,
        class_weight: Mapping[int, float] | str | None = None,
        initial_epoch: int = 0,
        accumulate: int = 1,
        resume: str | os.PathLike[str] | None = None,
        memory: str | int | None = None,
        tbptt: tuple[int, int] | None = None,
        bucket: int = POOL,
    ) -> History:
        """Train on samples.

        Parameters
        ----------
        x, y : array_like or list of ndarray
            Inputs and targets, see the notes of the class.
        batch_size : int
            Samples that run together.
        epochs : int
            Number of the last epoch, counted from 1: times that all samples are seen.
        verbose : {"auto", 0, 1, 2}
            What is written to standard error: 2 a line per epoch, 1 in a terminal also a bar within
            the epoch; "auto" is 1 in a terminal and 0 elsewhere.
        callbacks : Callback or sequence of Callback, optional
            See :mod:`seqkit.training.callbacks`; training stops when ``on_epoch_end(epoch, logs)``
            of one returns True.
        validation_split : float
            Share of the samples, the last ones, that is held out and measured after every epoch.
        validation_data : (x, y), (x, y, sample_weight) or (x, y, sample_weight, lengths), optional
            Samples to measure instead.
        shuffle : bool
            Whether every epoch sees the samples in a new order.
        sample_weight : array_like, (S,) or (S, T), optional
            Weights of the samples or steps in the loss.
        lengths : array_like of int, (S,), optional
            True lengths of right-padded sequences.
        seed : int, optional
            Source of the order of the samples, and of the initial values if the model is not
            built yet, instead of the model's own.
        class_weight : dict of int to float or "balanced", optional
            Weight of every class in the loss of the training samples, 1 for one that is not
            there; "balanced" is inverse to how often it occurs.
        initial_epoch : int
            Number of the first epoch, counted from 0.
        accumulate : int
            Batches whose gradients make one update of the weights, that of one batch so many
            times as large.
        resume : str or path-like, optional
            Directory of a :class:`~seqkit.Checkpoint` (or one of its files) to
            go on from, to the same bits as training that was never interrupted.  Where there is
            no checkpoint yet training begins.
        memory : str or int, optional
            Bytes that training may add to the process, as "512MiB" or a number: layers train in
            segments of time where it takes that, to the same bits.
        tbptt : (int, int), optional
            (k1, k2) of truncated backpropagation through time: an update after every k1 steps,
            from the gradient over the last k2, see :mod:`seqkit.training.truncated`.
        bucket : int
            Where samples are shuffled and their lengths differ: batches that are sorted by length
            together before they are cut, so that a batch holds sequences of similar length.  1
            mixes all lengths.

        Returns
        -------
        History
            ``history["loss"]`` and so on, one value per epoch.

        Raises
        ------
        NonFiniteError
            If a loss or gradient is NaN or infinite; the weights are as before that batch.
        ConfigError
            If `resume` belongs to another training; the message names what differs.  If `memory`
            is too little; the message names the least that works.  If a layer or the loss needs
            whole sequences, for `tbptt`.
        KeyboardInterrupt
            After Ctrl-C; the model has the weights of the last whole update and can be used.
        """
        recipe = self._require_recipe()
        rng = self._rng if seed is None else np.random.default_rng(seed)
        train, validation = preparing.parts(
            self._samples, (x, y, sample_weight, lengths), validation_split, validation_data
        )
        if self.stateful and shuffle:
            raise ConfigError(f"{self.name}: a stateful layer goes on where the batch before ended; set shuffle=False.")
        for part in (train, validation):
            preparing.check_batches(self, part, batch_size)
        self._build_for(train.samples, rng)
        settings = trainer.Settings(
            positive_integer(epochs, "epochs"),
            int(batch_size),
            order=rng if shuffle else None,
            initial_epoch=positive_integer(initial_epoch, "initial_epoch") if initial_epoch else 0,
            accumulate=positive_integer(accumulate, "accumulate"),
            class_weights=ClassWeights.of(class_weight, train, self._per_step and train.samples.sequences, recipe.loss),
            tbptt=None if tbptt is None else truncated.checked(tbptt, self, recipe.loss, accumulate),
            bucket=positive_integer(bucket, "bucket"),
        )
        given = [callbacks] if isinstance(callbacks, Callback) else callbacks or ()
        watching = [*trainer.reporters(verbose), *given]
        told = {"batch_size": settings.batch_size, "shuffle": bool(shuffle), "class_weight": str(class_weight)}
        told |= {"seed": int(seed) if isinstance(seed, np.integer) else seed}
        told |= {} if bucket == POOL else {"bucket": settings.bucket}
        told |= {} if tbptt is None else {"tbptt": str(settings.tbptt)}
        run = trainer.Trainer(self, recipe, train, validation, settings, watching, told)
        self.progress, self.history = run.progress, run.progress.history
        load = Load.of(train.samples, batch_size, settings.tbptt and settings.tbptt[1])
        try:
            with limited(self, memory, load):
                return run.fit(resume)
        finally:
            self.progress = None

    def evaluate(
        self,
        x: Any,
        y: Any,
        batch_size: int = 32,
        verbose: str | int = 0,
        *,
        sample_weight: Any = None,
        lengths: Any = None,
    ) -> float | list[float]:
        """The loss of samples or, where there are metrics, a list of the loss and every metric.

        The arguments are those of :meth:`fit`; nothing is written, whatever `verbose` says.
        """
        recipe = self._require_recipe()
        part = Part.whole(self._samples(x, y, sample_weight, lengths))
        preparing.check_batches(self, part, batch_size)
        self._build_for(part.samples, self._rng)
        logs = trainer.evaluate(self, recipe, part, batch_size)
        return list(logs.values()) if recipe.metrics else logs["loss"]

    def predict(
        self, x: Any, batch_size: int = 32, verbose: str | int = 0, *, lengths: Any = None
    ) -> np.ndarray | list[np.ndarray]:
        """Outputs for samples.

        Parameters
        ----------
        x : array_like or list of ndarray
            Inputs, see the notes of the class.
        batch_size : int
            Samples that run together; it changes speed and memory, not the result.
        verbose : {"auto", 0, 1}
            Taken from programs written for Keras; nothing is written.
        lengths : array_like of int, (S,), optional
            True lengths of right-padded sequences.

        Returns
        -------
        ndarray, (S, K) or (S, T, K), or list of ndarray, (T_i, K)
            A list for a list where the model returns sequences.
        """
        part = Part.whole(self._samples(x, None, None, lengths))
        preparing.check_batches(self, part, batch_size)
        self._build_for(part.samples, self._rng)
        listed = part.samples.ragged and self.returns_sequences
        outputs: list[np.ndarray] = []
        for batch in part.batches(batch_size):
            y, _ = self.forward(batch.x, batch.lengths, training=False)
            outputs.extend(unpad(y, self.output_lengths(batch.lengths)) if listed else [y])
        return outputs if listed else np.concatenate(outputs)

    def summary(self) -> str:
        """Print a table of the layers, their outputs and numbers of parameters, and return it.

        Examples
        --------
        >>> from seqkit.layers.dense import Dense
        >>> text = Sequential([Dense(3, input_shape=(2,)), Dense(1)]).summary()
        layer     output       parameters
        0 dense   (batch, 3)            9
        1 dense   (batch, 1)            4
        total                          13
        """
        text = summary.table(self)
        print(text)
        return text

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write layers, weights and, if compiled, the training set-up with its progress to a file.

        A loss, metric or optimizer of your own is not saved: compile again after loading.

        Raises
        ------
        ConfigError
            If the class of a layer is not registered.
        """
        checkpoint.write(path, *saving.describe(self, self._recipe, self.progress))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """A model from a file that :meth:`save` wrote; training can go on where it stopped.

        Raises
        ------
        LoadError
            If the file cannot be read, is damaged, is not a seqkit model, is newer than this
            seqkit, or holds a layer that is not installed.
        """
        return cls.rebuild(*checkpoint.read(path), path)

    @classmethod
    def rebuild(
        cls, description: Mapping[str, Any], arrays: Mapping[str, np.ndarray], path: str | os.PathLike[str]
    ) -> Self:
        """The model of what is in a file; `path` is for errors."""
        model = cls()
        model._recipe = saving.rebuild(model, path, description, arrays)
        return model

    def _samples(self, x: Any, y: Any, sample_weight: Any, lengths: Any) -> Samples:
        if self._recipe is not None and y is not None:
            y = self._recipe.loss.prepare(y)
        ids = self.layers[0].ids_of_inputs if self.layers else (False,)
        if lengths is None and isinstance(x, np.ndarray) and self.layers:
            lengths = self.layers[0].lengths_of(x)
        return Samples(x, y, sample_weight, lengths, ids, self._per_step, self.output_lengths)

    @property
    def _per_step(self) -> bool:
        """Whether there is a target for every step."""
        return self.returns_sequences and not (self._recipe is not None and self._recipe.loss.per_sequence)

    def _build_for(self, samples: Samples, rng: np.random.Generator) -> None:
        if not self.built:
            self.build(samples.sizes, rng)
