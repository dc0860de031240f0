"""Layers one after the other.

Legend: B batch, T time, F features.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from seqkit import generators
from seqkit.arrays import as_array
from seqkit.chain import chains, run_chain
from seqkit.errors import ConfigError, NotBuiltError, ShapeError
from seqkit.layer import Layer, State, lengths_after
from seqkit.parameters import JoinedParameters
from seqkit.parts import Parts, sequence_of, twice
from seqkit.streams import Streams


class Stack(Parts):
    """The output of every layer is the input of the next.

    Parameters
    ----------
    layers : iterable of Layer, optional
        The first layers; :meth:`add` appends more.
    seed : int, optional
        Source of all randomness: initial values, dropout, order of the samples.  Without one it
        is different every time.
    dtype : {"float32", "float64"}
        Type of parameters and results.

    Attributes
    ----------
    layers : list of Layer
    metadata : dict
        Notes of whoever uses the model, as values that JSON can hold; saved and loaded with it.
    """

    name = "stack"

    def __init__(self, layers: Iterable[Layer] | None = None, seed: int | None = None, dtype: str = "float32") -> None:
        self.layers: list[Layer] = []
        self.metadata: dict[str, Any] = {}
        self.dtype = dtype
        self._rng = np.random.default_rng(seed)
        for layer in sequence_of(() if layers is None else layers, self.name):
            self.add(layer)

    def add(self, layer: Layer) -> None:
        """Append a layer; it is built at once where the size of its input is known.

        The size is known after a first layer with `input_shape`, one that takes ids, or one that
        is built already.

        Raises
        ------
        ConfigError
            If it is not a layer, is in the model already, or was built for another input size.
        """
        if not isinstance(layer, Layer):
            raise ConfigError(f"{self.name}: a layer was expected, got {layer!r}.")
        if (shared := twice([*self.layers, layer])) is not None:
            raise ConfigError(f"{self.name}: {shared!r} is in the model already; make a second layer.")
        self.layers.append(layer)
        try:
            if known_input_size(self.layers[0]) is not None:
                self.build()
        except Exception:
            self.layers.pop()
            raise

    @property
    def built(self) -> bool:
        """Whether every layer has its parameters."""
        return bool(self.layers) and all(layer.built for layer in self.layers)

    @property
    def accepts_ids(self) -> bool:
        """Whether the input is integer ids (B, T)."""
        return bool(self.layers) and self.layers[0].accepts_ids

    @property
    def returns_sequences(self) -> bool:
        """Whether a sequence comes out as a sequence; otherwise as one vector."""
        return all(layer.returns_sequences for layer in self.layers)

    def output_lengths(self, lengths: Any) -> np.ndarray | None:
        """Lengths of what comes out, as sequences, for inputs of these lengths; None is all of them full."""
        for layer in self.layers:
            lengths = lengths_after(layer, lengths)
        return lengths

    @property
    def stateful(self) -> bool:
        """Whether a layer carries its state from one batch to the next."""
        return any(layer.stateful for layer in self.layers)

    def build(
        self,
        input_size: int | tuple[int, ...] | None = None,
        seed: int | np.random.Generator | None = None,
        dtype: str | None = None,
    ) -> Self:
        """Make the parameters of all layers that have none yet.

        Parameters
        ----------
        input_size : int or tuple of int, optional
            Number of features of the input, or of each of several, where the first layer doesn't know it.
        seed : int or Generator, optional
            Source of the initial values instead of the model's own.
        dtype : {"float32", "float64"}, optional
            Type of parameters and results instead of the model's own.

        Raises
        ------
        NotBuiltError
            If the input size is not known.
        ConfigError
            If there is no layer, or a built one does not fit.
        """
        if not self.layers:
            raise ConfigError(f"{self.name}: the model has no layers; add one.")
        if seed is not None and any(layer.built for layer in self.layers):
            raise ConfigError(f"{self.name}: already built, the seed would have no effect; give it to the constructor.")
        size: Any = known_input_size(self.layers[0]) if input_size is None else input_size
        if size is None:
            raise NotBuiltError(f"{self.name}: the input size is not known yet; call build(input_size) or fit.")
        rng = self._rng if seed is None else np.random.default_rng(seed)
        self.dtype = dtype or self.dtype
        for layer in self.layers:
            layer.build(size, None if layer.built else int(rng.integers(2**63)), self.dtype)
            size = layer.output_size
        return self

    @property
    def named(self) -> Mapping[str, Layer]:
        """The layers by number."""
        return {str(number): layer for number, layer in enumerate(self.layers)}

    @property
    def params(self) -> JoinedParameters:
        """Parameters of all layers, called "0.weight_ih" and so on: number of the layer, name."""
        self.require_built()
        return self.joined_params()

    @property
    def grads(self) -> dict[str, np.ndarray]:
        """Accumulated gradients, keys as in `params`."""
        self.require_built()
        return self.joined_grads()

    def require_built(self) -> None:
        """Raise NotBuiltError unless every layer has its parameters."""
        if not self.built:
            raise NotBuiltError(f"{self.name}: not built yet; call build(input_size) or fit.")

    def quantize(self, precision: str) -> Self:
        """The model for inference in low precision, with the same parameters: a change of one is one of both.

        Recurrent layers compute their products in `precision`, see :meth:`seqkit.Layer.quantize`;
        other layers, such as Dense, stay as they are and are shared with this model.

        Parameters
        ----------
        precision : {"bfloat16", "int8", "float32"}
            With "float32" a model for training comes back.
        """
        self.require_built()
        model = copy.copy(self)
        model.layers = [layer.quantize(precision) for layer in self.layers]
        model.metadata = dict(self.metadata)
        return model

    def zero_grads(self) -> None:
        """Set every accumulated gradient to 0."""
        for layer in self.layers:
            layer.zero_grads()

    def reset_states(self) -> None:
        """Forget the states that stateful layers carry."""
        for layer in self.layers:
            layer.reset_states()

    def random_state(self) -> dict[str, int]:
        """Where all sources of random numbers stand, the model's own and those of its layers.

        Values are numbers that JSON can hold.
        """
        return generators.join({"model": generators.state_of(self._rng)}) | super().random_state()

    def restore_random_state(self, state: Mapping[str, int]) -> None:
        """Go on drawing from where :meth:`random_state` was asked."""
        generators.restore(self._rng, generators.part(state, "model"))
        super().restore_random_state(state)

    def forward(
        self, x: ArrayLike | tuple[ArrayLike, ...], lengths: Any = None, training: bool = True
    ) -> tuple[np.ndarray, list[Any]]:
        """Output of a batch, and what :meth:`backward` needs.

        Parameters
        ----------
        x : array_like, (B, T, F), (B, F) or ids (B, T), or a tuple of such
            A tuple where the first layer has several inputs.
        lengths : ndarray of int, (B,), or a tuple of such and None, optional
            True lengths of right-padded sequences.
        training : bool
            Whether dropout acts and a cache is kept.
        """
        self.require_built()
        y = self._read(x, "x")
        if not isinstance(y, tuple):
            lengths = self.layers[0].lengths_of(y) if lengths is None else lengths
        caches: list[Any] = []
        runs = ((n, [layer]) for n, layer in enumerate(self.layers)) if training else chains(self.layers)
        for number, layers in runs:
            try:
                y, cache = _run(layers, y, lengths, training)
            except ShapeError as error:
                raise ShapeError(f"{error}{self._vector_hint(number, y)}") from error
            caches.append(cache)
            lengths = None if y.ndim == 2 else lengths_after(layers[-1], lengths)
        return y, caches

    def _read(self, x: Any, what: str) -> Any:
        """An array, or a tuple of them where the first layer has several inputs."""
        if isinstance(x, tuple) and len(self.layers[0].inputs) > 1:
            return tuple(as_array(one, self.name, what) for one in x)
        return as_array(x, self.name, what)

    def _vector_hint(self, number: int, x: np.ndarray) -> str:
        if number == 0 or x.ndim != 2:
            return ""
        before = self.layers[number - 1].name
        return f" Layer {number - 1} ({before}) gives one vector per sequence; perhaps it needs return_sequences=True."

    def backward(self, dy: np.ndarray, caches: list[Any], input_grad: bool = False) -> Any:
        """Add to `grads`; give the gradient of x, a tuple of several, where `input_grad` asks for it."""
        for number in range(len(self.layers) - 1, -1, -1):
            wanted = input_grad or number > 0
            gradient, _ = self.layers[number].backward(dy, caches[number], None, wanted)
            if gradient is not None:
                dy = gradient
        return dy if input_grad else None

    def step(
        self, x_t: ArrayLike | tuple[ArrayLike, ...], state: tuple[State, ...] | None = None
    ) -> tuple[np.ndarray, tuple[State, ...]]:
        """One step of a stream through all layers.

        Parameters
        ----------
        x_t : array_like, (B, F) or ids (B,), or a tuple of such
            A tuple where the first layer has several inputs.
        state : tuple, optional
            What the step before returned; None at the start.

        Returns
        -------
        y_t : ndarray, (B, output features)
            What the model would give if the sequences ended here.
        state : tuple
        """
        if not self.layers:
            self.require_built()
        if state is not None and len(state) != len(self.layers):
            raise ShapeError(f"{self.name}: state has {len(state)} parts, expected {len(self.layers)}, one per layer.")
        y, states = self._read(x_t, "x_t"), []
        for number, layer in enumerate(self.layers):
            if not layer.built:
                self.require_built()
            y, layer_state = layer.step(y, None if state is None else state[number])
            states.append(layer_state)
        return y, tuple(states)

    def streams(self, capacity: int) -> Streams:
        """A pool of at most `capacity` independent streams; see :class:`seqkit.streams.Streams`.

        Raises
        ------
        ConfigError
            If a layer cannot run step by step.
        """
        self.require_built()
        pools = {f"{n}.": layer.state_pool for n, layer in enumerate(self.layers)}
        return Streams(self.name, pools, capacity, len(self.layers[0].inputs) > 1)


def _run(layers: list[Any], x: np.ndarray, lengths: np.ndarray | None, training: bool) -> tuple[np.ndarray, Any]:
    if len(layers) > 1:
        return run_chain(layers, x, lengths), None
    y, cache = layers[0].forward(x, lengths, None, training)
    return y, cache


def known_input_size(first: Layer) -> int | tuple[int, ...] | None:
    """Number of features that a first layer takes, of several inputs a tuple; None where only data tells."""
    if first.built:
        return first.input_sizes if len(first.inputs) > 1 else first.input_size
    if first.accepts_ids:
        return 1
    return first.input_shape[-1] if first.input_shape else None
