"""Gated recurrent unit."""

from __future__ import annotations

from typing import Any

from seqkit.equations import Cell, Parameter, vector
from seqkit.recurrent import Recurrent


class GRUCell(Cell):
    r"""Gated recurrent unit (Cho et al., 2014).

    .. math:: r   &= \sigma(W_r x_t + b_r + U_r h_{t-1})                \\
              z   &= \sigma(W_z x_t + b_z + U_z h_{t-1})                \\
              n   &= \tanh(W_n x_t + b_n + r (U_n h_{t-1} + b_{hn}))    \\
              h_t &= (1 - z) n + z h_{t-1}

    With `reset_after=False` the reset comes before the product:
    :math:`n = \tanh(W_n x_t + b_n + U_n (r h_{t-1}))`, without ``bias_hn``.
    """

    name = "gru"
    gates = ("r", "z", "n")
    states = ("h",)

    def __init__(self, reset_after: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self.reset_after = reset_after

    def parameters(self) -> dict[str, Parameter]:
        """The recurrent bias that cannot be folded into the others."""
        return {"bias_hn": vector()} if self.reset_after and self.use_bias else {}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """One step."""
        r = self.recurrent_activation(x.r + U.r @ s.h)
        z = self.recurrent_activation(x.z + U.z @ s.h)
        if self.reset_after:
            recurrent = U.n @ s.h + p.bias_hn if self.use_bias else U.n @ s.h
            n = self.activation(x.n + r * recurrent)
        else:
            n = self.activation(x.n + U.n @ (r * s.h))
        return {"h": (1 - z) * n + z * s.h}


class GRU(Recurrent):
    """GRU layer: :class:`GRUCell`, which has the equations, over sequences.

    It takes (batch, time, features), with lengths or as a list, and gives (batch, units), or (batch, time, units) with
    ``return_sequences=True``.  Its state is ``(h,)``.

    Parameters
    ----------
    units : int
        Number of units, H.
    **options
        Of the cell: ``activation``, ``recurrent_activation`` and ``reset_after`` (True).  Of
        :class:`~seqkit.recurrent.Recurrent`: ``return_sequences``, ``dropout`` and all others.

    Raises
    ------
    ConfigError
        If an option is unknown or out of its range.

    Examples
    --------
    >>> layer = GRU(4, return_sequences=True).build(3, seed=0)
    >>> {name: array.shape for name, array in layer.params.items()}
    {'weight_ih': (12, 3), 'weight_hh': (12, 4), 'bias': (12,), 'bias_hn': (4,)}
    >>> [y.shape for y in layer([[[1, 0, 0], [0, 1, 0]], [[0, 0, 1]]])]  # sequences of 2 steps and of 1
    [(2, 4), (1, 4)]
    """

    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(GRUCell, units, **options)
