"""Long short-term memory."""

from __future__ import annotations

from typing import Any

from seqkit.long_short_term import LongShortTerm
from seqkit.recurrent import Recurrent


class LSTMCell(LongShortTerm):
    r"""Long short-term memory (Hochreiter and Schmidhuber, 1997; forget gate: Gers et al., 2000).

    .. math:: i, f, o &= \sigma(W x_t + b + U h_{t-1})        \\
              g       &= \tanh(W_g x_t + b_g + U_g h_{t-1})   \\
              c_t     &= f c_{t-1} + i g                      \\
              h_t     &= o \tanh(c_t)

    With `unit_forget_bias` the bias of f starts at 1 (Jozefowicz et al., 2015).  `output_activation` is the function
    of :math:`c_t` where it is another one than that of g.  With `forget_gate="coupled"` the forget gate is
    :math:`f = 1 - i`, without weights of its own (Greff et al., "LSTM: a search space odyssey", 2017).
    """

    name = "lstm"

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """One step."""
        i = self.recurrent_activation(x.i + U.i @ s.h)
        f = 1 - i if self.coupled else self.recurrent_activation(x.f + U.f @ s.h)
        g = self.activation(x.g + U.g @ s.h)
        o = self.recurrent_activation(x.o + U.o @ s.h)
        c = f * s.c + i * g
        return {"h": o * self.output_activation(c), "c": c}


class LSTM(Recurrent):
    """LSTM layer: :class:`LSTMCell`, which has the equations, over sequences.

    It takes (batch, time, features), with lengths or as a list, and gives (batch, units), or (batch, time, units) with
    ``return_sequences=True``.  Its state is ``(h, c)``.

    Parameters
    ----------
    units : int
        Number of units, H.
    **options
        Of the cell: ``activation``, ``recurrent_activation``, ``output_activation``, ``unit_forget_bias`` (True) and
        ``forget_gate``.  Of :class:`~seqkit.recurrent.Recurrent`: ``return_sequences``, ``dropout`` and all others.

    Raises
    ------
    ConfigError
        If an option is unknown or out of its range.

    Examples
    --------
    >>> layer = LSTM(4).build(3, seed=0)
    >>> {name: array.shape for name, array in layer.params.items()}
    {'weight_ih': (16, 3), 'weight_hh': (16, 4), 'bias': (16,)}
    >>> y, (h, c) = layer([[[1, 0, 0], [0, 1, 0]], [[0, 0, 1]]], return_state=True)  # of 2 steps and of 1
    >>> y.shape, c.shape, bool((y == h).all())
    ((2, 4), (2, 4), True)
    """

    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(LSTMCell, units, **options)
