"""Layers that are right, of which the broken ones are made, and the list of those."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from checks.plain import PlainRNN
from seqkit.layer import Layer, State, final_state
from seqkit.sequences import as_sequences, as_vectors, valid_steps
from seqkit.wrapper import Wrapper

BROKEN: dict[type[Layer], str] = {}
"""The check that each one fails."""


def name_of(broken: type[Layer]) -> str:
    """The name under which a test registers it."""
    return f"broken_{broken.__name__.lower()}"


def breaks(check: str) -> Callable[[type[Any]], type[Any]]:
    """Class decorator: the check that finds this one."""

    def add(cls: type[Any]) -> type[Any]:
        BROKEN[cls] = check
        return cls

    return add


class Plain(PlainRNN):
    """h_t = tanh(W x_t + b + U h_{t-1}), with an option for the size of x."""

    def __init__(
        self, units: int, scale: float = 1.0, return_sequences: bool = True, go_backwards: bool = False
    ) -> None:
        super().__init__(units, return_sequences, go_backwards)
        self.scale = scale

    def config(self) -> dict[str, Any]:
        return {"scale": self.scale, **super().config()}


@dataclass
class ResidualCache:
    """The cache of the layer inside, and which steps there are."""

    inner: Any
    inside: np.ndarray | None
    state: State


class Residual(Wrapper):
    """y = x + layer(x), whatever the layer is."""

    def forward(self, x: Any, lengths: Any = None, state: Any = None, training: bool = True) -> tuple[Any, Any]:
        x = as_sequences(x, self.dtype, self.name, self.input_size)
        y, cache = self.layer.forward(x, lengths, state, training)
        inside = valid_steps(lengths, *x.shape[:2])
        return y + _inside(x, inside), ResidualCache(cache, inside, final_state(cache))

    def backward(self, dy: Any, cache: Any, dstate: State | None = None, input_grad: bool = True) -> tuple[Any, State]:
        dx, dinitial = self.layer.backward(dy, cache.inner, dstate, input_grad)
        return (None if dx is None else dx + _inside(dy, cache.inside)), dinitial


def _inside(steps: np.ndarray, inside: np.ndarray | None) -> np.ndarray:
    return np.ascontiguousarray(steps if inside is None else np.where(inside[..., None], steps, 0))


class Scale(Layer):
    """y = w * x, for every step or for a vector."""

    def _build(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        return {"weight": rng.normal(size=self.input_size)}

    def forward(self, x: Any, lengths: Any = None, state: Any = None, training: bool = True) -> tuple[Any, Any]:
        x = np.asarray(x, self.dtype)
        inside = None if x.ndim == 2 else valid_steps(lengths, *x.shape[:2])
        x = _inside(x, inside)
        return self.params["weight"] * x, (x, inside)

    def backward(self, dy: Any, cache: Any, dstate: Any = None, input_grad: bool = True) -> tuple[Any, State]:
        x, inside = cache
        dy = _inside(dy, inside)
        self.grads["weight"] += (dy * x).reshape(-1, self.input_size).sum(axis=0)
        return (self.params["weight"] * dy if input_grad else None), ()


class Norm(Layer):
    """y = w |x|^2, of vectors only."""

    def _build(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        return {"weight": rng.normal(size=1)}

    @property
    def output_size(self) -> int:
        return 1

    def forward(self, x: Any, lengths: Any = None, state: Any = None, training: bool = True) -> tuple[Any, Any]:
        x = as_vectors(x, self.dtype, self.name, self.input_size)
        return self.params["weight"] * (x * x).sum(axis=1, keepdims=True), x

    def backward(self, dy: Any, x: Any, dstate: Any = None, input_grad: bool = True) -> tuple[Any, State]:
        self.grads["weight"] += (dy * (x * x).sum(axis=1, keepdims=True)).sum()
        return (2 * self.params["weight"] * dy * x if input_grad else None), ()


RIGHT = {"right_plain": Plain, "right_wrapper": Residual, "right_scale": Scale, "right_vectors": Norm}
"""By the names under which a test registers them."""
