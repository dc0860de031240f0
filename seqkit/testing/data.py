"""Batches for layers, what a call gives, and how results are compared.

Legend: B batch, T time, F input features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from seqkit.layer import final_state
from seqkit.testing.kinds import keeps_steps, needs, numbers_of_ids, shapes_of_states, vectors_only

Make = Callable[..., Any]
"""``make(dtype, **options)``: a fresh, built layer, always with the same parameters for one type."""

LENGTHS = (1, 5, 0, 3, 5, 2)  # not sorted, with ties, nothing, one step and all
NO_ID = -1  # what fills the padding of ids, where NaN fills that of numbers


def fill(layer: Any, seed: int = 0) -> Any:
    """Give every parameter random values, biases too, so that no part of an equation is idle.

    Products keep about the size of their vector; other parameters stay near their initial values,
    which equations may need.
    """
    rng = np.random.default_rng(seed)
    for name, value in layer.params.items():
        noise = rng.normal(size=value.shape)
        if name.endswith(("weight_ih", "weight_hh")) or value.shape == value.shape[-1:] * 2:
            layer.params[name] = noise / np.sqrt(1 + value.shape[-1])
        else:
            layer.params[name] = value + (0.3 if value.ndim > 1 else 0.7) * noise
    return layer


@dataclass(frozen=True)
class Data:
    """One batch: input, lengths, initial state, and gradients of output and final state."""

    x: Any  # an array, or of several inputs a tuple
    lengths: Any  # (B,) of int64, or None: all are full; of several inputs a tuple
    state: tuple[np.ndarray, ...]
    dy: np.ndarray
    dstate: tuple[np.ndarray, ...]

    @classmethod
    def draw(cls, layer: Any, lengths: Any = LENGTHS, time: int | None = None, seed: int = 1) -> Data:
        """Random numbers where the sequences are, 0 in the padding."""
        needs(not vectors_only(layer), "it takes vectors, not sequences")
        needs(keeps_steps(layer), "it gives another number of steps than it reads")
        rng = np.random.default_rng(seed)
        lengths = np.array(lengths, np.int64)
        batch, time = len(lengths), int(lengths.max(initial=0)) if time is None else time
        inside = (np.arange(time) < lengths[:, None])[..., None]

        def numbers(*shape: int) -> np.ndarray:
            return rng.normal(size=shape).astype(layer.dtype)

        def steps(features: int) -> np.ndarray:
            return np.where(inside, numbers(batch, time, features), 0).astype(layer.dtype)

        def states() -> tuple[np.ndarray, ...]:
            return tuple(numbers(batch, *shape) for shape in shapes)

        shapes, ids = shapes_of_states(layer), numbers_of_ids(layer)
        x = steps(layer.input_size) if ids is None else rng.integers(0, ids, (batch, time)) * inside[..., 0]
        state = states()
        dy = steps(layer.output_size) if layer.returns_sequences else numbers(batch, layer.output_size)
        return cls(x, lengths, state, dy, states())

    @classmethod
    def vectors(cls, layer: Any, batch: int) -> Data:
        """Random vectors."""
        x = np.random.default_rng(layer.input_size).normal(size=(batch, layer.input_size)).astype(layer.dtype)
        y, _ = layer.forward(x, training=False)
        dy = np.random.default_rng(layer.output_size).normal(size=y.shape).astype(layer.dtype)
        return cls(x, None, (), dy, ())

    def padded(self, more: int, value: float) -> Data:
        """The same sequences with `more` steps of padding and `value` (of ids, none) in all of it."""
        time = self.x.shape[1] + more
        outside = np.arange(time) >= self.lengths[:, None]

        def pad(array: np.ndarray) -> np.ndarray:
            room = np.zeros((len(array), more, *array.shape[2:]), array.dtype)
            longer = np.concatenate([array, room], axis=1)
            longer[outside] = value if array.dtype.kind == "f" else NO_ID
            return longer

        return replace(self, x=pad(self.x), dy=pad(self.dy) if self.dy.ndim == 3 else self.dy)

    def rows(self, rows: Any) -> Data:
        """Some sequences, cut to the longest of them."""
        time = int(self.lengths[rows].max(initial=0))
        return Data(
            self.x[rows][:, :time],
            self.lengths[rows],
            tuple(s[rows] for s in self.state),
            self.dy[rows][:, :time] if self.dy.ndim == 3 else self.dy[rows],
            tuple(d[rows] for d in self.dstate),
        )

    @property
    def inside(self) -> np.ndarray:
        """Which steps are inside their sequence, (B, T)."""
        return np.arange(self.x.shape[1]) < self.lengths[:, None]


def forward(layer: Any, data: Data, training: bool = True) -> tuple[np.ndarray, Any]:
    """Output and cache; the layer's random numbers are put back, so that the next call draws the same."""
    numbers = layer.random_state()
    result: tuple[np.ndarray, Any] = layer.forward(data.x, data.lengths, data.state or None, training=training)
    layer.restore_random_state(numbers)
    return result


def backward(layer: Any, data: Data, cache: Any, input_grad: bool = True) -> dict[str, np.ndarray]:
    """Copies of the gradients of the input and of the initial state."""
    dx, dinitial = layer.backward(data.dy, cache, data.dstate or None, input_grad=input_grad)
    return ({} if dx is None else {"dx": dx.copy()}) | named("dinitial", dinitial)


def run(layer: Any, data: Data) -> dict[str, np.ndarray]:
    """Copies of everything that a forward and a backward call give."""
    layer.zero_grads()
    y, cache = forward(layer, data)
    found = {"y": y.copy()} | named("final", final_state(cache))
    found |= backward(layer, data, cache)
    return found | grads_of(layer)


def infer(layer: Any, data: Data) -> dict[str, np.ndarray]:
    """Copies of what a call gives that keeps nothing for backward."""
    y, cache = forward(layer, data, training=False)
    return {"y": y.copy()} | named("final", final_state(cache))


def grads_of(layer: Any) -> dict[str, np.ndarray]:
    """Copies of the accumulated gradients."""
    return {f"grad {name}": grad.copy() for name, grad in layer.grads.items()}


def named(what: str, arrays: Iterable[np.ndarray]) -> dict[str, np.ndarray]:
    """Copies of states by number."""
    return {f"{what} {i}": array.copy() for i, array in enumerate(arrays)}


def part_of(results: dict[str, np.ndarray], *names: str) -> dict[str, np.ndarray]:
    """The results whose names begin with one of these."""
    return {name: array for name, array in results.items() if name.startswith(names)}


def bytes_of(arrays: Iterable[np.ndarray]) -> list[bytes]:
    """What arrays hold, to see later whether it is still the same."""
    return [array.tobytes() for array in arrays]


def assert_same_bits(found: dict[str, np.ndarray], expected: dict[str, np.ndarray], what: str) -> None:
    """Every array of `expected` is in `found`, bit for bit."""
    for name, array in expected.items():
        assert name in found, f"{what}: {name} is missing"
        other = found[name]
        assert other.shape == array.shape, f"{what}: {name} has shape {other.shape}, not {array.shape}"
        assert other.dtype == array.dtype, f"{what}: {name} has dtype {other.dtype}, not {array.dtype}"
        if np.ascontiguousarray(other).tobytes() != np.ascontiguousarray(array).tobytes():
            raise AssertionError(f"{what}: {name} differs by up to {np.abs(other - array).max():.3g}")


def assert_close(found: np.ndarray, expected: np.ndarray, tolerance: float, what: str, smallest: float = 1.0) -> None:
    """The greatest error is at most `tolerance` times the greatest number (or `smallest`)."""
    assert found.shape == expected.shape, f"{what}: shape {found.shape}, not {expected.shape}"
    if expected.size:
        error = np.abs(found - expected).max() / max(smallest, np.abs(expected).max())
        assert error <= tolerance, f"{what}: relative error {error:.1e} is above {tolerance:.1e}"
