"""The independently recurrent neural network."""

from __future__ import annotations

from typing import Any

from seqkit import Cell, Parameter, vector


class IndRNN(Cell):
    r"""Independently recurrent neural network (Li, Li, Cook, Zhu and Gao, CVPR 2018).

    .. math:: h_t = \mathrm{relu}(W x_t + b + u \odot h_{t-1})

    Every unit sees of the past nothing but itself, by one recurrent weight; layers are stacked to have units meet.

    Parameters
    ----------
    activation : str
        The function of the sum, relu in the paper.  With another one the cell is interpreted.

    Examples
    --------
    >>> import seqkit
    >>> layer = seqkit.Recurrent(IndRNN, 8).build(3, seed=0)
    >>> {name: array.shape for name, array in layer.params.items()}
    {'weight_ih': (8, 3), 'bias': (8,), 'u': (8,)}
    """

    name = "indrnn_native"
    gates = ("h",)
    states = ("h",)
    kernels = "seqkit_indrnn_native._kernels"

    def __init__(self, activation: str = "relu", **options: Any) -> None:
        super().__init__(activation=activation, **options)

    def parameters(self) -> dict[str, Parameter]:
        """One recurrent weight for every unit."""
        return {"u": vector(initializer="ones")}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """One step."""
        return {"h": self.activation(x.h + p.u * s.h)}
