"""LSTM with layer normalisation."""

from __future__ import annotations

from typing import Any, ClassVar

from seqkit.equations import Cell, Parameter, layer_norm, vector
from seqkit_zoo.functions import joint_layer_norm


class LayerNormLSTM(Cell):
    r"""LSTM whose input part, recurrent part and cell state are normalised.

    .. math:: (f, i, o, g) &= LN(U h_{t-1}; \alpha_1) + LN(W x_t; \alpha_2) + b                  \\
              c_t &= \sigma(f) \odot c_{t-1} + \sigma(i) \odot \tanh(g)                          \\
              h_t &= \sigma(o) \odot \tanh(LN(c_t; \alpha_3, \beta_3))

    The first two normalisations are over the numbers of all four gates together, as in the paper
    (many programs normalise each gate).  One b stands for the paper's :math:`\beta_1 + \beta_2 + b`.
    Gains are ``gain_h`` (:math:`\alpha_1`), ``gain_x`` (:math:`\alpha_2`) and ``gain_c``.

    Source: Ba, Kiros and Hinton, "Layer Normalization", 2016, arXiv:1607.06450, equations 20 to 22.

    Examples
    --------
    >>> import seqkit
    >>> layer = seqkit.Recurrent(LayerNormLSTM, 8).build(3, seed=0)
    >>> sum(array.size for array in layer.params.values()) == 4 * 8 * (3 + 8 + 3) + 2 * 8
    True
    """

    name = "layer_norm_lstm"
    gates = ("i", "f", "g", "o")
    states = ("h", "c")
    biases: ClassVar[tuple[str, ...] | None] = ()  # the normalisation would take it away again

    def parameters(self) -> dict[str, Parameter]:
        """Gains and shifts of the three normalisations."""
        gains = {name: vector(*self.gates, initializer="ones") for name in ("gain_x", "gain_h")}
        return gains | {"shift": vector(*self.gates), "gain_c": vector(initializer="ones"), "shift_c": vector()}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """One step."""
        from_x = joint_layer_norm([x.i, x.f, x.g, x.o])
        from_h = joint_layer_norm([U.i @ s.h, U.f @ s.h, U.g @ s.h, U.o @ s.h])
        i = self.recurrent_activation(p.gain_x.i * from_x[0] + p.gain_h.i * from_h[0] + p.shift.i)
        f = self.recurrent_activation(p.gain_x.f * from_x[1] + p.gain_h.f * from_h[1] + p.shift.f)
        g = self.activation(p.gain_x.g * from_x[2] + p.gain_h.g * from_h[2] + p.shift.g)
        o = self.recurrent_activation(p.gain_x.o * from_x[3] + p.gain_h.o * from_h[3] + p.shift.o)
        c = f * s.c + i * g
        return {"h": o * self.activation(layer_norm(c, p.gain_c, p.shift_c)), "c": c}
