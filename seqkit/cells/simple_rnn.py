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
    """Plain recurrent layer: :class:`SimpleRNNCell`, which has the equation, over sequences.

    It takes and gives what :class:`~seqkit.GRU` does.

    Parameters
    ----------
    units : int
        Number of units, H.
    **options
        Of the cell: ``activation``.  Of :class:`~seqkit.recurrent.Recurrent`: ``return_sequences``, ``dropout`` and all
        others.

    Raises
    ------
    ConfigError
        If an option is unknown or out of its range.

    Examples
    --------
    >>> layer = SimpleRNN(4).build(3, seed=0)
    >>> {name: array.shape for name, array in layer.params.items()}
    {'weight_ih': (4, 3), 'weight_hh': (4, 4), 'bias': (4,)}
    """

    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(SimpleRNNCell, units, **options)
