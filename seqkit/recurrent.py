"""Recurrent: a cell made into a layer.

The layer checks and allocates; the equations of its cell run on the engine (see
``seqkit._core.engine``).

Legend: B batch, T time, I input features, H units, G gates.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np

from seqkit import _core, initializers
from seqkit.cell_arrays import initial_arrays, learned_states, sizes_of_states
from seqkit.counter import Counter
from seqkit.equations import Cell, make_cell
from seqkit.errors import ConfigError, SeqkitError
from seqkit.execution import Execution
from seqkit.layer import State
from seqkit.masks import Masks, Rates, zoneout_of
from seqkit.options import fraction, known_precision, positive_integer
from seqkit.rows import Rows
from seqkit.segments import Cache, Direction, Gradients, run_backward, run_forward
from seqkit.sequence_layer import SequenceLayer, TapeBytes
from seqkit.sequences import as_gradient, as_state, as_vectors
from seqkit.state_pool import StatePool

# Constructor arguments that are kept as attributes of the same name; the others are the cell's.
OPTIONS = (
    *("units", "use_bias", "kernel_initializer", "recurrent_initializer", "bias_initializer"),
    *("dropout", "recurrent_dropout", "zoneout", "weight_dropout", "initial_state"),
    *("return_sequences", "return_state", "go_backwards", "stateful", "checkpoint"),
)


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
    zoneout : float or dict of str to float
        Fraction of the units that keep their old value at a step of training (Krueger et al., 2017),
        for all states or for each named one, as in ``{"h": 0.05, "c": 0.5}``; outside training
        every unit keeps this fraction of its old value.
    weight_dropout : float
        Fraction of ``weight_hh`` that is dropped in a call for training, the same for all rows and
        steps ("DropConnect": Wan et al., 2013; Merity et al., 2018).
    initial_state : {"zeros", "learned"}
        What sequences start from where no state is given or carried; learned states are
        parameters ``initial_<state>`` (H,), zero at first.
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
        cell's own.  Where the cell declares sizes, each gate has as many rows as it has numbers.

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
        zoneout: float | Mapping[str, float] = 0.0,
        weight_dropout: float = 0.0,
        initial_state: str = "zeros",
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
        self.name = vars(type(self)).get("name") or self.cell.name or type(self.cell).__name__
        self.units = positive_integer(units, f"{self.name}: units")
        for name in (kernel_initializer, recurrent_initializer, bias_initializer):
            initializers.get(name)
        self.kernel_initializer, self.recurrent_initializer = kernel_initializer, recurrent_initializer
        self.bias_initializer, self.use_bias = bias_initializer, self.cell.use_bias
        self.dropout = fraction(dropout, f"{self.name}: dropout")
        self.recurrent_dropout = fraction(recurrent_dropout, f"{self.name}: recurrent_dropout")
        self.weight_dropout = fraction(weight_dropout, f"{self.name}: weight_dropout")
        states, zoned_out = self.cell.states, zoneout_of(zoneout, self.cell.states, self.name)
        self.zoneout: float | dict[str, float]
        if isinstance(zoneout, Mapping):
            self.zoneout = {state: float(rate) for state, rate in zoneout.items()}
        else:
            self.zoneout = float(zoneout)
        self._rates = Rates(states, self.dropout, self.recurrent_dropout, self.weight_dropout, zoned_out)
        self._learned = learned_states(initial_state, states, self.name)
        self.initial_state = initial_state
        self.return_sequences, self.return_state = bool(return_sequences), bool(return_state)
        self.go_backwards, self.stateful = bool(go_backwards), bool(stateful)
        self.checkpoint = None if checkpoint is None else positive_integer(checkpoint, f"{self.name}: checkpoint")
        self._segment: int | None = None
        self.input_shape = tuple(input_shape) if input_shape is not None else None
        self._low_precision = known_precision(precision or "float32", "float32", f"{self.name}: precision")
        self.options = {name: value for name, value in self.cell.arguments.items() if name != "use_bias"}

    def config(self) -> dict[str, Any]:
        """Constructor arguments without the cell."""
        low = {"precision": self._low_precision} if self._low_precision else {}
        return {name: getattr(self, name) for name in OPTIONS} | low | self.options

    @property
    def output_size(self) -> int:
        """Size of the first state: the number of units, unless the cell declares another."""
        return self.state_sizes[0]

    @property
    def state_sizes(self) -> tuple[int, ...]:
        """Sizes of the states; one that follows from the input is known once the layer is built."""
        if "execution" in vars(self):
            return self.execution.shapes.states
        return sizes_of_states(self.cell, self.units)

    @property
    def returns_sequences(self) -> bool:
        """The option `return_sequences`."""
        return self.return_sequences

    # ---- parameters -------------------------------------------------------------------------

    def _build(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        self.execution = self._equations()
        seed = int(rng.integers(2**63))  # drawn in any case: options leave initial values as they are
        self._counter = Counter(seed) if self._rates else None
        methods = self.kernel_initializer, self.recurrent_initializer, self.bias_initializer
        arrays = initial_arrays(self.cell, self.execution.shapes, methods, rng)
        return arrays | {name: np.zeros(size) for name, size in zip(self._learned, self.state_sizes, strict=False)}

    @cached_property
    def _training(self) -> Execution:
        """The equations with the masks of training."""
        if not self.recurrent_dropout and not self._rates.zoneout:
            return self.execution
        sizes, drawn = (self.units, self.input_size, self.dtype), dict.fromkeys(self._rates.zoneout)
        return Execution(self.cell, *sizes, masked=self.recurrent_dropout > 0, zoneout=drawn)

    def _quantized(self, precision: str | None) -> Self:
        layer = copy.copy(self)
        vars(layer).pop("_training", None)
        layer._state, layer._low_precision = None, precision
        layer.grads = {key: np.zeros(value.shape, self.dtype) for key, value in self.params.items()}
        layer.execution = layer._equations()
        return layer

    def _equations(self) -> Execution:
        low = known_precision(self._low_precision or self.dtype.name, self.dtype.name, f"{self.name}: precision")
        return Execution(self.cell, self.units, self.input_size, self.dtype, low, zoneout=self._rates.zoneout)

    def tape_bytes(self, batch: int) -> TapeBytes:
        """What a training pass on `batch` sequences takes."""
        row, sequence = self._training.gradient.tape_bytes
        states = sum(self.state_sizes) * self.dtype.itemsize
        return TapeBytes(batch * row, batch * states, batch * sequence)

    def cut(self, steps: int | None) -> None:
        """Train in segments of `steps` steps, whatever `checkpoint` says; None is as `checkpoint` says."""
        self._segment = steps

    def release_memory(self) -> None:
        """Free the working memory of calls; the next call takes it anew."""
        for name in ("execution", "_training"):
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
        if direction.training and self._counter:
            self._counter.advance(len(direction.x.lengths))  # now: a run that did not come to its end drew nothing
        if self.stateful:
            self._state = direction.final
        return Cache.of(direction)

    def _room(self, rows: Rows) -> Rows | np.ndarray:
        """Where the output goes."""
        return rows.new(self.output_size) if self.return_sequences else rows.last(self.output_size)

    def _calls(self, rows: Rows, training: bool) -> list[_core.Call]:
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
        learned = self._learned if state is None else ()
        state = self._start(state, len(rows.lengths))
        execution = self._training if training else self.execution
        masks = Masks()
        if training and self._counter:
            sizes = dict(zip(self.cell.states, self.state_sizes, strict=True))
            entering = {state: sizes[state] for state in execution.layout.masks}
            masks = self._rates.draw(self._counter, len(rows.lengths), self.params, entering, self.dtype.name)
        packed = execution.packed(self.params, training, masks.weight)  # both ways: they may change before the way back
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
            learned=learned,
        )

    def _start(self, state: State | None, batch: int) -> State | None:
        """The initial state of every row, (B, H): the one given, or the learned one; None is zero."""
        if state is None and self._learned:
            return tuple(np.repeat(self.params[name][None], batch, axis=0) for name in self._learned)
        return self._check_state(state, batch)

    def _check_state(self, state: State | None, batch: int) -> State | None:
        return as_state(state, self.cell.states, (batch, *self.state_sizes), self.dtype, self.name)

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
            shape = (batch, rows.time, self.output_size) if self.return_sequences else (batch, self.output_size)
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
        if state is None and self._learned:
            state = self._start(None, len(as_vectors(x_t, self.dtype, self.name, self.input_size)))
        if execution.stepper is not None:
            found = execution.stepper.step(x_t, state, self.params.version)
            if found is not None:
                return found
        x_t = as_vectors(x_t, self.dtype, self.name, self.input_size)
        return execution.step(x_t, self._check_state(state, len(x_t)), self.params)

    def state_pool(self, rows: int) -> StatePool:
        """Room for the states of `rows` streams, where the engine reads and writes them."""
        return StatePool(self.execution, self.params, rows, self._learned)

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
        state = self._start(state, len(rows.lengths))
        packed = self.execution.packed(self.params)
        return self.execution.trace(rows, state, packed, names, self.go_backwards)
