"""A case made ready: seqkit's layer, its data, and the call that is timed.

Legend: B batch, T time, I input features, H units, D directions.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from seqkit import registry
from seqkit.bench.cases import Case
from seqkit.layer import Layer, State
from seqkit.recurrent import Recurrent

Arrays = dict[str, np.ndarray]

CHECKED_STEPS = 4
"""Steps of a stream that are compared before one is timed."""


class Workload:
    """The layer of a case with random weights and data, the same for every competitor.

    Attributes
    ----------
    x : ndarray (B, T, I)
        Input; a stream has some steps to compare, of which the first is timed.
    dy : ndarray (B, T, D*H)
        Gradient of the output, for training.
    """

    def __init__(self, case: Case, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        layer = registry.create(case.cell, case.units, return_sequences=True)
        if case.bidirectional:
            layer = registry.create("bidirectional", layer)
        self.case = case
        self.layer: Layer = layer.build(case.features, rng, case.dtype)
        time = CHECKED_STEPS if case.mode == "step" else case.time
        self.x = rng.standard_normal((case.batch, time, case.features)).astype(case.dtype)
        self.dy = rng.standard_normal((case.batch, time, layer.output_size)).astype(case.dtype)
        self._state: State | None = None

    @cached_property
    def directions(self) -> dict[str, Recurrent]:
        """The layer of each direction."""
        parts = ("forward", "backward") if self.case.bidirectional else ()
        layers = {part: getattr(self.layer, f"{part}_layer") for part in parts}
        return layers or {"forward": self.layer}  # type: ignore[dict-item]

    @property
    def inputs(self) -> Arrays:
        """What a peer is given: x, dy and every parameter as ``direction.name``."""
        return {"x": self.x, "dy": self.dy} | {
            f"{direction}.{name}": array
            for direction, layer in self.directions.items()
            for name, array in layer.params.items()
        }

    def results(self) -> Arrays:
        """What is compared before anything is timed: y and, in training, gradients as ``direction.name``."""
        if self.case.mode == "train":
            return self.gradients(self.dy)
        if self.case.mode == "infer":
            return {"y": self.layer(self.x)}
        state, rows = None, []
        for t in range(CHECKED_STEPS):
            y, state = self.layer.step(self.x[:, t], state)
            rows.append(y)
        return {"y": np.stack(rows, axis=1)}

    def gradients(self, dy: np.ndarray) -> Arrays:
        """y, and the gradient of every parameter for this gradient of y."""
        self.layer.zero_grads()
        y, cache = self.layer.forward(self.x, training=True)
        self.layer.backward(dy, cache, input_grad=False)
        return {"y": y} | {
            f"{direction}.{name}": array.copy()
            for direction, layer in self.directions.items()
            for name, array in layer.grads.items()
        }

    def run(self) -> None:
        """The call that is timed."""
        if self.case.mode == "infer":
            self.layer(self.x)
        elif self.case.mode == "step":
            _, self._state = self.layer.step(self.x[:, 0], self._state)
        else:
            self.layer.zero_grads()
            _, cache = self.layer.forward(self.x, training=True)
            self.layer.backward(self.dy, cache, input_grad=False)
