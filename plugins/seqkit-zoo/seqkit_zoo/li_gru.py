"""Light GRU."""

from __future__ import annotations

from typing import Any, ClassVar

from seqkit.equations import Cell, Parameter, layer_norm, vector


class LiGRU(Cell):
    r"""Light GRU for speech recognition: no reset gate, ReLU, a normalised input part.

    .. math:: z_t        &= \sigma(N_z(W_z x_t) + U_z h_{t-1})                         \\
              \tilde h_t &= \mathrm{ReLU}(N_h(W_h x_t) + U_h h_{t-1})                  \\
              h_t        &= z_t \odot h_{t-1} + (1 - z_t) \odot \tilde h_t

    N is batch normalisation in the paper.  Here it is layer normalisation, with a gain and a shift
    for each unit, so that a sequence's result does not depend on its neighbours.

    Source: Ravanelli, Brakel, Omologo and Bengio, "Light Gated Recurrent Units for Speech
    Recognition", IEEE Transactions on Emerging Topics in Computational Intelligence 2(2), 2018,
    arXiv:1803.10225.

    Examples
    --------
    >>> import seqkit
    >>> layer = seqkit.Recurrent(LiGRU, 8).build(3, seed=0)
    >>> sum(array.size for array in layer.params.values()) == 2 * 8 * (3 + 8 + 2)
    True
    """

    name = "li_gru"
    gates = ("z", "n")
    states = ("h",)
    biases: ClassVar[tuple[str, ...] | None] = ()  # the shift of the normalisation is the bias

    def __init__(self, activation: str = "relu", **options: Any) -> None:
        super().__init__(activation=activation, **options)

    def parameters(self) -> dict[str, Parameter]:
        """Gain and shift of the normalisation."""
        return {"gain": vector("z", "n", initializer="ones"), "shift": vector("z", "n")}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """One step."""
        z = self.recurrent_activation(layer_norm(x.z, p.gain.z, p.shift.z) + U.z @ s.h)
        n = self.activation(layer_norm(x.n, p.gain.n, p.shift.n) + U.n @ s.h)
        return {"h": z * s.h + (1 - z) * n}
