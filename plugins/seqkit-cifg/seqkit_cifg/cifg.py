"""The LSTM with coupled input and forget gates."""

from __future__ import annotations

from typing import Any

from seqkit import Cell


class CIFG(Cell):
    r"""LSTM whose input gate is what the forget gate leaves, 1 - f (Greff et al., 2017).

    .. math:: f   &= \sigma(W_f x_t + b_f + U_f h_{t-1})     \\
              g   &= \tanh(W_g x_t + b_g + U_g h_{t-1})      \\
              o   &= \sigma(W_o x_t + b_o + U_o h_{t-1})     \\
              c_t &= f c_{t-1} + (1 - f) g                   \\
              h_t &= o \tanh(c_t)

    The new cell is a mean of the old one and g, so that it stays within [-1, 1].  A layer has three
    quarters of the parameters of an LSTM.  The paper's variant has peepholes as well, which are
    left out here: neither coupling the gates nor doing without peepholes made its results
    significantly worse.

    Parameters
    ----------
    unit_forget_bias : bool
        Whether the bias of f starts at 1, as in :class:`seqkit.LSTM`.

    References
    ----------
    Greff, Srivastava, Koutník, Steunebrink and Schmidhuber, "LSTM: A Search Space Odyssey", IEEE
    Transactions on Neural Networks and Learning Systems 28, 2017, arXiv:1503.04069, variant CIFG.

    Examples
    --------
    >>> import seqkit
    >>> layer = seqkit.Recurrent(CIFG, 64).build(input_size=32, seed=0)
    >>> sum(array.size for array in layer.params.values())
    18624
    """

    gates = ("f", "g", "o")
    states = ("h", "c")

    def __init__(self, unit_forget_bias: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self.unit_forget_bias = unit_forget_bias

    def initial_bias(self, gate: str) -> float:
        """1 for the forget gate, if asked for."""
        return float(self.unit_forget_bias and gate == "f")

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """One step."""
        f = self.recurrent_activation(x.f + U.f @ s.h)
        g = self.activation(x.g + U.g @ s.h)
        o = self.recurrent_activation(x.o + U.o @ s.h)
        c = f * s.c + (1 - f) * g
        return {"h": o * self.activation(c), "c": c}
