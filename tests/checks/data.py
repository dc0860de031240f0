"""Layers with random parameters, batches for them, and what a call gives.

Legend: B batch, T time, I input features, H units.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

Make = Callable[..., Any]
LENGTHS = (1, 5, 0, 3, 5, 2)  # not sorted, with ties, nothing, one step and all


def fill(layer: Any, seed: int = 0) -> Any:
    """Give every parameter random values; biases too, so that no part of an equation is idle."""
    rng = np.random.default_rng(seed)
    for name, value in layer.params.items():
        matrix = name.endswith(("weight_ih", "weight_hh")) or value.shape == value.shape[-1:] * 2
        layer.params[name] = rng.normal(size=value.shape) / np.sqrt(1 + value.shape[1] if matrix else 2)
    return layer


@dataclass(frozen=True)
class Data:
    """One batch: input, lengths, initial state, and gradients of output and final state."""

    x: np.ndarray
    lengths: np.ndarray
    state: tuple[np.ndarray, ...]
    dy: np.ndarray
    dstate: tuple[np.ndarray, ...]

    @classmethod
    def draw(cls, layer: Any, lengths: Any = LENGTHS, time: int | None = None, seed: int = 1) -> Data:
        """Random numbers where the sequences are, 0 in the padding."""
        rng = np.random.default_rng(seed)
        lengths = np.array(lengths, np.int64)
        batch, time = len(lengths), int(lengths.max()) if time is None else time
        inside = (np.arange(time) < lengths[:, None])[..., None]

        def numbers(*shape: int) -> np.ndarray:
            return rng.normal(size=shape).astype(layer.dtype)

        def states() -> tuple[np.ndarray, ...]:
            return tuple(numbers(batch, units) for _, units in states_of(layer))

        x, dy = numbers(batch, time, layer.input_size), numbers(batch, time, layer.output_size)
        return cls(
            np.where(inside, x, 0).astype(layer.dtype),
            lengths,
            states(),
            np.where(inside, dy, 0).astype(layer.dtype),
            states(),
        )

    def padded(self, more: int, value: float) -> Data:
        """The same sequences with `more` steps of padding and `value` in all of it."""
        time = self.x.shape[1] + more
        outside = np.arange(time) >= self.lengths[:, None]

        def pad(array: np.ndarray) -> np.ndarray:
            longer = np.concatenate([array, np.zeros((len(array), more, array.shape[2]), array.dtype)], axis=1)
            longer[outside] = value
            return longer

        return replace(self, x=pad(self.x), dy=pad(self.dy))

    def rows(self, rows: Any) -> Data:
        """Some sequences, cut to the longest of them."""
        time = int(self.lengths[rows].max(initial=0))
        return Data(
            self.x[rows][:, :time],
            self.lengths[rows],
            tuple(s[rows] for s in self.state),
            self.dy[rows][:, :time],
            tuple(d[rows] for d in self.dstate),
        )


def states_of(layer: Any) -> list[tuple[str, int]]:
    """Name and units of every state; those of both directions, where there are two."""
    if hasattr(layer, "forward_layer"):
        return states_of(layer.forward_layer) + states_of(layer.backward_layer)
    return [(name, layer.units) for name in layer.cell.states]


def run(layer: Any, data: Data) -> dict[str, np.ndarray]:
    """Copies of everything that a forward and a backward call give."""
    layer.zero_grads()
    y, cache = layer.forward(data.x, data.lengths, data.state, training=True)
    found = {"y": y.copy()} | named("final", [state.copy() for state in cache.state])
    dx, dinitial = layer.backward(data.dy, cache, data.dstate)
    found |= {"dx": dx.copy()} | named("dinitial", [gradient.copy() for gradient in dinitial])
    return found | {f"grad {name}": grad.copy() for name, grad in layer.grads.items()}


def named(what: str, arrays: Any) -> dict[str, np.ndarray]:
    """States by number."""
    return {f"{what} {i}": array for i, array in enumerate(arrays)}


def assert_same_bits(found: dict[str, np.ndarray], expected: dict[str, np.ndarray], what: str) -> None:
    """Every array of `expected` is in `found`, bit for bit."""
    for name, array in expected.items():
        assert found[name].shape == array.shape, f"{what}: {name} has shape {found[name].shape}, not {array.shape}"
        same = np.ascontiguousarray(found[name]).tobytes() == np.ascontiguousarray(array).tobytes()
        assert same, f"{what}: {name} differs by up to {np.abs(found[name] - array).max()}"


def assert_close(found: np.ndarray, expected: np.ndarray, tolerance: float, what: str, smallest: float = 1.0) -> None:
    """The greatest error is at most `tolerance` times the greatest number (or `smallest`)."""
    assert found.shape == expected.shape, f"{what}: shape {found.shape}, not {expected.shape}"
    if expected.size:
        error = np.abs(found - expected).max() / max(smallest, np.abs(expected).max())
        assert error <= tolerance, f"{what}: relative error {error:.1e} is above {tolerance:.1e}"
