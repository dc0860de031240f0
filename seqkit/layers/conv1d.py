"""Convolution over time.

Legend: B batch, T time, F input features, U filters, K taps of the kernel, D steps that a window looks back,
N valid steps, M windows (steps of the output).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from seqkit import activations, initializers
from seqkit._core import add_column_sums, matmul, scatter_add
from seqkit.errors import ConfigError
from seqkit.layer import Layer, State
from seqkit.options import positive_integer
from seqkit.sequences import as_gradient, as_sequences, as_state
from seqkit.steps import Steps
from seqkit.windows import Windows

PADDINGS = ("valid", "same", "causal")


class Cache(NamedTuple):
    """What the way back needs."""

    steps: Steps
    windows: Windows
    steps_out: Steps
    state: State
    """The last D steps of every sequence, (B, D F)."""
    places: np.ndarray
    """(M, K): rows of the table that every window covers."""
    columns: Any
    """(M, K F): what they hold; None outside training."""
    kept: Any
    """What the activation keeps."""


class Conv1D(Layer):
    r"""Convolution over time: every window of `kernel_size` steps gives one step.

    .. math:: y_t = \phi\Bigl(b + \sum_{j=0}^{K-1} W_j\, x_{s t + d j - p}\Bigr)

    with the stride s, the dilation d, and p steps of zeros in front.  A sequence ends where its length says: what
    follows it counts as zeros, whatever it holds, so that a padded sequence gives what it gives alone.

    Parameters
    ----------
    filters : int
        Number of output features.
    kernel_size : int
        Steps that a window covers, K.
    strides : int
        Steps from one window to the next, s.
    padding : {"valid", "same", "causal"}
        Of n steps, "valid" makes :math:`\lfloor (n - 1 - d (K - 1)) / s \rfloor + 1`, from windows that lie within the
        sequence (none where it is shorter); "same" and "causal" make :math:`\lceil n / s \rceil`.  "same" has the zeros
        that are missing on both sides, the odd one behind; "causal" has them all in front, so that no output sees what
        is to come, and with strides of 1 there is a stream.
    dilation_rate : int
        Steps from one number of a window to the next, d.
    activation : str or mapping, optional
        Function of the sum, see :mod:`seqkit.activations`.
    use_bias : bool
        Whether there is a b.
    kernel_initializer, bias_initializer : str
        Names of the initial values, see :mod:`seqkit.initializers`; W is (U, K F) to them.
    input_shape : tuple of int, optional
        ``(time, features)`` of one sample; builds the model it is added to.

    Attributes
    ----------
    params : Parameters
        ``weight`` (U, K, F) and, with a bias, ``bias`` (U,).  PyTorch has (U, F, K), Keras (K, F, U).

    Raises
    ------
    ConfigError
        If a number is not a positive integer or a name is unknown.

    Examples
    --------
    Differences, of which "valid" has one less than there are steps:

    >>> import numpy as np
    >>> layer = Conv1D(1, 2, use_bias=False).build(1, dtype="float64")
    >>> layer.params["weight"] = [[[-1.0], [1.0]]]
    >>> layer(np.array([[[1.0], [4.0], [9.0]]]))[0, :, 0].tolist()
    [3.0, 5.0]
    """

    name = "conv1d"

    def __init__(
        self,
        filters: int,
        kernel_size: int = 3,
        strides: int = 1,
        padding: str = "valid",
        dilation_rate: int = 1,
        activation: str | Mapping[str, Any] | None = None,
        use_bias: bool = True,
        kernel_initializer: str = "glorot_uniform",
        bias_initializer: str = "zeros",
        input_shape: Sequence[int | None] | None = None,
    ) -> None:
        self.filters = positive_integer(filters, f"{self.name}: filters")
        self.kernel_size = positive_integer(kernel_size, f"{self.name}: kernel_size")
        self.strides = positive_integer(strides, f"{self.name}: strides")
        self.dilation_rate = positive_integer(dilation_rate, f"{self.name}: dilation_rate")
        if padding not in PADDINGS:
            raise ConfigError(f"{self.name}: padding must be one of {', '.join(PADDINGS)}, got {padding!r}.")
        self.padding = padding
        self.activation = dict(activation) if isinstance(activation, Mapping) else activation
        self.use_bias = bool(use_bias)
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer
        self.input_shape = None if input_shape is None else tuple(input_shape)
        self._taps = np.arange(self.kernel_size) * self.dilation_rate  # where a window has its numbers, (K,)
        self._activation = activations.get(activation)
        self._initialize_weight = initializers.get(kernel_initializer)
        self._initialize_bias = initializers.get(bias_initializer)

    def config(self) -> dict[str, Any]:
        return {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "dilation_rate": self.dilation_rate,
            "activation": self.activation,
            "use_bias": self.use_bias,
            "kernel_initializer": self.kernel_initializer,
            "bias_initializer": self.bias_initializer,
            "input_shape": self.input_shape and list(self.input_shape),
        }

    @property
    def output_size(self) -> int:
        return self.filters

    @property
    def span(self) -> int:
        """Steps from the first to the last number of a window, d (K - 1)."""
        return self.dilation_rate * (self.kernel_size - 1)

    @property
    def history(self) -> int:
        """D, the steps before a call that its first windows cover."""
        return self.span if self.padding == "causal" and self.strides == 1 else 0

    @property
    def reads_backwards(self) -> bool:
        """Whether a window covers steps that are to come, or is not there for each step."""
        return self.span != self.history or self.strides > 1

    def output_lengths(self, lengths: Any) -> np.ndarray:
        """Windows of sequences of these lengths."""
        steps = np.asarray(lengths, np.int64)
        covered = steps - self.span if self.padding == "valid" else steps
        return np.maximum(-(-covered // self.strides), 0)

    def _before(self, lengths: np.ndarray) -> np.ndarray:
        """Zeros in front of sequences of these lengths, p."""
        if self.padding != "same":
            return np.full_like(lengths, self.span if self.padding == "causal" else 0)
        covered = (self.output_lengths(lengths) - 1) * self.strides + self.span + 1
        return np.asarray(np.maximum(covered - lengths, 0) // 2)

    def _build(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        shape = (self.filters, self.kernel_size * self.input_size)
        initializers.require_room(shape, self.name)
        weight = self._initialize_weight(shape, rng)
        arrays = {"weight": weight.reshape(self.filters, self.kernel_size, self.input_size)}
        if self.use_bias:
            arrays["bias"] = self._initialize_bias((self.filters,), rng)
        return arrays

    @property
    def _weight(self) -> np.ndarray:
        """W as a matrix (U, K F)."""
        return self.params.reading()["weight"].reshape(self.filters, -1)

    def forward(
        self, x: np.ndarray, lengths: np.ndarray | None = None, state: State | None = None, training: bool = True
    ) -> tuple[np.ndarray, Cache]:
        """Output of a batch; the cache of a causal layer with strides of 1 has a `state`, the last steps."""
        self._require_built()
        x = as_sequences(x, self.dtype, self.name, self.input_size)
        batch, time, _ = x.shape
        steps = Steps.of((batch, time), lengths, self.dtype, self.name)
        counts = np.full(batch, time, np.int64) if steps.valid is None else steps.valid.sum(axis=1)
        windows = Windows(counts, self.history)
        table = windows.table(steps.pick(x), self._past(state, batch))
        places = windows.covered(self.output_lengths(counts), self._before(counts), self.strides, self._taps)
        columns = table.take(places, axis=0).reshape(len(places), self._weight.shape[1])  # (M, K F)
        z = matmul(columns, self._weight.T, bias=self.params.reading().get("bias"))  # (M, U)
        y = self._activation.forward(z)
        final = (table[windows.last()].reshape(batch, self.history * self.input_size),) if self.history else ()
        ends = None if steps.valid is None else self.output_lengths(counts)
        steps_out = Steps.of((batch, int(self.output_lengths(time))), ends, self.dtype, self.name)
        kept = (columns, self._activation.kept(z, y)) if training else (None, None)
        return steps_out.spread(y), Cache(steps, windows, steps_out, final, places, *kept)

    def _past(self, state: State | None, batch: int) -> np.ndarray:
        """The steps before each sequence, (B D, F)."""
        given = as_state(state or None, ("past",), (batch, self.history * self.input_size), self.dtype, self.name)
        shape = (batch * self.history, self.input_size)
        return np.zeros(shape, self.dtype) if given is None else given[0].reshape(shape)

    def backward(
        self, dy: np.ndarray, cache: Cache, dstate: State | None = None, input_grad: bool = True
    ) -> tuple[np.ndarray | None, State]:
        """Gradient of the input and of the steps before; adds to `grads`."""
        dz = np.ascontiguousarray(self._activation.backward(cache.steps_out.rows(dy, self.filters, "dy"), cache.kept))
        matmul(dz.T, cache.columns, out=self.grads["weight"].reshape(self.filters, -1))
        if self.use_bias:
            add_column_sums(self.grads["bias"], dz)
        if not input_grad and not self.history:
            return None, ()
        dtable = self._dtable(dz, cache, dstate)
        before, batch = cache.windows.before, len(cache.windows.lengths)
        dpast = (dtable[1:before].reshape(batch, self.history * self.input_size),) if self.history else ()
        return (cache.steps.spread(dtable[before:]) if input_grad else None), dpast

    def _dtable(self, dz: np.ndarray, cache: Cache, dstate: State | None) -> np.ndarray:
        """Gradient of the table.  What is later is added first: so the last steps, which the next call has before it,
        get the same bits from one call as from two."""
        rows = cache.windows.before + cache.steps.count
        dtable = np.zeros((rows, self.input_size), self.dtype)
        if self.history and dstate:
            shape = (len(cache.windows.lengths), self.history * self.input_size)
            later = as_gradient(dstate[0], shape, self.dtype, self.name)
            scatter_add(dtable, cache.windows.last().reshape(-1), later.reshape(-1, self.input_size))
        dcolumns = matmul(dz[::-1], self._weight)  # (M, K F)
        places = np.ascontiguousarray(cache.places[::-1]).reshape(-1)
        scatter_add(dtable, places, dcolumns.reshape(-1, self.input_size))
        return dtable

    def step(self, x_t: np.ndarray, state: State | None = None) -> tuple[np.ndarray, State]:
        """One step of a stream, of a causal layer with strides of 1 or a kernel of one step."""
        if self.reads_backwards:
            raise ConfigError(
                f"{self.name}: a stream needs padding='causal' and strides of 1, got {self.padding!r} and "
                f"{self.strides}: other windows cover steps that are to come, or skip some."
            )
        return super().step(x_t, state)
