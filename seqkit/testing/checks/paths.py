"""Checks of gradients through what a layer is put into: both directions, a stack, pieces of time.

Legend: B batch, T time, H units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.layer import final_state
from seqkit.layers.bidirectional import Bidirectional
from seqkit.layers.dense import Dense
from seqkit.model import Sequential
from seqkit.recurrent import Recurrent
from seqkit.testing.checks.gradients import assert_exact, full
from seqkit.testing.data import Data, Make, assert_same_bits, fill, forward, run
from seqkit.testing.kinds import (
    needs,
    needs_option,
    needs_sequences,
    needs_states,
    needs_steps,
    vectors_only,
)
from seqkit.testing.subject import again


def both_directions(make: Make) -> Bidirectional:
    """The layer in both directions, each with its own random parameters."""
    layer = make("float64")
    needs(isinstance(layer, Recurrent), "Bidirectional takes recurrent layers made of equations")
    one, two = (again(layer, go_backwards=False) for _ in range(2))
    return fill(Bidirectional(one, backward_layer=two).build(layer.input_size, seed=0, dtype="float64"))


def check_bidirectional(make: Make) -> None:
    """Each half of a bidirectional output is the layer by itself, the second on sequences that are turned around."""
    both = both_directions(make)
    data = Data.draw(both)
    y, half = forward(both, data)[0], both.forward_layer.output_size
    count = len(data.state) // 2
    for n, part in enumerate((both.forward_layer, both.backward_layer)):
        alone = again(part, go_backwards=False).build(both.input_size, dtype="float64")
        for name in alone.params:
            alone.params[name] = part.params[name]
        x = turned(data.x, data.lengths) if n else data.x
        expected, _ = alone.forward(x, data.lengths, data.state[n * count :][:count], training=False)
        if part.random_state():
            continue  # the halves draw their own numbers
        expected = turned(expected, data.lengths) if n and expected.ndim == 3 else expected
        assert_same_bits({"y": y[..., n * half :][..., :half]}, {"y": expected}, f"direction {n}")


def check_gradients_of_both_directions(make: Make) -> None:
    """The gradients of a bidirectional layer agree with central differences."""
    both = both_directions(make)
    assert_exact(both, Data.draw(both))


def turned(steps: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Every sequence turned around within its length."""
    result = np.zeros_like(steps)
    for row, n in enumerate(lengths):
        result[row, :n] = steps[row, :n][::-1]
    return result


def check_gradients_of_a_stack(make: Make) -> None:
    """The gradients of a model with the layer in it, twice where it returns sequences, agree with central differences.

    Usual cause: the layer below gets a dx of another shape or layout than the layer's own checks see.
    """
    layer = make("float64")
    needs(not vectors_only(layer), "it takes vectors, not sequences")
    one, two = again(layer), again(layer)
    below = [] if layer.accepts_ids else [Dense(layer.input_size)]
    above = [] if layer.accepts_ids or not layer.returns_sequences else [Dense(layer.input_size), two]
    model = Sequential([*below, one, *above, Dense(2)], seed=0, dtype="float64")
    model.build(1 if layer.accepts_ids else 3)
    whole = _Model(fill(model))
    data = Data.draw(whole)
    assert_exact(whole, data)


@dataclass
class _Model:
    """A model with the face of a layer."""

    model: Any
    output_size: int = 2
    dtype: str = "float64"
    name: str = "model"

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    @property
    def input_size(self) -> int:
        return int(self.model.layers[0].input_size)

    def random_state(self) -> dict[str, int]:
        numbers: dict[str, int] = self.model.random_state()
        return numbers

    def forward(self, x: Any, lengths: Any = None, state: Any = None, training: bool = True) -> Any:
        return self.model.forward(x, lengths, training)

    def backward(self, dy: Any, cache: Any, dstate: Any = None, input_grad: bool = True) -> Any:
        return self.model.backward(dy, cache, input_grad), ()


def check_gradients_through_time_pieces(make: Make) -> None:
    """The gradients of two calls, the second from the state that the first leaves, agree with central differences.

    Usual cause: `backward` gives no gradient of the initial state, or does not read that of the final one.
    """
    layer = make("float64")
    needs_steps(layer)
    needs_states(layer)
    needs_sequences(layer)
    halves = _Halves(layer)
    assert_exact(halves, full(halves, 3, 5))


@dataclass
class _Halves:
    """A layer that is called twice, for the first two steps and for the others."""

    layer: Any
    cut: int = 2

    def __getattr__(self, name: str) -> Any:
        return getattr(self.layer, name)

    def _pieces(self, time: int) -> list[slice]:
        """Steps of both calls in the order of reading."""
        pieces = [slice(0, self.cut), slice(self.cut, time)]
        return pieces[::-1] if self.layer.reads_backwards else pieces

    def forward(self, x: Any, lengths: Any = None, state: Any = None, training: bool = True) -> Any:
        parts, caches = [], []
        for piece in self._pieces(x.shape[1]):
            y, cache = self.layer.forward(x[:, piece], None, state, training)
            parts.append(y)
            caches.append(cache)
            state = final_state(cache)
        return np.concatenate(parts, axis=1), _Caches(caches, state)

    def backward(self, dy: Any, cache: Any, dstate: Any = None, input_grad: bool = True) -> Any:
        time, end = dy.shape[1], dy.shape[1]
        dx = np.zeros((len(dy), time, self.layer.input_size))
        for piece, part in zip(self._pieces(time)[::-1], cache.parts[::-1], strict=True):
            start = end - len(range(time)[piece])
            found, dstate = self.layer.backward(dy[:, start:end], part, dstate)
            dx[:, piece] = 0 if found is None else found
            end = start
        return dx, dstate


@dataclass
class _Caches:
    parts: list[Any]
    state: Any


def check_checkpoint(make: Make) -> None:
    """Training in segments of time, which saves memory, gives the same bits."""
    layer = make("float64")
    needs_option(layer, "checkpoint")
    lengths = [9, 0, 1, *np.random.default_rng(6).integers(1, 10, 45)]
    expected = run(make("float64", checkpoint=None), Data.draw(layer, lengths))
    for steps in (1, 4):
        parts = make("float64", checkpoint=steps)
        assert_same_bits(run(parts, Data.draw(parts, lengths)), expected, f"segments of {steps} steps")


def check_stack(make: Make) -> None:
    """In a model a layer gives the bits that it gives alone, and a prediction does not depend on the batch size."""
    layer = make("float32")
    model = Sequential([fill(again(layer).build(layer.input_size, seed=0))])
    data = Data.draw(layer)
    expected, _ = layer.forward(data.x, data.lengths, None, training=False)
    for size in (1, 4, 32):
        found = model.predict(data.x, lengths=data.lengths, batch_size=size)
        assert_same_bits({"y": np.asarray(found)}, {"y": expected}, f"predict with batch_size={size}")
