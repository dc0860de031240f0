"""Independently recurrent network."""

from __future__ import annotations

from typing import Any

from seqkit.equations import Cell, Parameter, vector
from seqkit.initializers import uniform
from seqkit.options import positive_integer


class IndRNN(Cell):
    r"""Independently recurrent network: every unit sees only itself.

    .. math:: h_t = \max(0, W x_t + u \odot h_{t-1} + b)

    Parameters
    ----------
    longest : int, optional
        Steps of the longest sequence, T: u is drawn between 0 and :math:`2^{1/T}`, where the paper's
        bound (its equation 5, with ReLU and gradients that may at most double) says that the gradient
        neither vanishes for all units nor explodes.  Without it, between 0 and 1.
    activation : str
        ReLU as in the paper, or another.

    Notes
    -----
    The paper also keeps :math:`|u|` within the bound while it trains; here it may leave it.
    Stack layers to let units see each other: the next layer's W mixes them.

    Source: Li, Li, Cook, Zhu and Gao, "Independently Recurrent Neural Network (IndRNN): Building A
    Longer and Deeper RNN", CVPR 2018, arXiv:1803.04831.

    Examples
    --------
    >>> import seqkit
    >>> layer = seqkit.Recurrent(IndRNN, 8, longest=5000).build(3, seed=0)
    >>> sum(array.size for array in layer.params.values()) == 8 * (3 + 1 + 1)
    True
    """

    name = "indrnn"
    gates = ("h",)
    states = ("h",)

    def __init__(self, longest: int | None = None, activation: str = "relu", **options: Any) -> None:
        super().__init__(activation=activation, **options)
        self.longest = None if longest is None else positive_integer(longest, "indrnn: longest")

    def parameters(self) -> dict[str, Parameter]:
        """The recurrent weights."""
        return {"u": vector(initializer=uniform(0.0, 2 ** (1 / self.longest) if self.longest else 1.0))}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """One step."""
        return {"h": self.activation(x.h + p.u * s.h)}
