"""How exact results are: float32 against the same equations in float64.  A faster kernel must not raise these."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .bench import known
from .common import ACTIVATIONS, CELLS

BATCH, TIME, FEATURES, UNITS = 2, 6, 2, 3
STEP = 1e-5
"""Of the differences that gradients are compared with: their error, of some 1e-10, is far below float32's."""
SPREAD = 8.0
"""Inputs of activations reach from -8 to 8, where neither tanh nor sigmoid has come to rest."""


class Cells:
    """Outputs and gradients of a small layer, relative to the largest number of each array."""

    params = (CELLS,)
    param_names = ("cell",)

    def setup(self, cell: str) -> None:
        from seqkit import registry

        rng = np.random.default_rng(0)
        with known():
            self.layer = registry.create(cell, UNITS, return_sequences=True).build(FEATURES, 0, "float32")
        with self.layer.params.editing() as arrays:
            for name in sorted(arrays):
                arrays[name][...] = rng.normal(0, 0.5, arrays[name].shape)
        self.x = rng.standard_normal((BATCH, TIME, FEATURES)).astype("float32")
        self.dy = rng.standard_normal(self.layer(self.x).shape).astype("float32")
        self.exact = {name: array.astype("float64") for name, array in self.layer.params.items()}

    def track_output_error(self, cell: str) -> float:
        return relative(self.layer(self.x), self._outputs())

    def track_gradient_error(self, cell: str) -> float:
        self.layer.zero_grads()
        _, cache = self.layer.forward(self.x, training=True)
        self.layer.backward(self.dy, cache)
        return max(relative(grad, self._slopes(name)) for name, grad in self.layer.grads.items())

    track_output_error.unit = track_gradient_error.unit = "of the largest number"

    def _outputs(self) -> np.ndarray:
        from seqkit.equations import run_reference

        return run_reference(self.layer.cell, self.exact, self.x.astype("float64"))[0]

    def _slopes(self, name: str) -> np.ndarray:
        """Gradient of sum(dy * y) by central differences."""
        array = self.exact[name]
        return np.array([self._slope(array, place) for place in np.ndindex(array.shape)]).reshape(array.shape)

    def _slope(self, array: np.ndarray, place: tuple[int, ...]) -> float:
        kept, losses = array[place], []
        for move in (STEP, -STEP):
            array[place] = kept + move
            losses.append(float((self.dy * self._outputs()).sum()))
        array[place] = kept
        return (losses[0] - losses[1]) / (2 * STEP)


class Activations:
    """The engine's functions at 100,001 points, in units in the last place of float32."""

    params = (ACTIVATIONS,)
    param_names = ("function",)

    def track_largest_error(self, function: str) -> float:
        x = np.linspace(-SPREAD, SPREAD, 100_001, dtype="float32")
        exact = EXACT[function](x.astype("float64"))
        ulp = np.spacing(np.abs(exact).astype("float32")).astype("float64")
        return float((np.abs(alone(function)(x[:, None, None])[:, 0, 0] - exact) / ulp).max())

    track_largest_error.unit = "ULP"


EXACT: dict[str, Callable[[np.ndarray], np.ndarray]] = {"tanh": np.tanh, "sigmoid": lambda x: 1 / (1 + np.exp(-x))}


def alone(function: str) -> Any:
    """A layer whose first step is nothing but the function: its products multiply by 1 and add 0."""
    from seqkit import registry

    layer = registry.create("simple_rnn", 1, activation=function, return_sequences=True).build(1, 0, "float32")
    with layer.params.editing() as arrays:
        for name, array in arrays.items():
            array[...] = name == "weight_ih"
    return layer


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference, relative to the largest number expected."""
    return float(np.abs(found - expected).max() / np.abs(expected).max())
