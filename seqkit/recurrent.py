"""Recurrent: a cell made into a layer.

The layer checks and allocates; the equations of its cell run on the engine (see
``seqkit._core.engine``).

Legend: B batch, T time, I input features, H units, G gates.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from seqkit import _core, initializers
from seqkit.equations import Cell, make_cell
from seqkit.errors import ConfigError, SeqkitError
from seqkit.execution import Execution
from seqkit.layer import State
from seqkit.masks import draw_mask, masked_rows, unmoved
from seqkit.options import fraction, known_precision, positive_integer
from seqkit.rows import Rows
from seqkit.segments import Direction, Gradients, run_backward, run_forward
from seqkit.sequence_layer import SequenceLayer, TapeBytes
from seqkit.sequences import as_gradient, as_state, as_vectors
from seqkit.state_pool import StatePool

# Constructor arguments that are kept as attributes of the same name; the others are the cell's.
OPTIONS = (
    *("units", "use_bias", "kernel_initializer", "recurrent_initializer", "bias_initializer"),
    *("dropout", "recurrent_dropout", "return_sequences", "return_state", "go_backwards", "stateful", "checkpoint"),
)


@dataclass
class Cache:
    """What one forward call keeps: the final state, and what a backward pass needs if it was for training."""

    state: State
    direction: Direction | None

    @classmethod
    def of(cls, direction: Direction) -> Cache:
        """The cache of a direction that has been run."""
        return cls(direction.final, direction if direction.training else None)


class Recurrent(SequenceLayer):
    """Runs a cell over sequences.

    Parameters
    ----------
    cell : Cell class or Cell
        The equations.
    units : int
        Number of units, H.
    use_bias : bool
        Whether the gates have a bias.
    kernel_initializer, recurrent_initializer, bias_initializer : str
        Initial values of ``weight_ih``, ``weight_hh`` and ``bias``, drawn for each gate.
    dropout, recurrent_dropout : float
        Fractions of the input and of the state that are dropped where they enter a product,
        in training; the same units at every step (Gal and Ghahramani, 2016).
    return_sequences : bool
        Give the output of every step, (B, T, H), instead of the last, (B, H).
    return_state : bool
        Give the final state too: ``y, state = layer(x)``.
    go_backwards : bool
        Read each sequence from its end; outputs come in the order of reading, as in Keras.
    stateful : bool
        Start from the final state of the call before, until ``reset_states()``.
    checkpoint : int, optional
        Steps of a segment.  In training the layer then keeps only the state at the start of every segment and runs the
        steps of one again for its backward pass: less memory for some more time, and the same bits (Chen et al., 2016).
        Segments are whole blocks of about 128 rows (steps times sequences).
    input_shape : tuple, optional
        (time, features) or (features,): lets a model be built before it sees data.
    precision : {"bfloat16", "int8"}, optional
        A layer for inference in low precision, see :meth:`quantize`.
    **options
        Arguments of the cell, such as ``activation``.

    Attributes
    ----------
    params : Parameters
        ``weight_ih`` (G*H, I) of the gates that read the input, ``weight_hh`` (G*H, H) of those
        multiplied by U, each in the order of the cell's gates, ``bias`` (G*H,), and the
        cell's own.

    Examples
    --------
    >>> import numpy as np
    >>> import seqkit
    >>> layer = seqkit.LSTM(4, return_sequences=True).build(3, seed=0)
    >>> x = np.random.default_rng(0).standard_normal((2, 5, 3), dtype=np.float32)
    >>> y = layer(x, lengths=[5, 2])
    >>> y.shape, float(abs(y[1, 2:]).max())
    ((2, 5, 4), 0.0)
    """

    def __init__(
        self,
        cell: type[Cell] | Cell,
        units: int,
        *,
        use_bias: bool = True,
        kernel_initializer: str = "glorot_uniform",
        recurrent_initializer: str = "orthogonal",
        bias_initializer: str = "zeros",
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        checkpoint: int | None = None,
        input_shape: Sequence[int | None] | None = None,
        precision: str | None = None,
        **options: Any,
    ) -> None:
        self.cell = make_cell(cell, options if use_bias else {"use_bias": False, **options})
        self.name = self.cell.name or type(self.cell).__name__
        self.units = positive_integer(units, f"{self.name}: units")
        for name in (kernel_initializer, recurrent_initializer, bias_initializer):
            initializers.get(name)
        self.kernel_initializer, self.recurrent_initializer = kernel_initializer, recurrent_initializer
        self.bias_initializer, self.use_bias = bias_initializer, self.cell.use_bias
        self.dropout = fraction(dropout, f"{self.name}: dropout")
        self.recurrent_dropout = fraction(recurrent_dropout, f"{self.name}: recurrent_dropout")
        self.return_sequences, self.return_state = bool(return_sequences), bool(return_state)
        self.go_backwards, self.stateful = bool(go_backwards), bool(stateful)
        self.checkpoint = None if checkpoint is None else positive_integer(checkpoint, f"{self.name}: checkpoint")
        self._segment: int | None = None
        self.input_shape = tuple(input_shape) if input_shape is not None else None
        self._low_precision = known_precision(precision or "float32", "float32", f"{self.name}: precision")
        self.options = options

    def config(self) -> dict[str, Any]:
        """Constructor arguments without the cell."""
        low = {"precision": self._low_precision} if self._low_precision else {}
        return {name: getattr(self, name) for name in OPTIONS} | low | self.options

    @property
    def output_size(self) -> int:
        """Number of units."""
        return self.units

    @property
    def returns_sequences(self) -> bool:
        """The option `return_sequences`."""
        return self.return_sequences

    # ---- parameters -------------------------------------------------------------------------

    def _build(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        self.execution = self._equations()
        self._rng = np.random.default_rng(rng.integers(2**63))
        gates, recurrent = self.execution.input_gates, self.execution.recurrent_gates
        arrays = {
            "weight_ih": initializers.blocks(self.kernel_initializer, len(gates), (self.units, self.input_size), rng),
            "weight_hh": initializers.blocks(self.recurrent_initializer, len(recurrent), (self.units, self.units), rng),
        }
        if self.use_bias:
            initial = [self.cell.initial_bias(gate) for gate in gates]
            drawn = initializers.blocks(self.bias_initializer, len(gates), (1, self.units), rng)
            arrays["bias"] = drawn.ravel() + np.repeat(initial, self.units)
        for name, parameter in self.cell.parameters().items():
            shape = parameter.shape(self.units)
            rows = shape[0] if len(shape) == 2 else 1
            arrays[name] = initializers.blocks(parameter.initializer, 1, (rows, self.units), rng).reshape(shape)
        return arrays

    @cached_property
    def _masked(self) -> Execution:
        """The equations with a mask on every state that enters a product."""
        return Execution(self.cell, self.units, self.input_size, self.dtype, masked=True)

    def _quantized(self, precision: str | None) -> Self:
        layer = copy.copy(self)
        vars(layer).pop("_masked", None)
        layer._state, layer._low_precision = None, precision
        layer.grads = {key: np.zeros(value.shape, self.dtype) for key, value in self.params.items()}
        layer.execution = layer._equations()
        return layer

    def _equations(self) -> Execution:
        low = known_precision(self._low_precision or self.dtype.name, self.dtype.name, f"{self.name}: precision")
        return Execution(self.cell, self.units, self.input_size, self.dtype, low)

    def tape_bytes(self, batch: int) -> TapeBytes:
        """What a training pass on `batch` sequences takes."""
        row, sequence = (self._masked if self.recurrent_dropout else self.execution).gradient.tape_bytes
        states = len(self.cell.states) * self.units * self.dtype.itemsize
        return TapeBytes(batch * row, batch * states, batch * sequence)

    def cut(self, steps: int | None) -> None:
        """Train in segments of `steps` steps, whatever `checkpoint` says; None is as `checkpoint` says."""
        self._segment = steps

    def release_memory(self) -> None:
        """Free the working memory of calls; the next call takes it anew."""
        for name in ("execution", "_masked"):
            if name in vars(self):
                vars(self)[name].pool.release()

    # ---- forward ----------------------------------------------------------------------------

    def run(self, rows: Rows, state: State | None, training: bool) -> tuple[Rows | np.ndarray, Cache]:
        """Run one direction over rows."""
        direction = self.begin(rows, state, training)
        run_forward([direction])
        return direction.y, self.finish(direction)

    def begin(self, rows: Rows, state: State | None, training: bool) -> Direction:
        """Prepare a run, from the state that a stateful layer carries where none is given."""
        carried = self._state if state is None and self.stateful else state
        return self.bind_forward(rows, self._room(rows), carried, training)

    def finish(self, direction: Direction) -> Cache:
        """What a run that has been run leaves behind."""
        if self.stateful:
            self._state = direction.final
        return Cache.of(direction)

    def _room(self, rows: Rows) -> Rows | np.ndarray:
        """Where the output goes."""
        return rows.new(self.units) if self.return_sequences else np.zeros((len(rows.lengths), self.units), self.dtype)

    def _calls(self, rows: Rows, training: bool) -> list[_core.Call]:
        with unmoved(self._rng):
            return [self.bind_forward(rows, self._room(rows), None, training).forward.call]

    def bind_forward(
        self, rows: Rows, y: Rows | np.ndarray, state: State | None, training: bool, aligned: bool = False
    ) -> Direction:
        """Prepare a call that writes to `y`; with `aligned`, outputs stay at the time of their input."""
        if training and self._low_precision:
            raise ConfigError(
                f"{self.name}: a layer of {self.precision} is for inference; train the float32 layer, "
                f"quantize('float32') of this one, or call forward with training=False."
            )
        state = self._check_state(state, len(rows.lengths))  # first: an error must not draw masks
        masks: list[np.ndarray] = []
        execution = self.execution
        if training and self.recurrent_dropout:
            execution = self._masked
            shape = (len(rows.lengths), self.units)
            masks = [draw_mask(self._rng, shape, self.recurrent_dropout, self.dtype) for _ in execution.layout.masks]
        input_mask = None
        if training and self.dropout:
            input_mask = draw_mask(self._rng, (len(rows.lengths), self.input_size), self.dropout, self.dtype)
            rows = masked_rows(rows, input_mask)
        packed = execution.packed(self.params, self.params.version)
        if training:
            packed.transpose()  # now: the weights may change before the backward pass
        return Direction(
            execution,
            rows,
            y,
            packed,
            rows.segments((self._segment or self.checkpoint) if training else None),
            [state],
            training,
            reverse=self.go_backwards,
            reverse_output=self.go_backwards and aligned,
            masks=masks,
            input_mask=input_mask,
        )

    def _check_state(self, state: State | None, batch: int) -> State | None:
        return as_state(state, self.cell.states, (batch, self.units), self.dtype, self.name)

    # ---- backward ---------------------------------------------------------------------------

    def backward(
        self, dy: np.ndarray | None, cache: Cache, dstate: State | None = None, input_grad: bool = True
    ) -> tuple[np.ndarray | None, State]:
        """Gradient of the input and of the initial state; adds to `grads`.

        Parameters
        ----------
        dy : ndarray or None
            Gradient of the output, shaped like it; None is zero.
        cache : Cache
            From `forward` with training=True; good for one backward pass.
        dstate : tuple of ndarray (B, H), optional
            Gradient of the final state.
        input_grad : bool
            Whether to compute the gradient of x; otherwise it is None.
        """
        gradients = self.bind_backward(self.take_tape(cache), dy, dstate, input_grad)
        dinitial = run_backward([gradients])
        return (None if gradients.dx is None else gradients.dx.array), dinitial

    def take_tape(self, cache: Cache) -> Direction:
        """What the backward pass of a cache needs, once."""
        if cache.direction is None:
            raise SeqkitError(
                f"{self.name}: this cache has no tape; call forward with training=True, backward once for each."
            )
        direction, cache.direction = cache.direction, None
        return direction

    def bind_backward(
        self, direction: Direction, dy: np.ndarray | None, dstate: State | None, input_grad: bool
    ) -> Gradients:
        """Prepare the backward pass of a direction."""
        rows, batch = direction.x, len(direction.x.lengths)
        upstream: Rows | np.ndarray | None = None
        if dy is not None:
            shape = (batch, rows.time, self.units) if self.return_sequences else (batch, self.units)
            checked = as_gradient(dy, shape, self.dtype, self.name)
            upstream = rows.of_view(checked) if self.return_sequences else checked
        dx = rows.new(self.input_size) if input_grad else None
        return Gradients(direction, upstream, self._check_state(dstate, batch), self.grads, dx)

    # ---- streams, insight ------------------------------------------------------------

    def step(self, x_t: np.ndarray, state: State | None = None) -> tuple[np.ndarray, State]:
        """One step of a stream: (B, I) to (B, H), and the state after it.

        The arrays are new: nothing that comes later changes them, and changing them changes nothing else.
        Arrays of the layer's dtype are read as they lie and, where the step before the last one is
        forgotten, no memory is allocated.

        Raises
        ------
        ShapeError, DTypeError
            If x_t or state does not fit the layer.
        """
        if not self.built:
            self._ensure_built(x_t)
        execution = self.execution
        if execution.stepper is not None:
            found = execution.stepper.step(x_t, state, self.params.version)
            if found is not None:
                return found
        x_t = as_vectors(x_t, self.dtype, self.name, self.input_size)
        return execution.step(x_t, self._check_state(state, len(x_t)), self.params)

    def state_pool(self, rows: int) -> StatePool:
        """Room for the states of `rows` streams, where the engine reads and writes them."""
        return StatePool(self.execution, self.params, rows)

    def trace(
        self, x: Any, names: Sequence[str], lengths: Any = None, state: State | None = None
    ) -> dict[str, np.ndarray]:
        """Named values of the equations at every step.

        Parameters
        ----------
        x : array (B, T, I)
            Input.
        names : sequence of str
            Names that the author of the cell gave: gates, states, anything assigned in ``step``.
        lengths, state
            As in a call.

        Returns
        -------
        dict of str to ndarray (B, T, H)
            Values at the time of their input; 0 past the end of a sequence.

        Examples
        --------
        >>> import numpy as np
        >>> import seqkit
        >>> layer = seqkit.LSTM(4).build(3, seed=0)
        >>> values = layer.trace(np.ones((1, 5, 3)), ["i", "f", "c"])
        >>> values["f"].shape
        (1, 5, 4)
        """
        self._ensure_built(x)
        rows = Rows.of_array(x, lengths, self.dtype, self.name, self.input_size)
        state = self._check_state(state, len(rows.lengths))
        packed = self.execution.packed(self.params, self.params.version)
        return self.execution.trace(rows, state, packed, names, self.go_backwards)
