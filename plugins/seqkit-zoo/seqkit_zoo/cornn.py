"""Coupled oscillatory recurrent network."""

from __future__ import annotations

from typing import Any

from seqkit.equations import Cell
from seqkit.options import positive_number


class CoRNN(Cell):
    r"""Coupled oscillatory recurrent network: damped oscillators, driven by the input and each other.

    .. math:: a_n &= \tanh(W y_{n-1} + \mathcal{W} z_{n-1} + V u_n + b)                        \\
              z_n &= z_{n-1} + \Delta t \, (a_n - \gamma y_{n-1} - \epsilon z_{\bar n})        \\
              y_n &= y_{n-1} + \Delta t \, z_n

    Parameters
    ----------
    dt, gamma, epsilon : float
        Time step, frequency and damping; by default what the paper found for sequential MNIST.
    implicit : bool
        Damp by the new speed, :math:`\bar n = n`, instead of the old one, :math:`\bar n = n - 1`, which
        the authors' programs do.  Then the energy is bounded: with :math:`\gamma \Delta t + 1 \le 2 \epsilon`,
        :math:`|z_n|^2 + \gamma |y_n|^2 \le H n \Delta t` for H units that started at rest (the paper's
        proposition 3.1 and its proof).

    Source: Rusch and Mishra, "Coupled Oscillatory Recurrent Neural Network (coRNN): An accurate and
    (gradient) stable architecture for learning long time dependencies", ICLR 2021, arXiv:2010.00951,
    equation 3.

    Examples
    --------
    >>> import seqkit
    >>> layer = seqkit.Recurrent(CoRNN, 8).build(3, seed=0)
    >>> sum(array.size for array in layer.params.values()) == 8 * (3 + 2 * 8 + 1)
    True
    """

    name = "cornn"
    gates = ("z", "y")
    states = ("y", "z")

    def __init__(
        self, dt: float = 0.042, gamma: float = 2.7, epsilon: float = 4.7, implicit: bool = False, **options: Any
    ) -> None:
        super().__init__(**options)
        self.dt = positive_number(dt, "cornn: dt")
        self.gamma = positive_number(gamma, "cornn: gamma")
        self.epsilon = positive_number(epsilon, "cornn: epsilon")
        self.implicit = bool(implicit)

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """One step."""
        force = self.activation(x.z + U.z @ s.z + U.y @ s.y) - self.gamma * s.y
        if self.implicit:
            z = (s.z + self.dt * force) / (1 + self.dt * self.epsilon)
        else:
            z = s.z + self.dt * (force - self.epsilon * s.z)
        return {"y": s.y + self.dt * z, "z": z}
