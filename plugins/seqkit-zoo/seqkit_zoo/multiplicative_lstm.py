"""Multiplicative LSTM."""

from __future__ import annotations

from typing import Any, ClassVar

from seqkit.equations import Cell


class MultiplicativeLSTM(Cell):
    r"""Multiplicative LSTM: the recurrent matrix is another one for every input.

    .. math:: m_t       &= (W_m x_t) \odot (U_m h_{t-1})                     \\
              \hat h_t  &= W_g x_t + U_g m_t + b_g                           \\
              i, f, o   &= \sigma(W x_t + U m_t + b)                         \\
              c_t       &= f_t \odot c_{t-1} + i_t \odot \hat h_t            \\
              h_t       &= \tanh(c_t \odot o_t)

    The candidate is linear and the output gate lies inside the tanh, as in the paper's LSTM.  Its
    biases, which the paper does not write, start at 0.

    Source: Krause, Lu, Murray and Renals, "Multiplicative LSTM for sequence modelling", ICLR 2017
    workshop, arXiv:1609.07959.  A quarter more parameters than an LSTM.

    Examples
    --------
    >>> import seqkit
    >>> layer = seqkit.Recurrent(MultiplicativeLSTM, 8).build(3, seed=0)
    >>> sum(array.size for array in layer.params.values()) == 5 * 8 * (3 + 8) + 4 * 8
    True
    """

    name = "multiplicative_lstm"
    gates = ("m", "i", "f", "g", "o")
    states = ("h", "c")
    biases: ClassVar[tuple[str, ...] | None] = ("i", "f", "g", "o")

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """One step."""
        m = x.m * (U.m @ s.h)
        i = self.recurrent_activation(x.i + U.i @ m)
        f = self.recurrent_activation(x.f + U.f @ m)
        o = self.recurrent_activation(x.o + U.o @ m)
        c = f * s.c + i * (x.g + U.g @ m)
        return {"h": self.activation(c * o), "c": c}
