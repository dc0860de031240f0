"""A model that is looked into: a copy of it that can be watched and has gradients of what it computes outside training.

Legend: B batch, T time, F features (of an id: those of its vector), K outputs.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np

from seqkit.errors import ConfigError
from seqkit.explain.batch import Batch
from seqkit.inputs import first
from seqkit.layer import Layer, State
from seqkit.layers.bidirectional import Bidirectional
from seqkit.model import Sequential
from seqkit.parameters import JoinedParameters
from seqkit.recurrent import Recurrent
from seqkit.training.moment import Moment


class Subject:
    """A copy of a model: nothing is drawn at random, so that gradients are those of what `predict` computes.

    The model itself stays as it is, its gradients, carried states and random numbers included.

    Parameters
    ----------
    model : Sequential or Layer
        Built.  In float32 or float64; one in low precision has no gradients.

    Attributes
    ----------
    model : Sequential
        The copy.
    recurrent : dict of str to Recurrent
        Its recurrent layers, also those inside of other layers, by place and direction: "0.forward".  The place is that
        which begins the names of their parameters.
    """

    def __init__(self, model: Sequential | Layer) -> None:
        if not isinstance(model, (Sequential, Layer)):
            raise ConfigError(f"explain: a Sequential model or a layer was expected, got {type(model).__name__}.")
        copied = copy.deepcopy(model)
        if isinstance(copied, Layer):
            copied._require_built()
            copied = Sequential([copied], dtype=copied.dtype.name)
        self.model: Sequential = copied
        self.model.require_built()
        self.recurrent: dict[str, Recurrent] = {}
        self._start = Moment.of(self.model)
        self._entries: list[Entry] = []
        self._entry: Entry | None = None
        for place, layer in layers_of(self.model):
            if isinstance(layer, Recurrent):
                self.recurrent[f"{place}.{'backward' if layer.go_backwards else 'forward'}"] = layer
                layer._training, layer._counter = layer.execution, None  # the tape of a pass without masks
            elif layer.training_only:
                layer.forward, layer.backward = _pass, _pass_back  # type: ignore[method-assign]
            elif layer.accepts_ids and not layer.inner():
                self._entries.append(Entry(layer))

    def features(self, batch: Batch) -> np.ndarray:
        """What the model computes with, (B, T, F): the input, or the vectors of its ids."""
        if not batch.ids:
            return np.asarray(batch.x, self.model.dtype)
        for entry in self._entries:
            entry.given = None
        self.output(batch)
        self._entry = next((entry for entry in self._entries if np.array_equal(entry.ids, batch.x)), None)
        if self._entry is None:
            raise ConfigError("explain: no Embedding reads the ids of the model as they are, so they have no gradient.")
        return self._entry.features

    def output(self, batch: Batch) -> np.ndarray:
        """What `predict` gives, (B, K) or (B, T, K)."""
        self._start.restore()  # stateful layers carry what they ended with
        y, _ = self.model.forward(*batch.given, training=False)
        return y

    def output_lengths(self, batch: Batch, y: np.ndarray) -> np.ndarray:
        """Lengths of what came out, where it is sequences; a model may give others than it was given."""
        after = self.model.output_lengths(batch.given[1])
        return np.full(len(y), y.shape[1], np.int64) if after is None else after

    def run(self, batch: Batch, features: np.ndarray) -> tuple[np.ndarray, list[Any]]:
        """The output for other :meth:`features`, which were asked for, and what :meth:`gradient` needs, once."""
        self._start.restore()
        if self._entry is None:
            return self.model.forward(*batch.with_x(features).given, training=True)
        self._entry.given = features
        return self.model.forward(*batch.given, training=True)

    def gradient(self, dy: np.ndarray, caches: list[Any]) -> np.ndarray:
        """Gradient of the features, (B, T, F)."""
        dx = first(self.model.backward(dy, caches, input_grad=self._entry is None))
        found = dx if self._entry is None else self._entry.gradient
        assert found is not None
        return found


class Entry:
    """The layer that turns ids into vectors: others can be put in their place, and gradients come out there."""

    def __init__(self, layer: Layer) -> None:
        self.given: np.ndarray | None = None
        self.ids: np.ndarray = np.empty(0, np.int64)
        self.features: np.ndarray = np.empty(0)
        self.gradient: np.ndarray | None = None
        self._look_up = layer.forward
        layer.forward, layer.backward = self._forward, self._backward  # type: ignore[method-assign]

    def _forward(
        self, x: np.ndarray, lengths: np.ndarray | None = None, state: State | None = None, training: bool = True
    ) -> tuple[np.ndarray, Any]:
        looked_up, cache = self._look_up(x, lengths, state, training)
        self.ids = np.asarray(x)
        self.features = looked_up if self.given is None else self.given.astype(looked_up.dtype)
        return self.features, cache

    def _backward(
        self, dy: np.ndarray, cache: Any, dstate: State | None = None, input_grad: bool = True
    ) -> tuple[None, State]:
        self.gradient = np.array(dy)
        return None, ()


def layers_of(model: Sequential) -> Iterator[tuple[str, Layer]]:
    """Every layer of a model, also those inside of others, by its place."""
    for number, layer in enumerate(model.layers):
        yield from _within(str(number), layer)


def _within(place: str, layer: Layer) -> Iterator[tuple[str, Layer]]:
    yield place, layer
    if isinstance(layer, Bidirectional):
        yield from ((place, direction) for direction in (layer.forward_layer, layer.backward_layer))
    for number, inner in enumerate(layer.inner()):
        yield from _within(f"{place}.{_part(layer, inner) or number}", inner)


def _part(layer: Layer, inner: Layer) -> str | None:
    """What the parameters of an inner layer are called in those of the outer one."""
    joined = layer.params
    parts = joined.parts.items() if isinstance(joined, JoinedParameters) else ()
    return next((name for name, params in parts if params is inner.params), None)


def _pass(
    x: np.ndarray, lengths: np.ndarray | None = None, state: State | None = None, training: bool = True
) -> tuple[np.ndarray, Any]:
    return x, None


def _pass_back(
    dy: np.ndarray, cache: Any, dstate: State | None = None, input_grad: bool = True
) -> tuple[np.ndarray, State]:
    return dy, ()
