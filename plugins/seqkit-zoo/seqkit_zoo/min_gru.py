"""Minimal GRU that can be computed in parallel."""

from __future__ import annotations

from typing import Any

from seqkit.equations import Cell, sigmoid
from seqkit_zoo.functions import positive


class MinGRU(Cell):
    r"""A GRU whose gate and candidate see only the input.

    .. math:: z_t        &= \sigma(W_z x_t + b_z)                               \\
              \tilde h_t &= W_h x_t + b_h                                       \\
              h_t        &= (1 - z_t) \odot h_{t-1} + z_t \odot \tilde h_t

    Parameters
    ----------
    log_space : bool
        Use the candidate of the paper's numerically stable form (its appendix B), :math:`g(W_h x_t + b_h)`
        with :math:`g(v) = v + 1/2` where :math:`v \ge 0`, else :math:`\sigma(v)`.
    use_bias : bool
        Whether both linear maps have a bias.

    Source: Feng, Tung, Ahmed, Bengio and Hajimirsadeghi, "Were RNNs All We Needed?", 2024,
    arXiv:2410.01201.  The paper computes the same states by a parallel scan over time.

    Examples
    --------
    >>> import seqkit
    >>> layer = seqkit.Recurrent(MinGRU, 8).build(3, seed=0)
    >>> sum(array.size for array in layer.params.values()) == 2 * 8 * (3 + 1)
    True
    """

    name = "min_gru"
    gates = ("z", "h")
    states = ("h",)

    def __init__(self, log_space: bool = False, use_bias: bool = True) -> None:
        super().__init__(use_bias=use_bias)
        self.log_space = bool(log_space)

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """One step."""
        z = sigmoid(x.z)
        n = positive(x.h) if self.log_space else x.h
        return {"h": (1 - z) * s.h + z * n}
