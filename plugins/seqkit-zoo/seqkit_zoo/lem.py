"""Long expressive memory."""

from __future__ import annotations

from typing import Any

from seqkit.equations import Cell
from seqkit.options import positive_number


class LEM(Cell):
    r"""Long expressive memory: two states that move with learned, input-dependent time steps.

    .. math:: \Delta t_n       &= \Delta t \, \sigma(W_1 y_{n-1} + V_1 u_n + b_1)                     \\
              \bar{\Delta t}_n &= \Delta t \, \sigma(W_2 y_{n-1} + V_2 u_n + b_2)                     \\
              z_n &= (1 - \Delta t_n) \odot z_{n-1}
                     + \Delta t_n \odot \tanh(W_z y_{n-1} + V_z u_n + b_z)                            \\
              y_n &= (1 - \bar{\Delta t}_n) \odot y_{n-1}
                     + \bar{\Delta t}_n \odot \tanh(W_y z_n + V_y u_n + b_y)

    Parameters
    ----------
    dt : float
        The longest time step, :math:`\Delta t`; 1 where the paper does not tune it.

    Source: Rusch, Mishra, Erichson and Mahoney, "Long Expressive Memory for Sequence Modeling", ICLR
    2022, arXiv:2110.04744, equation 3.  As many parameters as an LSTM; with dt at most 1 both states
    stay within :math:`[-1, 1]`, and within :math:`n \Delta t` after n steps.

    Examples
    --------
    >>> import seqkit
    >>> layer = seqkit.Recurrent(LEM, 8).build(3, seed=0)
    >>> sum(array.size for array in layer.params.values()) == 4 * 8 * (3 + 8 + 1)
    True
    """

    name = "lem"
    gates = ("t1", "t2", "z", "y")
    states = ("y", "z")

    def __init__(self, dt: float = 1.0, **options: Any) -> None:
        super().__init__(**options)
        self.dt = positive_number(dt, "lem: dt")

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """One step."""
        t1 = self.dt * self.recurrent_activation(x.t1 + U.t1 @ s.y)
        t2 = self.dt * self.recurrent_activation(x.t2 + U.t2 @ s.y)
        z = (1 - t1) * s.z + t1 * self.activation(x.z + U.z @ s.y)
        y = (1 - t2) * s.y + t2 * self.activation(x.y + U.y @ z)
        return {"y": y, "z": z}
