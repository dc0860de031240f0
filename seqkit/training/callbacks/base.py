"""Callbacks: what is done beside training.

A callback derives from :class:`Callback` and defines the methods it needs, which are called as
in Keras; any other object with a method ``on_epoch_end(epoch, logs)`` serves too.  Callbacks are
begun in the order given and ended in reverse, so that the last one begun, which may save the
training to a file, sees it before an earlier one puts back the best weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from seqkit.errors import ConfigError
from seqkit.training.history import Logs

State = dict[str, np.ndarray]
EVENTS = (
    *("on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end"),
    *("on_train_batch_begin", "on_train_batch_end"),
)


class Callback:
    """Base class; every method does nothing.

    Attributes
    ----------
    model : Sequential
        The model that is trained; ``model.stop_training = True`` ends the training after the batch.
    params : dict
        "epochs", the number of the last epoch, and "steps", the updates of the weights per epoch.

    Examples
    --------
    >>> class Watch(Callback):
    ...     def on_epoch_end(self, epoch, logs):
    ...         print(epoch, sorted(logs))
    """

    last = False
    """True for a callback that is called after all others, because it saves what they have done."""

    model: Any
    params: Mapping[str, int]

    def on_train_begin(self) -> None:
        """Called before the first epoch."""

    def on_train_end(self) -> None:
        """Called when training ends, however it ends."""

    def on_epoch_begin(self, epoch: int) -> None:
        """Called before every epoch, whose numbers count from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs) -> bool | None:
        """Called with the results of the epoch; True ends the training."""
        return None

    def on_train_batch_begin(self, batch: int) -> None:
        """Called before every update of the weights, whose numbers count from 0 in every epoch."""

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        """Called after the update with "loss", that of the batch alone."""

    def state(self) -> State:
        """What the callback remembers, as named arrays, for training that is resumed."""
        return {}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from what :meth:`state` gave; called after `on_train_begin`."""


class CallbackList:
    """The callbacks of one call of `fit`.

    Parameters
    ----------
    callbacks : iterable of Callback
    model : Sequential
    params : mapping of str to int
        See :class:`Callback`.

    Raises
    ------
    ConfigError
        If one of them has no method that would be called.
    """

    def __init__(self, callbacks: Iterable[Any], model: Any, params: Mapping[str, int]) -> None:
        self._callbacks = sorted(callbacks, key=lambda callback: bool(getattr(callback, "last", False)))
        self._model = model
        for callback in self._callbacks:
            if isinstance(callback, type) or not any(hasattr(callback, event) for event in EVENTS):
                raise ConfigError(
                    f"callbacks: expected objects with {', '.join(EVENTS)} or some of these, got {callback!r}."
                )
            if isinstance(callback, Callback):
                callback.model, callback.params = model, params
        self._listeners = {event: self._listening(event) for event in EVENTS}

    def _listening(self, event: str) -> list[Callable[..., Any]]:
        silent = getattr(Callback, event)
        methods = [getattr(callback, event, None) for callback in self._callbacks]
        return [method for method in methods if method and getattr(method, "__func__", method) is not silent]

    def train_begin(self) -> None:
        for call in self._listeners["on_train_begin"]:
            call()

    def train_end(self) -> None:
        """End all of them, in reverse; an error of one does not keep the others from ending."""
        _call_all(list(self._listeners["on_train_end"]))

    def epoch_begin(self, epoch: int) -> None:
        for call in self._listeners["on_epoch_begin"]:
            call(epoch)

    def epoch_end(self, epoch: int, logs: Logs) -> None:
        """Tell everybody; whoever answers True ends the training, which the later ones see."""
        for call in self._listeners["on_epoch_end"]:
            if call(epoch, dict(logs)):
                self._model.stop_training = True

    def batch_begin(self, batch: int) -> None:
        for call in self._listeners["on_train_batch_begin"]:
            call(batch)

    def batch_end(self, batch: int, loss: float) -> None:
        for call in self._listeners["on_train_batch_end"]:
            call(batch, {"loss": loss})

    def state(self) -> State:
        """What all callbacks remember, called "class.number/name"."""
        named = self._named().items()
        return {f"{key}/{name}": array for key, callback in named for name, array in callback.state().items()}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Give every callback its own back; one that was not there starts afresh."""
        for key, callback in self._named().items():
            own = {name.removeprefix(f"{key}/"): state[name] for name in state if name.startswith(f"{key}/")}
            if own:
                callback.restore(own)

    def _named(self) -> dict[str, Callback]:
        named: dict[str, Callback] = {}
        for callback in self._callbacks:
            if isinstance(callback, Callback):
                kind = type(callback).__name__
                named[f"{kind}.{sum(name.startswith(f'{kind}.') for name in named)}"] = callback
        return named


def make_folder(folder: Path, owner: str) -> None:
    """Make a folder, if it is not there, before time is spent on training.

    Raises
    ------
    ConfigError
        If it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{owner}: the folder {folder} cannot be made ({error.strerror}); take another.") from error


def _call_all(calls: list[Callable[[], Any]]) -> None:
    """Call the last first, all of them even where one raises."""
    try:
        if calls:
            calls.pop()()
    finally:
        if calls:
            _call_all(calls)
