"""Checks of copies and files: what comes back computes the same bits.

Legend: B batch, T time.
"""

from __future__ import annotations

import copy
import pickle
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from seqkit import registry
from seqkit.model import Sequential
from seqkit.testing.checks.declaration import author_class, registered_class
from seqkit.testing.data import Data, Make, assert_same_bits, infer, run
from seqkit.testing.kinds import needs
from seqkit.training.optimizers import Adam


def assert_same_layer(layer: Any, duplicate: Callable[[Any], Any], what: str) -> None:
    """A copy does what the layer does, and has parameters and gradients of its own."""
    data = Data.draw(layer)
    expected = run(layer, data)
    twin = duplicate(layer)
    assert_same_bits(run(twin, data), expected, what)
    for name, value in twin.params.items():
        twin.params[name] = 0 * value
    assert_same_bits(run(layer, data), expected, f"the layer after a change of {what}")


def check_deepcopy(make: Make) -> None:
    """A deep copy computes the same and shares nothing."""
    for layer in (make("float32"), make("float64")):
        assert_same_layer(layer, copy.deepcopy, "the copy")


def check_pickle(make: Make) -> None:
    """A layer that went through pickle computes the same.

    Usual cause: a lambda, a lock or an open file as an attribute; make it when it is needed.
    """
    layer = make("float64")
    own = author_class(layer)
    found: Any = sys.modules.get(own.__module__)
    for name in own.__qualname__.split("."):
        found = getattr(found, name, None)
    needs(found is own, f"pickle finds classes by name, and {own.__qualname__} is not one of {own.__module__}")
    assert_same_layer(layer, lambda one: pickle.loads(pickle.dumps(one)), "the pickled layer")


def check_saving(make: Make) -> None:
    """A model with the layer gives the same bits after `save` and `seqkit.load`."""
    layer = make("float32")
    needs(registered_class(layer) is author_class(layer), "it is not registered, so that no file can name it")
    data = Data.draw(layer)
    model = Sequential([layer])
    expected = infer(layer, data)["y"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        model.save(path)
        found = Sequential.load(path)
    again = found.layers[0]
    assert type(again) is type(layer), f"a {type(layer).__name__} comes back as {type(again).__name__}"
    assert again.config() == layer.config(), f"configuration {layer.config()} comes back as {again.config()}"
    assert_same_bits(dict(again.params), dict(layer.params), "loaded parameters")
    assert_same_bits(
        {"y": again.forward(data.x, data.lengths, data.state or None, training=False)[0]}, {"y": expected}, "loaded"
    )


def check_training(make: Make) -> None:
    """A model with the layer learns: `fit` lowers the loss, the same way twice."""
    losses = []
    for _ in range(2):
        layer = make("float32")
        data = Data.draw(layer, [4, 2, 4, 3, 1, 4])
        model = Sequential([layer, *head(layer)], seed=0)
        model.build(layer.input_size)
        model.compile(optimizer=Adam(0.02), loss="mse")
        target = np.arange(6.0)[:, None] / 6
        before = model.evaluate(data.x, target, lengths=data.lengths)
        model.fit(data.x, target, epochs=12, batch_size=4, lengths=data.lengths)
        losses.append(np.array([before, model.evaluate(data.x, target, lengths=data.lengths)]))
    first, last = losses[0]
    assert last < first, f"the loss goes from {first:.4g} to {last:.4g} in 12 epochs"
    assert_same_bits({"losses": losses[1]}, {"losses": losses[0]}, "the same training again")


def head(layer: Any) -> list[Any]:
    """Layers that make one number of each sequence."""
    return [*([registry.create("last_step")] if layer.returns_sequences else []), registry.create("dense", 1)]
