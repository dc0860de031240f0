"""Attention with dot products, in NumPy: a second opinion, and a layer of two inputs to test with."""

from __future__ import annotations

from typing import Any

import numpy as np

import seqkit
from seqkit.inputs import Inputs


@seqkit.register("test_dot")
class Dot(seqkit.Layer):
    """c_t = sum_s a_ts m_s with a_t = softmax_s(q_t . m_s)."""

    inputs = ("query", "memory")

    @property
    def output_size(self) -> int:
        return self.input_sizes[1]

    @property
    def reads_backwards(self) -> bool:
        return True

    def weights(self, x: Any, lengths: Any = None) -> np.ndarray:
        """(B, one head, T, S)."""
        return self._weights(x, lengths)[:, None]

    def _weights(self, x: Any, lengths: Any) -> np.ndarray:
        given = Inputs.of(x, lengths, self.inputs, self.name)
        query, memory = given.arrays
        a = np.zeros((*query.shape[:2], memory.shape[1]), query.dtype)
        for n, (q, m) in enumerate(zip(query, memory, strict=True)):
            until, end = (
                len(one) if ends is None else ends[n] for one, ends in zip((q, m), given.lengths, strict=True)
            )
            if end:
                for t in range(until):
                    z = np.array([(q[t] * row).sum() for row in m[:end]])
                    a[n, t, :end] = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
        return a

    def forward(self, x: Any, lengths: Any = None, state: Any = None, training: bool = True) -> tuple[np.ndarray, Any]:
        given = Inputs.of(x, lengths, self.inputs, self.name)
        a, (query, memory) = self._weights(x, lengths), given.arrays
        y = np.zeros((*query.shape[:2], memory.shape[2]), query.dtype)
        for n, t in np.ndindex(*query.shape[:2]):
            for s in np.flatnonzero(a[n, t]):
                y[n, t] += a[n, t, s] * memory[n, s]
        return y, (given, a)

    def backward(self, dy: np.ndarray, cache: Any, dstate: Any = None, input_grad: bool = True) -> tuple[Any, Any]:
        given, a = cache
        parts = tuple(np.where(np.isfinite(one), one, 0) for one in given.arrays)
        query, memory = parts
        da = np.einsum("ntf,nsf->nts", dy, memory)
        dz = a * (da - (a * da).sum(axis=2, keepdims=True))
        dquery = np.einsum("nts,nsf->ntf", dz, memory)
        dmemory = np.einsum("nts,ntf->nsf", a, dy) + np.einsum("nts,ntf->nsf", dz, query)
        return given.gradient((dquery, dmemory)), ()
