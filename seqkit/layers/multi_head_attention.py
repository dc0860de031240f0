"""Attention of several heads.

Legend: N valid steps of all queries, L of all memories, H heads, K features of a head, F features of the query,
M of the memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqkit import initializers
from seqkit._core import add_column_sums, matmul
from seqkit.attention import AttentionLayer, Heads, Read, Span
from seqkit.options import positive_integer


class MultiHeadAttention(AttentionLayer):
    r"""Several heads, each of which finds something else in a memory, and a linear layer that puts it together.

    .. math:: y_t = b_o + W_o \bigl[h_1, \dots, h_H\bigr], \quad
        h_i = \sum_{u < n} a^i_{tu} v^i_u, \quad
        a^i_t = \operatorname{softmax}_u \Bigl(\frac{q^i_t \cdot k^i_u}{\sqrt K}\Bigr)

    where :math:`q^i, k^i, v^i` are rows :math:`i K` to :math:`(i + 1) K` of :math:`W_q q + b_q`, :math:`W_k m` and
    :math:`W_v m + b_v`.  (A bias of the keys would add the same to all scores of a query, which changes no weight.)
    The inputs are (query, memory); one array alone reads itself.  Steps past the end of a
    memory are not read, and in an empty memory all heads find 0, so that y is b_o.  The output has the steps and the
    number of features of the query.

    Parameters
    ----------
    num_heads, key_dim : int
        H and K; PyTorch's ``embed_dim`` is H K.
    causal : bool
        Whether step t of the query sees steps 0 to t of the memory alone.
    use_bias : bool
        Whether there are b.
    kernel_initializer, bias_initializer : str
        Names of the initial values, see :mod:`seqkit.initializers`.

    Attributes
    ----------
    params : Parameters
        ``weight_query`` (H K, F), ``weight_key`` and ``weight_value`` (H K, M), ``weight_output`` (F, H K) and, with
        biases, ``bias_query`` and ``bias_value`` (H K,) and ``bias_output`` (F,).  PyTorch's ``in_proj_weight`` is
        those of query, key and value one below the other, as is its ``in_proj_bias``, whose second third has no
        effect; its ``out_proj`` is the output.  Keras' kernels are the transposes, split by heads.

    Raises
    ------
    ConfigError
        If a number is not a positive integer or a name is unknown.

    References
    ----------
    Vaswani et al., "Attention is all you need", NIPS 2017.

    Examples
    --------
    >>> import numpy as np
    >>> layer = MultiHeadAttention(2, 3, causal=True).build(4, seed=0)
    >>> x = np.random.default_rng(0).standard_normal((1, 3, 4), dtype=np.float32)
    >>> layer(x).shape, layer.weights(x)[0, 0, 0].tolist()
    ((1, 3, 4), [1.0, 0.0, 0.0])
    """

    name = "multi_head_attention"

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        causal: bool = False,
        use_bias: bool = True,
        kernel_initializer: str = "glorot_uniform",
        bias_initializer: str = "zeros",
    ) -> None:
        self.num_heads = positive_integer(num_heads, f"{self.name}: num_heads")
        self.key_dim = positive_integer(key_dim, f"{self.name}: key_dim")
        self.causal, self.use_bias = bool(causal), bool(use_bias)
        self.kernel_initializer, self.bias_initializer = kernel_initializer, bias_initializer
        self._initialize_weight = initializers.get(kernel_initializer)
        self._initialize_bias = initializers.get(bias_initializer)

    def config(self) -> dict[str, Any]:
        return {
            "num_heads": self.num_heads,
            "key_dim": self.key_dim,
            "causal": self.causal,
            "use_bias": self.use_bias,
            "kernel_initializer": self.kernel_initializer,
            "bias_initializer": self.bias_initializer,
        }

    def _build(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        inner, (query, memory) = self.num_heads * self.key_dim, self.input_sizes
        shapes = {"query": (inner, query), "key": (inner, memory), "value": (inner, memory), "output": (query, inner)}
        arrays = {}
        for name, shape in shapes.items():
            initializers.require_room(shape, self.name)
            arrays[f"weight_{name}"] = self._initialize_weight(shape, rng)
            if self.use_bias and name != "key":
                arrays[f"bias_{name}"] = self._initialize_bias(shape[:1], rng)
        return arrays

    def _linear(self, name: str, rows: np.ndarray) -> np.ndarray:
        """One of the four linear layers."""
        params = self.params.reading()
        return matmul(rows, params[f"weight_{name}"].T, bias=params.get(f"bias_{name}"))

    def _linear_back(self, name: str, dz: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Gradient of its input; adds to `grads`."""
        dz = dz.reshape(len(rows), self.params[f"weight_{name}"].shape[0])
        matmul(dz.T, rows, out=self.grads[f"weight_{name}"])
        if f"bias_{name}" in self.grads:
            add_column_sums(self.grads[f"bias_{name}"], dz)
        return matmul(dz, self.params.reading()[f"weight_{name}"])

    def _heads(self, name: str, rows: np.ndarray) -> np.ndarray:
        """What a linear layer gives, by heads, (N or L, H, K)."""
        return self._linear(name, rows).reshape(len(rows), self.num_heads, self.key_dim)

    @property
    def _factor(self) -> np.floating[Any]:
        return self.dtype.type(self.key_dim**-0.5)

    def _read(self, query: np.ndarray, memory: np.ndarray, spans: Sequence[Span], keep: bool) -> Read:
        q = self._factor * self._heads("query", query)
        heads = Heads(q, self._heads("key", memory), self._heads("value", memory))
        found, weights = heads.read(spans, self.causal, keep)
        flat = found.reshape(len(query), self.num_heads * self.key_dim)
        return self._linear("output", flat), weights, (query, memory, heads, flat)

    def _read_back(
        self, dy: np.ndarray, spans: Sequence[Span], weights: list[np.ndarray], kept: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        query, memory, heads, flat = kept
        dfound = self._linear_back("output", dy, flat).reshape(heads.query.shape)
        dheads = heads.read_back(dfound, spans, weights)
        dquery = self._linear_back("query", self._factor * dheads.query, query)
        dmemory = self._linear_back("key", dheads.key, memory)
        dmemory += self._linear_back("value", dheads.value, memory)
        return dquery, dmemory
