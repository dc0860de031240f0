"""Attention: every step of a query reads a memory, sequence by sequence.

What sequences of a batch have to do with each other is nothing, so each is computed by itself, from its valid steps
alone.  Sums have the order of the steps, so that a query gives the same bits among others or alone.

Legend: B batch, Q steps of the queries, M steps of the memory (of one sequence), N and L valid steps of all queries
and memories, H heads, K features of a key, V of a value, F of the output.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from seqkit._core import matmul
from seqkit.errors import ConfigError, ShapeError
from seqkit.inputs import Inputs
from seqkit.layer import Layer, State
from seqkit.pools import Pool
from seqkit.sequences import as_sequences
from seqkit.steps import Steps


class Span(NamedTuple):
    """The rows of one sequence: of its queries and of its memory."""

    query: slice
    memory: slice


Read = tuple[np.ndarray, list[np.ndarray], Any]
"""The output (N, F); the weights of each sequence (H, Q, M), where they are kept; and what else the way back needs."""


class AttentionLayer(Layer):
    """Base class of layers with a query and a memory; a subclass defines `_read` and `_read_back` on valid steps."""

    inputs = ("query", "memory")
    causal: bool = False

    @property
    def reads_backwards(self) -> bool:
        """A step of a stream would need all steps before it, at least."""
        return True

    @abstractmethod
    def _read(self, query: np.ndarray, memory: np.ndarray, spans: Sequence[Span], keep: bool) -> Read:
        """What the queries (N, features) read in the memories (L, features)."""

    @abstractmethod
    def _read_back(
        self, dy: np.ndarray, spans: Sequence[Span], weights: list[np.ndarray], kept: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """Gradients of the queries and of the memories; adds to `grads`."""

    def forward(
        self, x: Any, lengths: Any = None, state: State | None = None, training: bool = True
    ) -> tuple[np.ndarray, Any]:
        """What every query reads; `x` is (query, memory), or one array that reads itself."""
        given, steps, rows = self._given(x, lengths)
        y, weights, kept = self._read(*rows, _spans(*steps), keep=training)
        return steps[0].spread(y), ((given, steps, weights, kept) if training else None)

    def backward(
        self, dy: np.ndarray, cache: Any, dstate: State | None = None, input_grad: bool = True
    ) -> tuple[Any, State]:
        """Gradients of query and memory as a tuple, or their sum where one array was given; adds to `grads`."""
        given, steps, weights, kept = cache
        rows = np.ascontiguousarray(steps[0].rows(dy, self.output_size, "dy"))
        parts = self._read_back(rows, _spans(*steps), weights, kept)
        if not input_grad:
            return None, ()
        return given.gradient([one.spread(part) for one, part in zip(steps, parts, strict=True)]), ()

    def weights(self, x: Any, lengths: Any = None) -> np.ndarray:
        """How much every query takes of every step of the memory: (B, H, Q, M), rows of which add up to 1.

        They are 0 for steps past the end of a memory and for queries past the end of theirs.
        """
        _, steps, rows = self._given(x, lengths)
        spans = _spans(*steps)
        found = self._read(*rows, spans, keep=True)[1]
        heads = found[0].shape[0] if found else 1
        array = np.zeros((len(spans), heads, steps[0].leading[1], steps[1].leading[1]), self.dtype)
        for row, weights in zip(array, found, strict=True):
            row[:, : weights.shape[1], : weights.shape[2]] = weights
        return array

    def _given(self, x: Any, lengths: Any) -> tuple[Inputs, tuple[Steps, Steps], tuple[np.ndarray, np.ndarray]]:
        """What is given, where it has valid steps, and those steps (N or L, features)."""
        self._require_built()
        given = Inputs.of(x, lengths, self.inputs, self.name)
        arrays = [as_sequences(array, self.dtype, self.name) for array in given.arrays]
        if len(arrays[0]) != len(arrays[1]):
            raise ShapeError(
                f"{self.name}: query has {len(arrays[0])} sequences and memory {len(arrays[1])}, expected as many."
            )
        query, memory = (
            Steps.of(array.shape[:2], ends, self.dtype, self.name)
            for array, ends in zip(arrays, given.lengths, strict=True)
        )
        sizes, names = self.input_sizes, self.inputs
        rows = query.rows(arrays[0], sizes[0], names[0]), memory.rows(arrays[1], sizes[1], names[1])
        return given, (query, memory), rows

    def step(self, x_t: Any, state: State | None = None) -> tuple[np.ndarray, State]:
        """Not possible: a step would need the whole memory."""
        raise self._no_stream()

    def state_pool(self, rows: int) -> Pool:
        """Not possible, like `step`."""
        raise self._no_stream()

    def _no_stream(self) -> ConfigError:
        return ConfigError(
            f"{self.name}: attention reads whole sequences, so there is no stream of its steps; call it on a query of "
            f"one step and its memory."
        )


def _spans(query: Steps, memory: Steps) -> list[Span]:
    """The rows of every sequence."""
    return [Span(*pair) for pair in zip(_slices(query), _slices(memory), strict=True)]


def _slices(steps: Steps) -> list[slice]:
    batch, time = steps.leading
    ends = np.cumsum(np.full(batch, time) if steps.valid is None else steps.valid.sum(axis=1)).tolist()
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]


# ---- scores to weights, and back -----------------------------------------------------------------


def softmax(scores: np.ndarray, causal: bool) -> np.ndarray:
    """Weights (H, Q, M) from scores, which are overwritten; with `causal`, query i reads steps 0 to i."""
    if not scores.size:
        return scores
    if causal:
        steps = np.arange(max(scores.shape[1:]))
        scores[:, steps[: scores.shape[1], None] < steps[: scores.shape[2]]] = -np.inf
    scores -= scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= sums(scores)
    return scores


def softmax_back(dweights: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Gradient of the scores."""
    return np.asarray(weights * (dweights - sums(dweights * weights)))


def read(weights: np.ndarray, values: np.ndarray, causal: bool) -> np.ndarray:
    """What queries (Q,) read of values (M, V) with these weights, (Q, M).

    0 times infinity is not 0: where values are not finite, a causal query multiplies those that it sees and no others.
    """
    if not causal or np.isfinite(values).all():
        return matmul(weights, values)
    found = np.zeros_like(values, shape=(len(weights), values.shape[1]))
    for n, row in enumerate(weights):
        found[n] = matmul(row[None, : n + 1], values[: n + 1])[0]
    return found


def sums(a: np.ndarray) -> np.ndarray:
    """Sums over the last axis, (..., 1), from the first to the last: NumPy's order depends on their number."""
    flat = a.reshape(math.prod(a.shape[:-1]), a.shape[-1])
    return matmul(flat, np.ones((a.shape[-1], 1), a.dtype)).reshape(*a.shape[:-1], 1)


# ---- products of queries and keys ----------------------------------------------------------------


class Heads(NamedTuple):
    """Queries (N, H, K), keys (L, H, K) and values (L, H, V) of all sequences."""

    query: np.ndarray
    key: np.ndarray
    value: np.ndarray

    def read(self, spans: Sequence[Span], causal: bool, keep: bool) -> tuple[np.ndarray, list[np.ndarray]]:
        """What every query reads, (N, H, V), the mean of the values with the weights softmax(q k); and the weights of
        each sequence, if they are to be kept."""
        found, kept = np.zeros_like(self.value, shape=(*self.query.shape[:2], self.value.shape[2])), []
        heads = range(self.query.shape[1])
        for query, memory in spans:
            q, k, v = self.query[query], self.key[memory], self.value[memory]
            weights = softmax(np.stack([matmul(q[:, h], k[:, h].T) for h in heads]), causal)
            for h in heads:
                found[query, h] = read(weights[h], v[:, h], causal)
            if keep:
                kept.append(weights)
        return found, kept

    def read_back(self, dfound: np.ndarray, spans: Sequence[Span], kept: list[np.ndarray]) -> Heads:
        """The gradients of all three."""
        dheads = Heads(*map(np.zeros_like, self))
        for (query, memory), weights in zip(spans, kept, strict=True):
            q, k, v, dread = self.query[query], self.key[memory], self.value[memory], dfound[query]
            heads = range(len(weights))
            dscores = softmax_back(np.stack([matmul(dread[:, h], v[:, h].T) for h in heads]), weights)
            for h in heads:
                dheads.query[query, h] = matmul(dscores[h], k[:, h])
                dheads.key[memory, h] = matmul(dscores[h].T, q[:, h])
                dheads.value[memory, h] = matmul(weights[h].T, dread[:, h])
        return dheads
