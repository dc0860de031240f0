"""Long short-term memory with a projected output."""

from __future__ import annotations

from typing import Any

from seqkit.equations import Cell, OppositeOf, Parameter, matrix
from seqkit.equations.cell import Initializer
from seqkit.equations.sizes import Size
from seqkit.options import positive_integer
from seqkit.recurrent import Recurrent


class ProjectedLSTMCell(Cell):
    r"""LSTM whose output is projected to fewer numbers before it recurs (Sak, Senior and Beaufays, 2014).

    .. math:: i, f, o &= \sigma(W x_t + b + U h_{t-1})        \\
              g       &= \tanh(W_g x_t + b_g + U_g h_{t-1})   \\
              c_t     &= f c_{t-1} + i g                      \\
              h_t     &= W_{hr} (o \tanh(c_t))

    The output h has `projection` numbers, P, the cell state one for each unit, H: ``weight_hh`` is (4H, P) and
    ``weight_hr`` (P, H), as in ``torch.nn.LSTM(proj_size=P)``.  With `unit_forget_bias` the bias of f starts at 1.
    """

    name = "projected_lstm"
    gates = ("i", "f", "g", "o")
    states = ("h", "c")

    def __init__(self, projection: int = 32, unit_forget_bias: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self.projection = positive_integer(projection, f"{self.name}: projection")
        self.unit_forget_bias = unit_forget_bias

    def sizes(self) -> dict[str, Size]:
        """That of the projected output."""
        return {"h": self.projection}

    def parameters(self) -> dict[str, Parameter]:
        """The projection."""
        return {"weight_hr": matrix(self.projection, "units")}

    def initial_bias(self, gate: str) -> Initializer | OppositeOf:
        """1 for the forget gate, if asked for."""
        return float(self.unit_forget_bias and gate == "f")

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """One step."""
        i = self.recurrent_activation(x.i + U.i @ s.h)
        f = self.recurrent_activation(x.f + U.f @ s.h)
        g = self.activation(x.g + U.g @ s.h)
        o = self.recurrent_activation(x.o + U.o @ s.h)
        c = f * s.c + i * g
        return {"h": p.weight_hr @ (o * self.activation(c)), "c": c}


class ProjectedLSTM(Recurrent):
    """Projected layer: :class:`ProjectedLSTMCell`, which has the equations, over sequences.

    It gives (batch, projection), or (batch, time, projection) with ``return_sequences=True``.  Its state is ``(h, c)``,
    (batch, projection) and (batch, units).

    Parameters
    ----------
    units : int
        Numbers of the cell state, H.
    **options
        Of the cell: ``projection`` (32), ``activation``, ``recurrent_activation`` and ``unit_forget_bias`` (True).  Of
        :class:`~seqkit.recurrent.Recurrent`: ``return_sequences``, ``dropout`` and all others.

    Raises
    ------
    ConfigError
        If an option is unknown or out of its range.

    Examples
    --------
    >>> layer = ProjectedLSTM(6, projection=2).build(3, seed=0)
    >>> {name: array.shape for name, array in layer.params.items()}
    {'weight_ih': (24, 3), 'weight_hh': (24, 2), 'bias': (24,), 'weight_hr': (2, 6)}
    """

    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(ProjectedLSTMCell, units, **options)
