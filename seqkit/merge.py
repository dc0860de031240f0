"""Layers that make one array of several, step by step.

Legend: B batch, T time, F features, N valid steps (or vectors), n number of inputs.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from seqkit.errors import ConfigError, ShapeError
from seqkit.inputs import Inputs
from seqkit.layer import Layer, State
from seqkit.steps import Steps


class Merge(Layer):
    """Base class of layers with any number of inputs, two at least, which have the same steps.

    A subclass defines `_merged` and `_parts` on the valid steps (or vectors) of all inputs.
    """

    inputs: tuple[str, ...] = ("first", "second")
    same_features = True
    """Whether all inputs must have the same number of features."""

    def _checked_sizes(self, input_size: Any) -> tuple[int, ...]:
        if isinstance(input_size, tuple) and len(input_size) > 1 and not self.built:
            self.inputs = tuple(f"input {number}" for number in range(1, len(input_size) + 1))
        sizes = super()._checked_sizes(input_size)
        if self.same_features and len(set(sizes)) > 1:
            raise ConfigError(f"{self.name}: all inputs must have the same number of features, got {sizes}.")
        return sizes

    @abstractmethod
    def _merged(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        """One array (N, F) of those of all inputs."""

    @abstractmethod
    def _parts(self, dy: np.ndarray, rows: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        """The gradients of all inputs from that of the output, (N, F)."""

    def forward(
        self, x: Any, lengths: Any = None, state: State | None = None, training: bool = True
    ) -> tuple[np.ndarray, Any]:
        """What the inputs, a tuple, are together; one array is every input."""
        self._require_built()
        given = Inputs.of(x, lengths, self.inputs, self.name)
        steps = Steps.of(np.shape(given.arrays[0])[:-1], given.lengths[0], self.dtype, self.name)
        for name, ends in zip(self.inputs, given.lengths, strict=True):
            if not _equal(ends, given.lengths[0], steps.leading):
                raise ShapeError(f"{self.name}: {name} has other lengths than {self.inputs[0]}.")
        named = zip(given.arrays, self.input_sizes, self.inputs, strict=True)
        rows = [steps.rows(array, size, name) for array, size, name in named]
        return steps.spread(self._merged(rows)), ((given, steps, rows) if training else None)

    def backward(
        self, dy: np.ndarray, cache: Any, dstate: State | None = None, input_grad: bool = True
    ) -> tuple[Any, State]:
        """The gradients of all inputs as a tuple, or their sum where one array was given."""
        if not input_grad:
            return None, ()
        given, steps, rows = cache
        parts = self._parts(steps.rows(dy, self.output_size, "dy"), rows)
        return given.gradient([steps.spread(part) for part in parts]), ()


def _equal(lengths: Any, others: Any, leading: tuple[int, ...]) -> bool:
    """Whether lengths, of which None is all of them full, are the same."""
    full = np.broadcast_to(leading[-1], leading[:1])
    one, two = (full if ends is None else ends for ends in (lengths, others))
    return one is two or np.array_equal(one, two)
