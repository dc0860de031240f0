"""Long short-term memory with peepholes."""

from __future__ import annotations

from typing import Any

from seqkit.equations import Cell, Parameter, vector
from seqkit.recurrent import Recurrent


class PeepholeCell(Cell):
    r"""LSTM whose gates see the cell state (Gers, Schraudolph and Schmidhuber, 2002).

    .. math:: i   &= \sigma(W_i x_t + b_i + U_i h_{t-1} + w_i c_{t-1})   \\
              f   &= \sigma(W_f x_t + b_f + U_f h_{t-1} + w_f c_{t-1})   \\
              g   &= \tanh(W_g x_t + b_g + U_g h_{t-1})                  \\
              c_t &= f c_{t-1} + i g                                     \\
              o   &= \sigma(W_o x_t + b_o + U_o h_{t-1} + w_o c_t)       \\
              h_t &= o \tanh(c_t)

    ``weight_ch`` (3, H) holds the rows i, f, o; i and f see the old cell, o the new one.
    """

    name = "peephole"
    gates = ("i", "f", "g", "o")
    states = ("h", "c")

    def __init__(self, unit_forget_bias: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self.unit_forget_bias = unit_forget_bias

    def parameters(self) -> dict[str, Parameter]:
        """The peephole weights."""
        return {"weight_ch": vector("i", "f", "o", initializer="glorot_uniform")}

    def initial_bias(self, gate: str) -> float:
        """1 for the forget gate, if asked for."""
        return float(self.unit_forget_bias and gate == "f")

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """One step."""
        i = self.recurrent_activation(x.i + U.i @ s.h + p.weight_ch.i * s.c)
        f = self.recurrent_activation(x.f + U.f @ s.h + p.weight_ch.f * s.c)
        g = self.activation(x.g + U.g @ s.h)
        c = f * s.c + i * g
        o = self.recurrent_activation(x.o + U.o @ s.h + p.weight_ch.o * c)
        return {"h": o * self.activation(c), "c": c}


class PeepholeLSTM(Recurrent):
    """Peephole layer: :class:`PeepholeCell` with the options of :class:`~seqkit.recurrent.Recurrent`."""

    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(PeepholeCell, units, **options)
