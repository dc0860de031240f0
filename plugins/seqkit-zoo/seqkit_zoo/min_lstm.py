"""Minimal LSTM that can be computed in parallel."""

from __future__ import annotations

from typing import Any

from seqkit.equations import Cell, sigmoid
from seqkit_zoo.functions import positive


class MinLSTM(Cell):
    r"""An LSTM whose gates and candidate see only the input, with gates that sum to 1.

    .. math:: f_t        &= \sigma(W_f x_t + b_f), \quad i_t = \sigma(W_i x_t + b_i)    \\
              \tilde h_t &= W_h x_t + b_h                                               \\
              h_t        &= \frac{f_t}{f_t + i_t} \odot h_{t-1}
                            + \frac{i_t}{f_t + i_t} \odot \tilde h_t

    Parameters
    ----------
    log_space : bool
        Use the candidate of the paper's numerically stable form (its appendix B), :math:`g(W_h x_t + b_h)`
        with :math:`g(v) = v + 1/2` where :math:`v \ge 0`, else :math:`\sigma(v)`.
    use_bias : bool
        Whether the three linear maps have a bias.

    Source: Feng, Tung, Ahmed, Bengio and Hajimirsadeghi, "Were RNNs All We Needed?", 2024,
    arXiv:2410.01201.

    Examples
    --------
    >>> import seqkit
    >>> layer = seqkit.Recurrent(MinLSTM, 8).build(3, seed=0)
    >>> sum(array.size for array in layer.params.values()) == 3 * 8 * (3 + 1)
    True
    """

    name = "min_lstm"
    gates = ("f", "i", "h")
    states = ("h",)

    def __init__(self, log_space: bool = False, use_bias: bool = True) -> None:
        super().__init__(use_bias=use_bias)
        self.log_space = bool(log_space)

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """One step."""
        f, i = sigmoid(x.f), sigmoid(x.i)
        n = positive(x.h) if self.log_space else x.h
        share = f / (f + i)
        return {"h": share * s.h + (1 - share) * n}
