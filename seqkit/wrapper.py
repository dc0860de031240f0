"""A layer around another one: what a model asks of the inner layer goes through.

Legend: B batch, T time, F features.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from seqkit import generators
from seqkit.errors import ConfigError
from seqkit.layer import Layer, State
from seqkit.parameters import JoinedParameters, Parameters
from seqkit.registry import from_spec, spec


class Wrapper(Layer):
    r"""Base class of layers that run another layer and change what goes in or comes out.

    A subclass writes `forward` and `backward` with calls of those of ``self.layer``; the cache of
    one around a layer with state has its ``state``.  Everything else is passed on: building,
    parameters and gradients (called ``layer.name``), random numbers, the state that a stateful
    layer carries, precision, memory budgets, the size of the output.

    A wrapper's own parameters are what its `_build` returns after ``super()._build(rng)``; they are
    called ``own.name`` in `params` and `grads`.  Options of its own are added to ``super().config()``.

    Parameters
    ----------
    layer : Layer
        The inner layer, by preference not built.

    Attributes
    ----------
    layer : Layer

    Raises
    ------
    ConfigError
        If `layer` is not a layer.

    Examples
    --------
    :math:`y = -f(x)` for any layer f:

    >>> import numpy as np
    >>> import seqkit
    >>> class Negative(Wrapper):
    ...     name = "negative"
    ...     def forward(self, x, lengths=None, state=None, training=True):
    ...         y, cache = self.layer.forward(x, lengths, state, training)
    ...         return -y, cache
    ...     def backward(self, dy, cache, dstate=None, input_grad=True):
    ...         return self.layer.backward(-dy, cache, dstate, input_grad)
    >>> layer = Negative(seqkit.GRU(4)).build(3, seed=0)
    >>> x = np.random.default_rng(0).standard_normal((2, 5, 3), dtype=np.float32)
    >>> bool((layer(x) == -layer.layer(x)).all()), "layer.weight_ih" in layer.params
    (True, True)
    """

    name = "wrapper"

    def __init__(self, layer: Layer) -> None:
        if not isinstance(layer, Layer):
            raise ConfigError(f"{self.name}: a layer such as seqkit.LSTM(64) was expected, got {layer!r}.")
        self.layer, self.inputs = layer, layer.inputs
        self.input_shape, self.accepts_ids, self.stateful = layer.input_shape, layer.accepts_ids, layer.stateful

    def config(self) -> dict[str, Any]:
        """The inner layer by name and configuration."""
        return {"layer": spec(self.layer)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """An unbuilt layer with this configuration."""
        return cls(**(config | {"layer": from_spec(config["layer"])}))

    def __repr__(self) -> str:
        options = (f", {key}={value!r}" for key, value in self.config().items() if key != "layer")
        return f"{type(self).__name__}({self.layer!r}{''.join(options)})"

    @property
    def output_size(self) -> int:
        """Number of output features of the inner layer."""
        return self.layer.output_size

    @property
    def returns_sequences(self) -> bool:
        """As the inner layer does."""
        return self.layer.returns_sequences

    @property
    def reads_backwards(self) -> bool:
        """As the inner layer does."""
        return self.layer.reads_backwards

    @property
    def ids_of_inputs(self) -> tuple[bool, ...]:
        """As of the inner layer."""
        return self.layer.ids_of_inputs

    def output_lengths(self, lengths: Any) -> np.ndarray | None:
        """As the inner layer does."""
        return self.layer.output_lengths(lengths)

    def inner(self) -> tuple[Layer, ...]:
        """The inner layer."""
        return (self.layer,)

    # ---- parameters --------------------------------------------------------------------------

    def _build(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        self.layer.build(self.input_sizes, rng, self.dtype.name)
        return {}

    def _set_params(self, arrays: dict[str, np.ndarray]) -> None:
        super()._set_params(arrays)
        self._join(self.params, self.grads)

    def _join(self, own: Parameters | JoinedParameters, grads: Mapping[str, np.ndarray]) -> None:
        """Show the wrapper's own parameters and gradients and those of the inner layer as one."""
        self._own = own
        self.params = JoinedParameters({"layer": self.layer.params, "own": own})
        parts = {"layer": self.layer.grads, "own": grads}
        self.grads = {f"{part}.{key}": grad for part, found in parts.items() for key, grad in found.items()}

    @property
    def precision(self) -> str:
        """What products of the inner layer are computed in."""
        return self.layer.precision

    def _quantized(self, precision: str | None) -> Self:
        inner = self.layer._quantized(precision)
        if inner is self.layer:
            return self
        layer = copy.copy(self)
        layer.layer = inner
        layer._join(self._own, {key: np.zeros_like(array) for key, array in self._own.items()})
        return layer

    # ---- what layers carry from call to call -------------------------------------------------

    @property
    def _state(self) -> State | None:
        return self.layer._state

    @_state.setter
    def _state(self, state: State | None) -> None:
        self.layer._state = state

    def random_state(self) -> dict[str, int]:
        """Where the inner layer's and the wrapper's own sources of random numbers stand."""
        return generators.join({"layer": self.layer.random_state(), "own": super().random_state()})

    def restore_random_state(self, state: Mapping[str, int]) -> None:
        """Go on drawing from where :meth:`random_state` was asked."""
        self.layer.restore_random_state(generators.part(state, "layer"))
        super().restore_random_state(generators.part(state, "own"))

    def release_memory(self) -> None:
        """Free the working memory of the inner layer."""
        self.layer.release_memory()
