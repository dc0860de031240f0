"""Attention by products.

Legend: N valid steps of all queries, L of all memories, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqkit.attention import AttentionLayer, Heads, Read, Span
from seqkit.errors import ConfigError
from seqkit.options import by_name

SCALES = {"none": "1", "sqrt": "1 / sqrt(F)", "trained": "a parameter"}


class Attention(AttentionLayer):
    r"""What a query finds in a memory: the mean of its steps, by how well they fit.

    .. math:: y_t = \sum_{u < n} a_{tu} m_u, \quad a_t = \operatorname{softmax}_u (s \, q_t \cdot m_u)

    The inputs are (query, memory) with the same number of features; one array alone reads itself.  Steps past the end
    of a memory are not read, and in an empty memory a query finds 0.  The output has the steps of the query.

    Parameters
    ----------
    scale : {"none", "sqrt", "trained"}
        The factor s: 1, as in Luong et al. ("dot"); :math:`1 / \sqrt F`, as in Vaswani et al.; or a parameter that
        begins at 1, which is Keras' ``use_scale=True``.
    causal : bool
        Whether step t of the query sees steps 0 to t of the memory alone.

    Attributes
    ----------
    params : Parameters
        With a trained scale, ``scale`` (1,).

    Raises
    ------
    ConfigError
        If `scale` is unknown, or query and memory have other numbers of features.

    References
    ----------
    Luong, Pham and Manning, "Effective approaches to attention-based neural machine translation", EMNLP 2015.
    Vaswani et al., "Attention is all you need", NIPS 2017.

    Examples
    --------
    >>> import numpy as np
    >>> layer = Attention()
    >>> query, memory = np.array([[[50.0, 0.0]]]), np.array([[[1.0, 0.0], [0.0, 1.0]]])
    >>> layer((query, memory)).round(3).tolist(), layer.weights((query, memory)).round(3).tolist()
    ([[[1.0, 0.0]]], [[[[1.0, 0.0]]]])
    """

    name = "attention"

    def __init__(self, scale: str = "none", causal: bool = False) -> None:
        by_name(SCALES, scale, f"{self.name} scale")
        self.scale, self.causal = scale, bool(causal)

    def config(self) -> dict[str, Any]:
        return {"scale": self.scale, "causal": self.causal}

    def _checked_sizes(self, input_size: Any) -> tuple[int, ...]:
        sizes = super()._checked_sizes(input_size)
        if sizes[0] != sizes[1]:
            raise ConfigError(
                f"{self.name}: query and memory must have the same number of features, got {sizes[0]} and {sizes[1]}; "
                f"put a Dense before one of them, or use AdditiveAttention or MultiHeadAttention."
            )
        return sizes

    def _build(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        return {"scale": np.ones(1)} if self.scale == "trained" else {}

    @property
    def _factor(self) -> np.floating[Any]:
        if self.scale == "trained":
            return self.params.reading()["scale"][0]
        return self.dtype.type(1.0 if self.scale == "none" else self.input_size**-0.5)

    def _read(self, query: np.ndarray, memory: np.ndarray, spans: Sequence[Span], keep: bool) -> Read:
        heads = Heads((self._factor * query)[:, None], memory[:, None], memory[:, None])
        found, weights = heads.read(spans, self.causal, keep)
        return found[:, 0], weights, (query, heads)

    def _read_back(
        self, dy: np.ndarray, spans: Sequence[Span], weights: list[np.ndarray], kept: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        query, heads = kept
        dheads = heads.read_back(dy[:, None], spans, weights)
        dscaled = dheads.query[:, 0]
        if self.scale == "trained":
            self.grads["scale"] += (dscaled * query).sum()
        return self._factor * dscaled, (dheads.key + dheads.value)[:, 0]
