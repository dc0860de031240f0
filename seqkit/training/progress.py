"""Where the training of a model is, and how that goes into a file and comes back.

In the file of a model its description has the entry "progress" and its arrays are called
"progress/history/...", "progress/totals/...", "progress/carried/..." and "progress/callbacks/...";
the arrays of the optimizer are called "optimizer/...".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from seqkit import generators
from seqkit.errors import LoadError
from seqkit.parameters import JoinedParameters
from seqkit.stack import Stack
from seqkit.training.callbacks.base import CallbackList
from seqkit.training.history import History, Logs
from seqkit.training.moment import carried_arrays, restore_carried
from seqkit.training.recipe import Recipe
from seqkit.training.totals import Totals

OPTIMIZER = "optimizer/"


@dataclass
class Progress:
    """Where a training is.

    Attributes
    ----------
    recipe : Recipe
    totals : Totals
        Sums of the epoch so far.
    order : Generator or None
        Draws the order of the samples at the beginning of every epoch.
    describe_training : callable
        Gives what must be the same when the training is resumed.
    epoch, batch : int
        Epoch, and updates of the weights done in it; both count from 0.
    history : History
    settled : bool
        False where training cannot be resumed from: between two windows of truncated backpropagation, and
        while the end of an epoch is being told to the callbacks, of which some know it and some don't.
    """

    recipe: Recipe
    totals: Totals
    order: np.random.Generator | None
    describe_training: Callable[[], dict[str, Any]]
    callbacks: CallbackList
    epoch: int = 0
    batch: int = 0
    history: History = field(default_factory=History)
    settled: bool = True

    @cached_property
    def fingerprint(self) -> dict[str, Any]:
        """What must be the same when the training is resumed; computed where there is a file."""
        return self.describe_training()

    def __post_init__(self) -> None:
        self.remember_order()

    def remember_order(self) -> None:
        """Note how the order of the epoch's samples can be drawn again; called before it is drawn."""
        self._drawn_from = None if self.order is None else generators.state_of(self.order)

    def end_epoch(self, logs: Logs) -> None:
        """Go on to the next epoch."""
        self.history.add(self.epoch, logs)
        self.epoch, self.batch, self.totals.sums = self.epoch + 1, 0, {}
        self.remember_order()

    def where(self) -> str:
        """The place in words."""
        done = f" after batch {self.batch}" if self.batch else ""
        return f"{'in' if self.batch else 'before'} epoch {self.epoch + 1}{done}"

    def describe(self, model: Stack) -> dict[str, Any]:
        """Everything that is a plain value."""
        optimizer = self.recipe.optimizer
        return {
            "epoch": self.epoch,
            "batch": self.batch,
            "stopped": bool(getattr(model, "stop_training", False)),
            "order": self._drawn_from,
            "columns": list(self.history.history),
            "random": model.random_state(),
            "learning_rate": None if optimizer.schedule else optimizer.learning_rate,
            "fingerprint": self.fingerprint,
        }

    def arrays(self, model: Stack) -> dict[str, np.ndarray]:
        """Everything that is an array."""
        groups = {
            "progress/history/": self.history.state(),
            "progress/totals/": self.totals.sums,
            "progress/carried/": carried_arrays(model),
            "progress/callbacks/": self.callbacks.state(),
            OPTIMIZER: self.recipe.optimizer.state(),
        }
        parameters = dict(self.recipe.params(model))
        return parameters | {
            f"{group}{name}": array for group, named in groups.items() for name, array in named.items()
        }

    def restore(self, model: Any, said: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Bring model, optimizer and generators to where a file was written; callbacks follow once they have begun."""
        params, optimizer = self.recipe.params(model), self.recipe.optimizer
        fill(params, {name: array for name, array in arrays.items() if "/" not in name})
        optimizer.restore(group(arrays, OPTIMIZER), params)
        if said["learning_rate"] is not None:
            optimizer.learning_rate = said["learning_rate"]
        model.restore_random_state(said["random"])
        restore_carried(model, group(arrays, "progress/carried/"))
        self.epoch, self.batch, model.stop_training = said["epoch"], said["batch"], said["stopped"]
        self.history.restore(group(arrays, "progress/history/"), said["columns"])
        self.totals.sums = group(arrays, "progress/totals/")
        if self.order is not None:
            generators.restore(self.order, said["order"])
            self.remember_order()


def group(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """The arrays whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def fill(params: JoinedParameters, arrays: Mapping[str, np.ndarray]) -> None:
    """Set all parameters from a file.

    Raises
    ------
    LoadError
        If names, shapes or types are not those of the parameters.
    """
    wanted = {name: f"{array.shape} {array.dtype}" for name, array in params.items()}
    found = {name: f"{array.shape} {array.dtype}" for name, array in arrays.items()}
    for name in sorted(wanted | found):
        if wanted.get(name) != found.get(name):
            raise LoadError(f"parameter {name!r} is {found.get(name)} in the file, its layer has {wanted.get(name)}")
    with params.editing() as own:
        for name, array in arrays.items():
            own[name][...] = array
