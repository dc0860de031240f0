"""Streams: many independent sequences, a step of any of them at a time.

Every stream has two rows in the state arrays of each layer.  A tick reads the one and writes the
other; only when all layers have run do the streams turn over.  So a tick happens as a whole or,
after an error or Ctrl-C, not at all.

Legend: N streams of a tick, F features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from seqkit import _core
from seqkit.arrays import as_array
from seqkit.errors import DTypeError, ShapeError, StreamError
from seqkit.options import positive_integer
from seqkit.pools import Pool, Saved


class Streams:
    """A pool of independent streams of one layer or model; made by its ``streams(capacity)``.

    A stream is a sequence of which one step is known at a time.  Its outputs have the bits of a call
    with the whole sequence, whichever streams were fed together with it.  All memory for states is
    taken once.  Weights that have changed count from the next tick on.

    Parameters
    ----------
    owner : str
        Name used in error messages.
    state_pools : mapping of str to callable
        ``state_pool`` of every layer, in the order of the layers; the keys are prefixes of the names
        in saved states.
    capacity : int
        The largest number of open streams.
    several : bool
        Whether there are several inputs, which `feed` takes as a tuple.

    Attributes
    ----------
    capacity : int

    Notes
    -----
    Threads may use one pool: ticks come one after the other.  Ticks of different pools, of the same
    model too, run at the same time.

    Examples
    --------
    >>> import numpy as np
    >>> import seqkit
    >>> layer = seqkit.LSTM(4, return_sequences=True).build(3, seed=0)
    >>> x = np.random.default_rng(0).standard_normal((2, 5, 3), dtype=np.float32)
    >>> streams = layer.streams(capacity=10)
    >>> ids = [streams.open(), streams.open()]
    >>> y = [streams.feed(ids, x[:, t]) for t in range(5)]
    >>> bool((np.stack(y, axis=1) == layer(x)).all())
    True
    """

    def __init__(
        self, owner: str, state_pools: Mapping[str, Callable[[int], Pool]], capacity: int, several: bool = False
    ) -> None:
        self.capacity = positive_integer(capacity, f"{owner}: capacity")
        self._pools = {prefix: make(2 * self.capacity) for prefix, make in state_pools.items()}
        self._owner, self._several, self._lock = owner, several, Lock()
        self._turn = np.full(self.capacity, -1)  # which of its two rows a stream is in; -1: closed
        self._closed = list(range(self.capacity - 1, -1, -1))

    def __len__(self) -> int:
        """Number of open streams."""
        return self.capacity - len(self._closed)

    def open(self) -> int:
        """Start a stream; gives its id, from 0 to capacity - 1.

        Raises
        ------
        StreamError
            If `capacity` streams are open.
        """
        with self._lock:
            return self._open(self._clear)

    def _open(self, fill: Callable[[int], None]) -> int:
        """Open the stream whose state `fill` has written."""
        if not self._closed:
            raise StreamError(
                f"{self._owner}: all {self.capacity} streams are open; close one or make a pool of larger capacity."
            )
        stream = self._closed[-1]
        fill(2 * stream)
        self._turn[stream] = 0
        return self._closed.pop()

    def close(self, stream: int) -> None:
        """End a stream; its id may be given again.

        Raises
        ------
        StreamError
            If it is not open.
        """
        with self._lock:
            self._row(stream)
            self._turn[stream] = -1
            self._closed.append(int(stream))

    def reset(self, stream: int) -> None:
        """Put an open stream back to the start of a sequence.

        Raises
        ------
        StreamError
            If it is not open.
        """
        with self._lock:
            self._clear(self._row(stream))

    def _clear(self, row: int) -> None:
        for pool in self._pools.values():
            pool.clear(row)

    def feed(self, ids: ArrayLike, x: ArrayLike | tuple[ArrayLike, ...]) -> np.ndarray:
        """One step of some streams.

        Parameters
        ----------
        ids : array_like of int, (N,)
            Open streams in any order, none twice.
        x : array_like, (N, F) or ids of tokens (N,), or a tuple of such
            The next step of each; a tuple for several inputs.

        Returns
        -------
        ndarray, (N, output features)
            The output of each at this step, in the order of `ids`; a new array.

        Raises
        ------
        StreamError
            If a stream is not open or named twice.
        ShapeError, DTypeError
            If x or ids don't fit.  After any error every stream is as before.
        """
        given = x if self._several and isinstance(x, tuple) else (x,)
        streams, inputs = self._as_ids(ids), tuple(as_array(one, self._owner) for one in given)
        for one in inputs:
            if one.shape[:1] != streams.shape:
                raise ShapeError(
                    f"{self._owner}: x has shape {one.shape}, expected {len(streams)} rows, one for each of ids."
                )
        y: Any = inputs if len(inputs) > 1 else inputs[0]
        with self._lock:
            sources, targets = self._rows(streams)
            for pool in self._pools.values():
                y = pool.feed(y, sources, targets)
            self._turn[streams] = targets & 1
        return y

    def save(self, stream: int) -> Saved:
        """The state of an open stream: arrays by name, to be pickled or given to ``np.savez``.

        Raises
        ------
        StreamError
            If it is not open.
        """
        with self._lock:
            row = self._row(stream)
            parts = [(prefix, pool.save(row)) for prefix, pool in self._pools.items()]
        return {prefix + name: array for prefix, part in parts for name, array in part.items()}

    def restore(self, saved: Mapping[str, np.ndarray]) -> int:
        """Open a stream that goes on where a saved one was, of this pool or one of an equal model.

        Raises
        ------
        StreamError
            If `capacity` streams are open.
        ShapeError, DTypeError
            If the state is of another model.
        """
        unknown = [name for name in saved if not name.startswith(tuple(self._pools))]
        if unknown:
            raise ShapeError(f"{self._owner}: the saved state holds {unknown[0]!r}, which no layer has; use its model.")

        def fill(row: int) -> None:
            for prefix, pool in self._pools.items():
                names = [name for name in saved if name.startswith(prefix)]
                pool.load(row, {name.removeprefix(prefix): np.asarray(saved[name]) for name in names})

        with self._lock:
            return self._open(fill)

    # ---- ids and rows ------------------------------------------------------------------------

    def _as_ids(self, ids: ArrayLike) -> np.ndarray:
        streams = np.asarray(ids)
        if streams.ndim != 1:
            raise ShapeError(f"{self._owner}: ids has shape {streams.shape}, expected (streams,).")
        if streams.size and streams.dtype.kind not in "iu":
            raise DTypeError(f"{self._owner}: ids must be integers, got dtype {streams.dtype}.")
        return streams.astype(np.int64)

    def _rows(self, streams: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The rows where the streams are and where they go, each (N,)."""
        sources = np.empty_like(streams)
        wrong = _core.rows_of_streams(streams, self._turn, sources)
        if wrong >= 0:
            self._row(streams[wrong])
            raise StreamError(f"{self._owner}: stream {streams[wrong]} comes twice in ids; feed its steps one by one.")
        return sources, sources ^ 1

    def _row(self, stream: int) -> int:
        """The row where one stream is."""
        if not isinstance(stream, (int, np.integer)) or not 0 <= stream < self.capacity or self._turn[stream] < 0:
            raise StreamError(
                f"{self._owner}: stream {stream!s} is not open; open() and restore() give the ids to use."
            )
        return 2 * int(stream) + int(self._turn[stream])
