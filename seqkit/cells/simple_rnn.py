"""The plain recurrent network."""

from __future__ import annotations

from typing import Any

from seqkit.equations import Cell
from seqkit.recurrent import Recurrent


class SimpleRNNCell(Cell):
    r"""Plain recurrent network (Elman, 1990).

    .. math:: h_t = \tanh(W x_t + b + U h_{t-1})
    """

    name = "simple_rnn"
    gates = ("h",)
    states = ("h",)

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """One step."""
        return {"h": self.activation(x.h + U.h @ s.h)}


class SimpleRNN(Recurrent):
    """Plain recurrent layer: :class:`SimpleRNNCell` with the options of :class:`~seqkit.recurrent.Recurrent`."""

    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(SimpleRNNCell, units, **options)
