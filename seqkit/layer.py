"""The contract of a layer.

A layer turns a batch of sequences (or of vectors) into another one and can give the exact
gradient of doing so.  Whoever keeps to the following works everywhere in seqkit.

* **Arrays** are ``(batch, time, features)``; a vector input is ``(batch, features)``.
  ``lengths`` (batch,) are the true lengths of right-padded sequences; steps past the end are
  never read, outputs past the end are 0, and a length of 0 is legal.
* ``__init__`` takes plain values (numbers, strings, booleans, None, or layers) and stores
  them; ``config()`` gives them back and ``from_config`` rebuilds an equal, unbuilt layer.
* ``build(input_size, seed, dtype)`` makes the parameters, once.  It calls ``_build``, which
  returns ``{name: array}`` and may set other attributes.
* ``forward(x, lengths, state, training)`` returns ``(y, cache)``.  The cache is whatever
  ``backward`` needs; with ``training=False`` nothing is kept for a backward pass.
* ``backward(dy, cache, dstate, input_grad)`` returns ``(dx, dstate)`` and *adds* to
  ``grads``, whose keys and shapes are those of ``params``.  With ``input_grad=False`` dx is
  None and not computed.
* **Several inputs.**  A layer whose `inputs` names more than one takes a tuple of sizes in ``build``, a tuple of
  arrays as `x` and of lengths (an array or None for each; None for all is fine) in ``forward``, a tuple in ``step``,
  and gives a tuple of gradients, in the order of `inputs`.  One array instead of a tuple, or one size, is every input
  at once, as in self-attention, and gets one gradient, the sum.  :class:`seqkit.inputs.Inputs` does both.
  `input_size` is that of the first input, `input_sizes` has all of them.
* What comes out has the lengths of the (first) input, unless ``output_lengths`` says others; it is given an array or,
  of several inputs, a tuple of arrays and None.
* **State**, of layers that have one, is a tuple of arrays with a row for each sequence, None at the
  start; ``forward`` goes on from the one it is given.  The cache then has an attribute ``state``, the
  final state, outside training too.  A `stateful` layer goes on from ``_state`` where it is given
  none, and leaves its final state there.
* ``step(x_t, state)`` runs one step of a stream, ``(batch, features)`` in and out, and
  returns ``(y_t, state)``; a layer without state returns ``()``.  ``streams`` needs no more than
  that, and whoever defines `forward` has a `step`.  That of a layer that needs the whole sequence
  raises ConfigError.
* Masks are drawn from counters: ``random_state()`` is a seed and the number of the next row, and nothing else
  decides what is dropped; a batch of B rows takes the next B numbers.
* ``returns_sequences`` says whether a sequence comes out as a sequence.
* Layers never modify their inputs, and a call that raises leaves the layer as it was.

Legend: B batch, T time, F features.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from seqkit.arrays import as_array
from seqkit.counter import Counter
from seqkit.errors import ConfigError, NotBuiltError, ShapeError
from seqkit.inputs import Inputs, first
from seqkit.options import known_precision
from seqkit.parameters import JoinedParameters, Parameters
from seqkit.pools import LayerPool, Pool
from seqkit.sequences import as_lengths, as_sequences, is_ragged, pad, unpad
from seqkit.streams import Streams

State = tuple[np.ndarray, ...]


class Layer(ABC):
    """Base class of everything that can stand in a model; see the module's text.

    Attributes
    ----------
    params : Parameters
        Named arrays, read-only when read; assign to change one.
    grads : dict of str to ndarray
        Accumulated gradients, same keys and shapes as `params`.
    input_size : int
        Number of features of the (first) input, known once the layer is built.
    input_sizes : tuple of int
        Number of features of every input.
    """

    api_version: ClassVar[int] = 1
    inputs: tuple[str, ...] = ("x",)
    """Names of the inputs."""
    accepts_ids: bool = False
    """True for a layer whose input is integer ids (batch, time), one value per step, instead of features."""

    training_only: ClassVar[bool] = False
    """True for a layer that gives its input back except in training."""

    name: str = "layer"
    params: Parameters | JoinedParameters
    grads: dict[str, np.ndarray]

    input_shape: tuple[int | None, ...] | None = None
    """Shape of one sample, (time, features) or (features,), where the constructor was told it."""

    stateful: bool = False
    """True for a layer that carries its state from one call to the next until `reset_states`."""
    _state: State | None = None
    _low_precision: str | None = None
    _counter: Counter | None = None

    built = False
    input_size: int
    input_sizes: tuple[int, ...]
    dtype: np.dtype

    def config(self) -> dict[str, Any]:
        """Constructor arguments as plain values that JSON can hold."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """An unbuilt layer with this configuration."""
        return cls(**config)

    @property
    def output_size(self) -> int:
        """Number of output features."""
        self._require_built()
        return self.input_size

    @property
    def returns_sequences(self) -> bool:
        """Whether a sequence comes out as a sequence; otherwise as one vector."""
        return True

    @property
    def reads_backwards(self) -> bool:
        """Whether outputs depend on later steps, so that there is no stream and no truncated training."""
        return False

    @property
    def ids_of_inputs(self) -> tuple[bool, ...]:
        """Which inputs are ids."""
        return (self.accepts_ids,) * len(self.inputs)

    def output_lengths(self, lengths: Any) -> np.ndarray | None:
        """Lengths of what comes out, as sequences, for inputs of these lengths: by default those of the first."""
        return first(lengths)

    def lengths_of(self, x: np.ndarray) -> np.ndarray | None:
        """Lengths that an input given without any tells by its values; None: all sequences are full."""
        return None

    def inner(self) -> tuple[Layer, ...]:
        """The layers that this one runs."""
        return ()

    def build(
        self,
        input_size: int | tuple[int, ...],
        seed: int | np.random.Generator | None = None,
        dtype: str = "float32",
    ) -> Self:
        """Make the parameters for `input_size` features; once.

        Parameters
        ----------
        input_size : int or tuple of int
            Number of features of every step of the input; of every input, where there are several.
        seed : int or Generator, optional
            Source of the initial values.
        dtype : {"float32", "float64"}
            Type of parameters and results.

        Raises
        ------
        ConfigError
            If the layer was already built for another size or type.
        """
        kind = np.dtype(dtype)
        if kind not in (np.float32, np.float64):
            raise ConfigError(f"{self.name}: dtype must be float32 or float64, got {dtype!r}.")
        sizes = self._checked_sizes(input_size)
        if self.built:
            if (self.input_sizes, self.dtype) != (sizes, kind):
                raise ConfigError(
                    f"{self.name}: already built for {_told(self.input_sizes)} features of {self.dtype}, cannot be "
                    f"rebuilt for {_told(sizes)} of {kind}; make a new layer."
                )
            return self
        self.input_sizes, self.input_size, self.dtype = sizes, sizes[0], kind
        self._set_params(self._build(np.random.default_rng(seed)))
        self.built = True
        return self

    def _checked_sizes(self, input_size: Any) -> tuple[int, ...]:
        """A size for each input."""
        sizes = input_size if isinstance(input_size, tuple) else (input_size,) * len(self.inputs)
        if len(sizes) != len(self.inputs):
            raise ConfigError(
                f"{self.name}: input_size must hold a size for each of {', '.join(self.inputs)}, got {input_size!r}."
            )
        for size in sizes:
            if not isinstance(size, (int, np.integer)) or size < 1:
                raise ConfigError(f"{self.name}: input_size must be a positive integer, got {size!r}.")
        return tuple(map(int, sizes))

    def _build(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Initial parameters; `input_size` and `dtype` are already set."""
        return {}

    def _set_params(self, arrays: dict[str, np.ndarray]) -> None:
        arrays = {key: np.ascontiguousarray(value, dtype=self.dtype) for key, value in arrays.items()}
        self.params = Parameters(arrays, self.name)
        self.grads = {key: np.zeros_like(value) for key, value in arrays.items()}

    def _require_built(self) -> None:
        if not self.built:
            raise NotBuiltError(
                f"{self.name}: the input size is not known yet; call build(input_size) or run it on data."
            )

    @property
    def precision(self) -> str:
        """What the products of the layer are computed in: its dtype or, after :meth:`quantize`, less."""
        self._require_built()
        return self._low_precision or self.dtype.name

    def quantize(self, precision: str) -> Self:
        r"""The layer for inference in low precision, with the same parameters: a change of one is one of both.

        A product :math:`W v` is computed from rounded numbers and added up in float32; states,
        biases, everything pointwise and the results stay float32.  A layer without products of
        this kind, such as Dense, stays as it is: it is returned itself.

        * "bfloat16": numbers of W and v keep 8 bits of their significand, rounded to nearest even.
        * "int8": every row of W and every v are divided by their largest magnitude over 127 and
          rounded to integers ("dynamic" quantization: nothing is calibrated).

        Results depend neither on the batch nor on threads, as ever;
        :func:`seqkit.precision_report` tells the error on given data.

        Parameters
        ----------
        precision : {"bfloat16", "int8", "float32"}
            With "float32" a layer for training comes back.

        Raises
        ------
        ConfigError
            If the layer is of float64 or the precision is unknown.
        NotBuiltError
            If the layer has no parameters yet.

        Examples
        --------
        >>> import numpy as np
        >>> import seqkit
        >>> layer = seqkit.LSTM(16).build(8, seed=0)
        >>> x = np.random.default_rng(0).standard_normal((2, 20, 8), dtype=np.float32)
        >>> fast = layer.quantize("int8")
        >>> fast.precision, bool(0 < abs(fast(x) - layer(x)).max() < 0.02)
        ('int8', True)
        """
        self._require_built()
        return self._quantized(known_precision(precision, self.dtype.name, f"{self.name}: precision"))

    def _quantized(self, precision: str | None) -> Self:
        """The layer with products in `precision`, None for its dtype."""
        return self

    def zero_grads(self) -> None:
        """Set every accumulated gradient to 0."""
        for grad in self.grads.values():
            grad.fill(0.0)

    def reset_states(self) -> None:
        """Forget the state that a stateful layer carries."""
        self._state = None

    def random_state(self) -> dict[str, int]:
        """Where the layer's random numbers stand, as values that JSON can hold; {} where nothing is random."""
        return {} if self._counter is None else self._counter.state()

    def restore_random_state(self, state: Mapping[str, int]) -> None:
        """Draw from now on what the layer that gave this :meth:`random_state` would have drawn."""
        if self._counter is not None and state:
            self._counter = Counter(**state)

    def release_memory(self) -> None:  # noqa: B027 - most layers keep none
        """Free the working memory that the layer keeps from call to call; the next call takes it anew."""

    @abstractmethod
    def forward(
        self, x: np.ndarray, lengths: np.ndarray | None = None, state: State | None = None, training: bool = True
    ) -> tuple[np.ndarray, Any]:
        """Output and cache of a batch."""

    @abstractmethod
    def backward(
        self, dy: np.ndarray, cache: Any, dstate: State | None = None, input_grad: bool = True
    ) -> tuple[np.ndarray | None, State]:
        """Gradient of the input and of the initial state; adds to `grads`."""

    def step(self, x_t: np.ndarray, state: State | None = None) -> tuple[np.ndarray, State]:
        """One step of a stream: ``(batch, features)`` to ``(batch, output_size)``.

        Unless a layer knows a shorter way it is a sequence of one step, from `state`.

        Raises
        ------
        ConfigError
            If the layer reads a sequence from its end.
        """
        if self.reads_backwards:
            raise ConfigError(f"{self.name}: reads sequences from their end, which a stream does not have.")
        carried, self._state = self._state, None
        try:
            y, cache = self.forward(self._one_step(x_t), None, state, training=False)
        finally:
            self._state = carried
        return (y[:, 0] if y.ndim == 3 else y), final_state(cache)

    def _one_step(self, x_t: Any) -> Any:
        """A step of the input, or of every input, as sequences."""
        if isinstance(x_t, tuple):
            return tuple(map(self._one_step, x_t))
        return as_array(x_t, self.name, "x_t")[:, None]

    def streams(self, capacity: int) -> Streams:
        """A pool of at most `capacity` independent streams; see :class:`seqkit.streams.Streams`.

        Raises
        ------
        ConfigError
            If the layer cannot run step by step.
        """
        self._require_built()
        return Streams(self.name, {"": self.state_pool}, capacity, len(self.inputs) > 1)

    def state_pool(self, rows: int) -> Pool:
        """Room for the states of `rows` streams."""
        return LayerPool(self.name, self.step, rows)

    def __call__(
        self,
        x: Any,
        lengths: Any = None,
        training: bool = False,
        *,
        state: State | None = None,
        return_state: bool | None = None,
    ) -> Any:
        """Output for an array, an array with lengths, or a list of sequences.

        A list of ``(time_i, features)`` arrays gives a list where the layer returns
        sequences, else one array.  With `return_state` the result is ``(y, state)``.
        """
        several = isinstance(x, tuple) and len(self.inputs) > 1
        given = Inputs.of(x, lengths, self.inputs, self.name) if several else Inputs((x,), (lengths,), alone=True)
        ragged = is_ragged(given.arrays[0], ndim=1 if self.ids_of_inputs[0] else 2)
        batches = [
            _rectangular(*one, self.name) for one in zip(given.arrays, given.lengths, self.ids_of_inputs, strict=False)
        ]
        if not self.built:
            sizes = tuple(
                1 if ids else batch.shape[-1] for (batch, _), ids in zip(batches, self.ids_of_inputs, strict=False)
            )
            self.build(sizes if several else sizes[0])
        checked = [self._checked_batch(number, *batch) for number, batch in enumerate(batches)]
        arrays, ends = tuple(zip(*checked, strict=True)) if several else checked[0]
        y, cache = self.forward(arrays, ends, state, training=training)
        outputs = unpad(y, lengths_after(self, ends)) if ragged and y.ndim == 3 else y
        return (outputs, final_state(cache)) if return_state else outputs

    def _checked_batch(self, number: int, batch: np.ndarray, lengths: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """One of the inputs and its lengths."""
        if batch.ndim == 3:
            batch = as_sequences(batch, self.dtype, self.name, self.input_sizes[number])
            return batch, as_lengths(lengths, batch.shape[0], batch.shape[1], self.name)
        if batch.ndim != 2:
            ids = self.ids_of_inputs[number]
            expected = "ids (batch, time)" if ids else "(batch, time, features) or (batch, features)"
            raise ShapeError(f"{self.name}: x has shape {batch.shape}, expected {expected}.")
        return batch, lengths

    def __repr__(self) -> str:
        arguments = ", ".join(f"{key}={value!r}" for key, value in self.config().items())
        return f"{type(self).__name__}({arguments})"


def final_state(cache: Any) -> State:
    """The state that a forward pass ended with, of its cache; () for a layer without state."""
    return getattr(cache, "state", ())


def lengths_after(layer: Layer, lengths: Any) -> np.ndarray | None:
    """Lengths of what a layer gives for inputs of these lengths; None where all are full, or vectors come out."""
    known = any(one is not None for one in (lengths if isinstance(lengths, tuple) else (lengths,)))
    return layer.output_lengths(lengths) if known and layer.returns_sequences else None


def _rectangular(x: Any, lengths: Any, ids: bool, owner: str) -> tuple[np.ndarray, Any]:
    """An input as one array, padded where it is a list, and its lengths."""
    return pad(x, owner) if is_ragged(x, ndim=1 if ids else 2) else (as_array(x, owner), lengths)


def _told(sizes: tuple[int, ...]) -> str:
    """Sizes for a message, a single one as a number."""
    return " and ".join(map(str, sizes))
