"""Attention by a small network.

Legend: N valid steps of all queries, L of all memories, Q and M those of one sequence, U units.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqkit import initializers
from seqkit._core import add_column_sums, matmul
from seqkit.attention import AttentionLayer, Read, Span, read, softmax, softmax_back
from seqkit.options import positive_integer


class AdditiveAttention(AttentionLayer):
    r"""What a query finds in a memory: the mean of its steps, weighted by a network of one layer.

    .. math:: y_t = \sum_{u < n} a_{tu} m_u, \quad
        a_t = \operatorname{softmax}_u \bigl(v \cdot \tanh(W_q q_t + W_m m_u + b)\bigr)

    The inputs are (query, memory) of any numbers of features; one array alone reads itself.  Steps past the end of a
    memory are not read, and in an empty memory a query finds 0.  The output has the steps of the query and the
    features of the memory.  Keras' layer of this name has no W and no b: put `Dense` layers before it there.

    Parameters
    ----------
    units : int
        Units of the network, U.
    causal : bool
        Whether step t of the query sees steps 0 to t of the memory alone.
    kernel_initializer : str
        Name of the initial values of all matrices, see :mod:`seqkit.initializers`.

    Attributes
    ----------
    params : Parameters
        ``weight_query`` (U, features of the query), ``weight_memory`` (U, features of the memory), ``bias`` (U,) and
        ``v`` (1, U).

    Raises
    ------
    ConfigError
        If `units` is not a positive integer.

    References
    ----------
    Bahdanau, Cho and Bengio, "Neural machine translation by jointly learning to align and translate", ICLR 2015.

    Examples
    --------
    >>> import numpy as np
    >>> layer = AdditiveAttention(4).build((3, 2), seed=0, dtype="float64")
    >>> query, memory = np.ones((1, 1, 3)), np.array([[[1.0, 2.0], [1.0, 2.0]]])
    >>> layer((query, memory)).tolist(), layer.weights((query, memory)).tolist()
    ([[[1.0, 2.0]]], [[[[0.5, 0.5]]]])
    """

    name = "additive_attention"

    def __init__(self, units: int, causal: bool = False, kernel_initializer: str = "glorot_uniform") -> None:
        self.units, self.causal = positive_integer(units, f"{self.name}: units"), bool(causal)
        self.kernel_initializer = kernel_initializer
        self._initialize = initializers.get(kernel_initializer)

    def config(self) -> dict[str, Any]:
        return {"units": self.units, "causal": self.causal, "kernel_initializer": self.kernel_initializer}

    @property
    def output_size(self) -> int:
        self._require_built()
        return self.input_sizes[1]

    def _build(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        shapes = {
            "weight_query": (self.units, self.input_sizes[0]),
            "weight_memory": (self.units, self.input_sizes[1]),
            "v": (1, self.units),
        }
        for shape in shapes.values():
            initializers.require_room(shape, self.name)
        arrays = {name: self._initialize(shape, rng) for name, shape in shapes.items()}
        return arrays | {"bias": np.zeros(self.units)}

    def _read(self, query: np.ndarray, memory: np.ndarray, spans: Sequence[Span], keep: bool) -> Read:
        params = self.params.reading()
        q = matmul(query, params["weight_query"].T, bias=params["bias"])  # (N, U)
        m = matmul(memory, params["weight_memory"].T)  # (L, U)
        found, kept = np.zeros_like(memory, shape=(len(query), memory.shape[1])), []
        for span in spans:
            hidden = _hidden(q, m, span)
            scores = matmul(hidden.reshape(-1, self.units), params["v"].T).reshape(1, *hidden.shape[:2])
            weights = softmax(scores, self.causal)
            found[span.query] = read(weights[0], memory[span.memory], self.causal)
            if keep:
                kept.append(weights)
        return found, kept, (query, memory, q, m)

    def _read_back(
        self, dy: np.ndarray, spans: Sequence[Span], weights: list[np.ndarray], kept: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        query, memory, q, m = kept
        params = self.params.reading()
        dq, dm, dmemory = np.zeros_like(q), np.zeros_like(m), np.zeros_like(memory)
        for span, each in zip(spans, weights, strict=True):
            dread, hidden = dy[span.query], _hidden(q, m, span)  # less memory than to keep it: Q M U numbers
            dmemory[span.memory] = matmul(each[0].T, dread)
            dscores = softmax_back(matmul(dread, memory[span.memory].T)[None], each).reshape(-1, 1)  # (Q M, 1)
            matmul(dscores.T, hidden.reshape(-1, self.units), out=self.grads["v"])
            dhidden = dscores.reshape(*hidden.shape[:2], 1) * params["v"] * (1 - hidden * hidden)  # (Q, M, U)
            dq[span.query] = _added(dhidden)
            dm[span.memory] = _added(dhidden.transpose(1, 0, 2))
        matmul(dq.T, query, out=self.grads["weight_query"])
        matmul(dm.T, memory, out=self.grads["weight_memory"])
        add_column_sums(self.grads["bias"], dq)
        return matmul(dq, params["weight_query"]), dmemory + matmul(dm, params["weight_memory"])


def _hidden(q: np.ndarray, m: np.ndarray, span: Span) -> np.ndarray:
    """The network's units for every pair of a query and a step of the memory, (Q, M, U)."""
    return np.asarray(np.tanh(q[span.query, None] + m[span.memory]))


def _added(a: np.ndarray) -> np.ndarray:
    """Sums over the second axis, from the first to the last, whatever the strides."""
    total = np.zeros_like(a, shape=(len(a), a.shape[2]))
    for part in a.swapaxes(0, 1):
        total += part
    return total
