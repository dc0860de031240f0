"""Long short-term memory with peepholes."""

from __future__ import annotations

from typing import Any

from seqkit.equations import Parameter, vector
from seqkit.long_short_term import LongShortTerm
from seqkit.recurrent import Recurrent


class PeepholeCell(LongShortTerm):
    r"""LSTM whose gates see the cell state (Gers, Schraudolph and Schmidhuber, 2002).

    .. math:: i   &= \sigma(W_i x_t + b_i + U_i h_{t-1} + w_i c_{t-1})   \\
              f   &= \sigma(W_f x_t + b_f + U_f h_{t-1} + w_f c_{t-1})   \\
              g   &= \tanh(W_g x_t + b_g + U_g h_{t-1})                  \\
              c_t &= f c_{t-1} + i g                                     \\
              o   &= \sigma(W_o x_t + b_o + U_o h_{t-1} + w_o c_t)       \\
              h_t &= o \tanh(c_t)

    ``weight_ch`` (3, H) holds the rows i, f, o; i and f see the old cell, o the new one.  `output_activation` is the
    function of :math:`c_t` where it is another one than that of g.  With `forget_gate="coupled"` the forget gate is
    :math:`f = 1 - i`, without weights of its own, and ``weight_ch`` (2, H) has the rows i, o.
    """

    name = "peephole"

    def parameters(self) -> dict[str, Parameter]:
        """The peephole weights."""
        rows = ("i", "o") if self.coupled else ("i", "f", "o")
        return {"weight_ch": vector(*rows, initializer="glorot_uniform")}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """One step."""
        i = self.recurrent_activation(x.i + U.i @ s.h + p.weight_ch.i * s.c)
        f = 1 - i if self.coupled else self.recurrent_activation(x.f + U.f @ s.h + p.weight_ch.f * s.c)
        g = self.activation(x.g + U.g @ s.h)
        c = f * s.c + i * g
        o = self.recurrent_activation(x.o + U.o @ s.h + p.weight_ch.o * c)
        return {"h": o * self.output_activation(c), "c": c}


class PeepholeLSTM(Recurrent):
    """Peephole layer: :class:`PeepholeCell`, which has the equations, over sequences.

    It takes and gives what :class:`~seqkit.LSTM` does.

    Parameters
    ----------
    units : int
        Number of units, H.
    **options
        As for :class:`~seqkit.LSTM`.

    Raises
    ------
    ConfigError
        If an option is unknown or out of its range.

    Examples
    --------
    >>> layer = PeepholeLSTM(4).build(3, seed=0)
    >>> {name: array.shape for name, array in layer.params.items()}
    {'weight_ih': (16, 3), 'weight_hh': (16, 4), 'bias': (16,), 'weight_ch': (3, 4)}
    """

    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(PeepholeCell, units, **options)
