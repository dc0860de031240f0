"""Layers that are wrong about rows and time."""

from __future__ import annotations

from typing import Any

import numpy as np

import seqkit
from checks.broken.right import Norm, Plain, Scale, breaks

# ---- rows ----------------------------------------------------------------------------------------


@breaks("check_lengths")
class IgnoresLengths(Plain):
    """Every sequence ends where the array ends."""

    def forward(self, x: Any, lengths: Any = None, *arguments: Any, **options: Any) -> Any:
        return super().forward(x, None, *arguments, **options)


@breaks("check_nan_in_one_sequence")
class NormalizesTheBatch(Plain):
    """NaN in one sequence is NaN in all."""

    def forward(self, x: Any, *arguments: Any, **options: Any) -> Any:
        y, cache = super().forward(x, *arguments, **options)
        return y + 0 * y.sum(), cache


@breaks("check_length_zero")
class NothingBecomesZero(Plain):
    """The final state of a sequence of no steps is 0."""

    def forward(self, x: Any, lengths: Any = None, *arguments: Any, **options: Any) -> Any:
        y, cache = super().forward(x, lengths, *arguments, **options)
        if lengths is not None:
            cache.state[0][np.asarray(lengths) == 0] = 0
        return y, cache


@breaks("check_length_one")
class ShortCut(Plain):
    """Sequences on a time axis of one step have a path of their own."""

    def forward(self, x: Any, *arguments: Any, **options: Any) -> Any:
        y, cache = super().forward(x, *arguments, **options)
        return (y * y.dtype.type(1.001) if np.shape(x)[1] == 1 else y), cache


@breaks("check_empty_batch")
class NeedsARow(Plain):
    """Looks for the largest number of all, which nothing has."""

    def forward(self, x: Any, *arguments: Any, **options: Any) -> Any:
        y, cache = super().forward(x, *arguments, **options)
        return y + 0 * y.dtype.type(len(y[0])), cache


@breaks("check_no_steps")
class NeedsAStep(Plain):
    """Looks at the first step."""

    def forward(self, x: Any, *arguments: Any, **options: Any) -> Any:
        y, cache = super().forward(x, *arguments, **options)
        return y + 0 * y[:, :1].max(axis=1, keepdims=True), cache


@breaks("check_vectors")
class OtherVectors(Scale):
    """Another formula for vectors."""

    def forward(self, x: Any, *arguments: Any, **options: Any) -> Any:
        y, cache = super().forward(x, *arguments, **options)
        return (2 * y if np.ndim(x) == 2 else y), cache


@breaks("check_vectors")
class HalfAGradient(Norm):
    """Half of the gradient of a vector."""

    def backward(self, dy: Any, *arguments: Any, **options: Any) -> Any:
        return super().backward(dy / 2, *arguments, **options)


# ---- time ----------------------------------------------------------------------------------------


@breaks("check_initial_state")
class IgnoresTheState(Plain):
    """Begins with 0."""

    def forward(self, x: Any, lengths: Any = None, state: Any = None, training: bool = True) -> Any:
        return super().forward(x, lengths, None, training)


@breaks("check_split_in_time")
class RoundsTheState(Plain):
    """A state that is handed over is rounded."""

    def forward(self, x: Any, lengths: Any = None, state: Any = None, training: bool = True) -> Any:
        state = state and tuple(s.astype("f2") for s in state)
        return super().forward(x, lengths, state, training)


@breaks("check_causality")
class LooksAhead(Plain):
    """The mean over all steps is taken away."""

    def forward(self, x: Any, lengths: Any = None, *arguments: Any, **options: Any) -> Any:
        y, cache = super().forward(x, lengths, *arguments, **options)
        return y - y.mean(axis=1, keepdims=True), cache


@breaks("check_steps")
class OtherStep(Plain):
    """A step computes something else."""

    def step(self, x_t: Any, state: Any = None) -> Any:
        y, after = super().step(x_t, state)
        return y * y.dtype.type(1 + 1e-6), after


@breaks("check_stateful")
class NeverForgets(seqkit.GRU):
    """Carries its state whatever it is told."""

    def reset_states(self) -> None:
        pass
