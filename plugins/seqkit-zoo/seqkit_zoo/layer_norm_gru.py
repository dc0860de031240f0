"""GRU with layer normalisation."""

from __future__ import annotations

from typing import Any, ClassVar

from seqkit.equations import Cell, Parameter, layer_norm, vector
from seqkit_zoo.functions import joint_layer_norm


class LayerNormGRU(Cell):
    r"""GRU whose input parts and recurrent parts are normalised.

    .. math:: (z, r)     &= LN(U_{zr} h_{t-1}; \alpha_1) + LN(W_{zr} x_t; \alpha_2) + b            \\
              \tilde h_t &= \tanh(LN(W_n x_t; \alpha_3, \beta_3)
                            + \sigma(r) \odot LN(U_n h_{t-1}; \alpha_4, \beta_4))                  \\
              h_t        &= (1 - \sigma(z)) \odot h_{t-1} + \sigma(z) \odot \tilde h_t

    Both gates are normalised together, the candidate by itself, as in the paper.  One b stands for
    the paper's :math:`\beta_1 + \beta_2`.  The update gate is the share of the new, other than in
    ``gru``.

    Source: Ba, Kiros and Hinton, "Layer Normalization", 2016, arXiv:1607.06450, equations 23 to 25.

    Examples
    --------
    >>> import seqkit
    >>> layer = seqkit.Recurrent(LayerNormGRU, 8).build(3, seed=0)
    >>> sum(array.size for array in layer.params.values()) == 3 * 8 * (3 + 8 + 3) + 8
    True
    """

    name = "layer_norm_gru"
    gates = ("r", "z", "n")
    states = ("h",)
    biases: ClassVar[tuple[str, ...] | None] = ()  # the normalisation would take it away again

    def parameters(self) -> dict[str, Parameter]:
        """Gains and shifts of the four normalisations."""
        gains = {name: vector(*self.gates, initializer="ones") for name in ("gain_x", "gain_h")}
        return gains | {"shift": vector(*self.gates), "shift_hn": vector()}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """One step."""
        from_x = joint_layer_norm([x.r, x.z])
        from_h = joint_layer_norm([U.r @ s.h, U.z @ s.h])
        r = self.recurrent_activation(p.gain_x.r * from_x[0] + p.gain_h.r * from_h[0] + p.shift.r)
        z = self.recurrent_activation(p.gain_x.z * from_x[1] + p.gain_h.z * from_h[1] + p.shift.z)
        recurrent = layer_norm(U.n @ s.h, p.gain_h.n, p.shift_hn)
        n = self.activation(layer_norm(x.n, p.gain_x.n, p.shift.n) + r * recurrent)
        return {"h": (1 - z) * s.h + z * n}
