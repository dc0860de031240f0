"""The scalar LSTM of xLSTM."""

from __future__ import annotations

from typing import Any, ClassVar

from seqkit.equations import Cell, exp, maximum, minimum, softplus, where
from seqkit.options import positive_integer


class SLSTM(Cell):
    r"""LSTM with exponential gates, a normaliser, a stabiliser and heads.

    .. math:: z_t &= \tanh(W_z x_t + R_z h_{t-1} + b_z), \quad
              o_t = \sigma(W_o x_t + R_o h_{t-1} + b_o)                                             \\
              \tilde i_t &= W_i x_t + R_i h_{t-1} + b_i, \quad
              \tilde f_t = W_f x_t + R_f h_{t-1} + b_f                                              \\
              m_t &= \max(\log f_t + m_{t-1}, \tilde i_t), \quad
              i'_t = e^{\tilde i_t - m_t}, \quad f'_t = e^{\log f_t + m_{t-1} - m_t}                \\
              c_t &= f'_t \odot c_{t-1} + i'_t \odot z_t, \quad n_t = f'_t \odot n_{t-1} + i'_t     \\
              h_t &= o_t \odot c_t / n_t

    The first step has nothing to forget: :math:`m_1 = \tilde i_1`.  From then on :math:`n_t \ge 1`,
    which the equations take care to keep where a given state says otherwise.

    Parameters
    ----------
    heads : int
        R is block-diagonal: units of different heads do not see each other.
    exponential_forget : bool
        :math:`f = e^{\tilde f}`, the paper's other choice, in place of :math:`\sigma(\tilde f)`.
    activation, use_bias
        Of the cell input z; whether gates have biases.

    Source: Beck, Pöppel, Spanring, Auer, Prudnikova, Kopp, Klambauer, Brandstetter and Hochreiter,
    "xLSTM: Extended Long Short-Term Memory", NeurIPS 2024, arXiv:2405.04517, equations 8 to 17.

    Examples
    --------
    >>> import seqkit
    >>> layer = seqkit.Recurrent(SLSTM, 8, heads=2).build(3, seed=0)
    >>> sum(array.size for array in layer.params.values()) == 4 * 8 * (3 + 8 // 2 + 1)
    True
    """

    name = "slstm"
    gates = ("i", "f", "z", "o")
    states: ClassVar[tuple[str, ...]] = ("h", "c", "n", "m")

    def __init__(self, heads: int = 1, exponential_forget: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.heads = positive_integer(heads, "slstm: heads")
        self.exponential_forget = bool(exponential_forget)

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """One step."""
        z = self.activation(x.z + U.z @ s.h)
        o = self.recurrent_activation(x.o + U.o @ s.h)
        log_i, forget = x.i + U.i @ s.h, x.f + U.f @ s.h
        log_f = s.m + (forget if self.exponential_forget else -softplus(-forget))
        m = where(s.n > 0, maximum(log_f, log_i), log_i)
        i, f = exp(log_i - m), exp(minimum(log_f - m, 0.0))
        c, n = f * s.c + i * z, f * s.n + i
        return {"h": o * c / maximum(n, 1.0), "c": c, "n": n, "m": m}
