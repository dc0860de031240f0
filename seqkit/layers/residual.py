"""A layer, and a way around it.

Legend: B batch, T time, F features.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from seqkit.errors import ConfigError
from seqkit.inputs import Inputs, first
from seqkit.layer import Layer, State, final_state
from seqkit.steps import Steps
from seqkit.wrapper import Wrapper


class Cache(NamedTuple):
    """What the way back needs, and the final state of the inner layer."""

    inner: Any
    steps: Steps
    alone: bool

    @property
    def state(self) -> State:
        """Of the inner layer."""
        return final_state(self.inner)


class Residual(Wrapper):
    r"""What a layer gives, added to what it was given: :math:`y = x + f(x)`.

    So gradients have a way around the layer, and a layer that gives 0 changes nothing.  Of a layer with several
    inputs, such as attention, the first one goes around: :math:`y = q + f(q, m)`.  Streams, states and lengths are
    those of the inner layer.

    Parameters
    ----------
    layer : Layer
        A layer with as many features and steps behind it as before it.

    Raises
    ------
    ConfigError
        If features or steps are not the same, or ids come in.

    References
    ----------
    He, Zhang, Ren and Sun, "Deep residual learning for image recognition", CVPR 2016.

    Examples
    --------
    >>> import numpy as np
    >>> import seqkit
    >>> layer = Residual(seqkit.Dense(2)).build(2, dtype="float64")
    >>> layer.params["layer.weight"] = [[0.0, 1.0], [0.0, 0.0]]
    >>> layer(np.array([[5.0, 7.0]])).tolist()
    [[12.0, 7.0]]
    """

    name = "residual"

    def __init__(self, layer: Layer) -> None:
        super().__init__(layer)
        if self.ids_of_inputs[0]:
            raise ConfigError(f"{self.name}: {layer!r} takes ids, to which nothing can be added.")
        if not layer.returns_sequences:
            raise ConfigError(
                f"{self.name}: {layer!r} gives one vector for a sequence, which cannot be added to its steps; "
                f"give it return_sequences=True where it has that."
            )

    def _build(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        own = super()._build(rng)
        if self.layer.output_size != self.input_size:
            raise ConfigError(
                f"{self.name}: {self.layer.name} makes {self.layer.output_size} features of {self.input_size}, which "
                f"cannot be added; let it give {self.input_size}, or put a Dense({self.layer.output_size}) before."
            )
        return own

    def forward(
        self, x: Any, lengths: Any = None, state: State | None = None, training: bool = True
    ) -> tuple[np.ndarray, Cache]:
        """The sum, and a cache with the inner layer's `state`."""
        self._require_built()
        given = Inputs.of(x, lengths, self.inputs, self.name)
        around = first(given.arrays)
        steps = Steps.of(np.shape(around)[:-1], first(given.lengths), self.dtype, self.name)
        rows = steps.rows(around, self.input_size)
        y, cache = self.layer.forward(x, lengths, state, training)
        if y.shape[:-1] != steps.leading:
            raise ConfigError(
                f"{self.name}: {self.layer.name} gives {y.shape} for {np.shape(around)}, which cannot be added; it "
                f"must give as many steps as it is given, as with padding='same' or 'causal' and strides of 1."
            )
        return steps.spread(rows + steps.pick(y)), Cache(cache, steps, given.alone)

    def backward(
        self, dy: np.ndarray, cache: Cache, dstate: State | None = None, input_grad: bool = True
    ) -> tuple[Any, State]:
        """Gradient of the input, or of all inputs, and of the initial state; adds to `grads`."""
        parts: Any
        parts, dinitial = self.layer.backward(dy, cache.inner, dstate, input_grad)
        if not input_grad:
            return None, dinitial
        around = cache.steps.spread(cache.steps.rows(dy, self.output_size, "dy"))
        if cache.alone:
            return parts + around, dinitial
        return (parts[0] + around, *parts[1:]), dinitial

    def step(self, x_t: Any, state: State | None = None) -> tuple[np.ndarray, State]:
        """One step of a stream."""
        self._require_built()
        y_t, after = self.layer.step(x_t, state)
        return y_t + np.asarray(first(x_t), self.dtype), after
