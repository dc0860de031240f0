"""Layers that run over sequences on the engine: what one direction and two have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from seqkit import _core
from seqkit.errors import ShapeError
from seqkit.layer import Layer, State
from seqkit.plan import Plan, plan_calls
from seqkit.rows import Rows
from seqkit.sequences import is_ragged


class TapeBytes(NamedTuple):
    """Bytes of a training pass: by each step of a segment, by the state before each segment, and in any case."""

    step: int
    segment: int
    fixed: int


class SequenceLayer(Layer):
    """A layer with a state that reads arrays, arrays with lengths, or lists of sequences.

    A subclass defines :meth:`run`; its caches have a `state`, the final one.
    """

    return_state: bool = False
    go_backwards: bool = False
    checkpoint: int | None
    directions: ClassVar[int] = 1

    @property
    def reads_backwards(self) -> bool:
        """Whether a direction starts at the end."""
        return self.go_backwards or self.directions > 1

    @abstractmethod
    def tape_bytes(self, batch: int) -> TapeBytes:
        """What a training pass on `batch` sequences takes."""

    @abstractmethod
    def cut(self, steps: int | None) -> None:
        """Train in segments of `steps` steps, whatever `checkpoint` says; None is as `checkpoint` says."""

    @abstractmethod
    def run(self, rows: Rows, state: State | None, training: bool) -> tuple[Any, Any]:
        """Output (Rows where steps come out, else an array; or a tuple of such) and cache."""

    def forward(
        self, x: np.ndarray, lengths: np.ndarray | None = None, state: State | None = None, training: bool = True
    ) -> tuple[Any, Any]:
        """Output, (B, T, features) or (B, features), and a cache whose `state` is the final state.

        Raises
        ------
        ShapeError, DTypeError
            If x, lengths or state do not fit the layer.
        """
        self._ensure_built(x)
        rows = Rows.of_array(x, lengths, self.dtype, self.name, self.input_size)
        y, cache = self.run(rows, state, training)
        return arrays_of(y), cache

    def __call__(
        self,
        x: Any,
        lengths: Any = None,
        training: bool = False,
        *,
        state: State | None = None,
        return_state: bool | None = None,
    ) -> Any:
        """Output of an array, an array with lengths, or a list of (time_i, features) arrays.

        A list gives a list where the layer returns sequences; nothing is padded.  With
        `return_state`, or the layer's own option, the result is ``(y, state)``.
        """
        if is_ragged(x):
            self._ensure_built(x[0])
            y, cache = self.run(Rows.of_list(x, self.dtype, self.name, self.input_size), state, training)
            y = each(y, lambda part: part.split() if isinstance(part, Rows) else part)
        else:
            y, cache = self.forward(x, lengths, state, training)
        wanted = self.return_state if return_state is None else return_state
        return (y, cache.state) if wanted else y

    def plan(self, shape: Sequence[int], training: bool = False) -> Plan:
        """How a call on a (batch, time, features) array will run; nothing is computed.

        Examples
        --------
        >>> import seqkit
        >>> layer = seqkit.LSTM(128, return_sequences=True)
        >>> with seqkit.threads(1):
        ...     layer.plan((32, 100, 64)).tasks
        (1,)
        """
        batch, time, features = shape
        if not self.built:
            self.build(features)
        rows = Rows.of_array(
            np.zeros((batch, time, features), self.dtype), None, self.dtype, self.name, self.input_size
        )
        return plan_calls(self._calls(rows, training), batch)

    @abstractmethod
    def _calls(self, rows: Rows, training: bool) -> list[_core.Call]:
        """The calls that `run` would make, bound but not run."""

    def _ensure_built(self, x: Any) -> None:
        if not self.built:
            shape = np.shape(x)
            if len(shape) < 2:
                raise ShapeError(f"{self.name}: x has shape {shape}, expected (batch, time, features).")
            self.build(shape[-1])


def each(y: Any, change: Callable[[Any], Any]) -> Any:
    """`change` of an output, or of each where there are several."""
    return tuple(map(change, y)) if isinstance(y, tuple) else change(y)


def arrays_of(y: Any) -> Any:
    """Rows as their arrays."""
    return each(y, lambda part: part.array if isinstance(part, Rows) else part)
