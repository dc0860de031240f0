"""A case made ready: seqkit's layer, its data, and the call that is timed.

``benchmarks/`` runs this file with other versions of seqkit: it uses nothing but `create` and
the contract of a layer, and its numbers come from its own generator, not from initializers.

Legend: B batch, T time, I input features, H units, D directions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from seqkit import registry

if TYPE_CHECKING:
    from seqkit.bench.cases import Case
    from seqkit.layer import Layer, State
    from seqkit.recurrent import Recurrent

Arrays = dict[str, np.ndarray]

CHECKED_STEPS = 8
"""Steps of a stream that are compared before one is timed."""


class Workload:
    """The layer of a case with random weights and data.

    Attributes
    ----------
    x : ndarray (B, T, I)
        Input, 0 past the end of a sequence; a stream has some steps to compare, of which the first is timed.
    dy : ndarray (B, T, D*H)
        Gradient of the output, for training.
    lengths : ndarray (B,) or None
        Steps of each sequence that are compared; None where all are full.
    run : callable
        The call that is timed.
    """

    def __init__(self, case: Case, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        layer = registry.create(case.cell, case.units, return_sequences=True)
        if case.directions == 2:
            layer = registry.create("bidirectional", layer)
        self.case = case
        self.layer: Layer = layer.build(case.features, 0, case.dtype)
        limit = case.units**-0.5
        with self.layer.params.editing() as arrays:
            for name in sorted(arrays):
                arrays[name][...] = rng.uniform(-limit, limit, arrays[name].shape)
        if case.precision != case.dtype:
            self.layer = self.layer.quantize(case.precision)
        time = CHECKED_STEPS if case.mode in ("step", "streams") else case.time
        self.lengths, self.ticks = case.lengths, None
        if case.mode == "streams":
            from seqkit.bench.ticks import draw_ticks

            self.ticks, self.lengths = draw_ticks(case.batch, time)
        self.x, self.dy = (self._draw(rng, (case.batch, time, n)) for n in (case.features, layer.output_size))
        self._state: State | None = None
        calls: dict[str, Callable[[], object]] = {"infer": self._infer, "train": self._train, "step": self._step}
        self.run = calls[case.mode] if self.ticks is None else self._streams()[1]

    def _draw(self, rng: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
        """Random numbers inside the sequences, 0 past their ends."""
        array = rng.standard_normal(shape).astype(self.case.dtype)
        if self.lengths is not None:
            array[np.arange(shape[1]) >= self.lengths[:, None]] = 0
        return array

    @property
    def directions(self) -> dict[str, Recurrent]:
        """The layer that reads from the start and, if there are two, the one that reads from the end."""
        layer: Any = self.layer
        if self.case.directions == 1:
            return {"forward": layer}
        return {"forward": layer.forward_layer, "backward": layer.backward_layer}

    @property
    def inputs(self) -> Arrays:
        """What a peer is given: x, dy, lengths or ticks if there are any, and every parameter as ``direction.name``."""
        more = {name: array for name in ("lengths", "ticks") if (array := getattr(self, name)) is not None}
        return {"x": self.x, "dy": self.dy} | more | self._by_direction(self.layer.params)

    def results(self) -> Arrays:
        """What is compared before anything is timed: y and, in training, gradients as ``direction.name``."""
        if self.case.mode == "train":
            return self.gradients(self.dy)
        if self.case.mode == "infer":
            return {"y": self._infer()}
        if self.case.mode == "streams":
            return {"y": self._streams()[0]}
        state, outputs = None, []
        for t in range(CHECKED_STEPS):
            y, state = self.layer.step(self.x[:, t], state)
            outputs.append(y)
        return {"y": np.stack(outputs, axis=1)}

    def gradients(self, dy: np.ndarray) -> Arrays:
        """y, and the gradient of every parameter for this gradient of y."""
        y = self._train(dy)
        return {"y": y} | {name: grad.copy() for name, grad in self._by_direction(self.layer.grads).items()}

    def _by_direction(self, arrays: Mapping[str, np.ndarray]) -> Arrays:
        prefix = "" if self.case.directions == 2 else "forward."
        return {prefix + name: array for name, array in arrays.items()}

    def _infer(self) -> np.ndarray:
        y: np.ndarray = self.layer(self.x, self.lengths)
        return y

    def _train(self, dy: np.ndarray | None = None) -> np.ndarray:
        with self.layer.params.editing():
            pass  # as an optimizer would: weights must be packed anew
        self.layer.zero_grads()
        y, cache = self.layer.forward(self.x, self.lengths, training=True)
        self.layer.backward(self.dy if dy is None else dy, cache, input_grad=False)
        return y

    def _streams(self) -> tuple[np.ndarray, Callable[[], object]]:
        """Outputs of the ticks that are compared, and what plays another."""
        from seqkit.bench.ticks import play

        assert self.ticks is not None
        pool = self.layer.streams(self.case.batch)
        opened = np.array([pool.open() for _ in range(self.case.batch)])
        y = np.zeros_like(self.dy)
        return y, play(pool.feed, opened[self.ticks], self.x, y)

    def _step(self) -> None:
        _, self._state = self.layer.step(self.x[:, 0], self._state)
