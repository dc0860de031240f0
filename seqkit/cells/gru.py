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
    """GRU layer: :class:`GRUCell` with the options of :class:`~seqkit.recurrent.Recurrent`."""

    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(GRUCell, units, **options)
