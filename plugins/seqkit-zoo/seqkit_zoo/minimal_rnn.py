"""Minimal recurrent network."""

from __future__ import annotations

from typing import Any

from seqkit.equations import Cell, Parameter, vector


class MinimalRNN(Cell):
    r"""Minimal recurrent network: the state moves between encoded inputs and nowhere else.

    .. math:: z_t &= \Phi(x_t) = \tanh(W_z x_t + b_z)                   \\
              u_t &= \sigma(U_u h_{t-1} + U_z z_t + b_u)                \\
              h_t &= u_t \odot h_{t-1} + (1 - u_t) \odot z_t

    Source: Chen, "MinimalRNN: Toward More Interpretable and Trainable Recurrent Neural Networks",
    2017, arXiv:1711.06788.  The paper leaves :math:`\Phi` open and uses a dense layer with tanh;
    another comes with `activation`.  A state is a mean of encoded inputs, so it stays in (-1, 1).

    Examples
    --------
    >>> import seqkit
    >>> layer = seqkit.Recurrent(MinimalRNN, 8).build(3, seed=0)
    >>> sum(array.size for array in layer.params.values()) == 8 * (3 + 2 * 8 + 2)
    True
    """

    name = "minimal_rnn"
    gates = ("u", "z")
    states = ("h",)

    def parameters(self) -> dict[str, Parameter]:
        """The bias of u, which has no input part."""
        return {"bias_u": vector()} if self.use_bias else {}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """One step."""
        z = self.activation(x.z)
        products = U.u @ s.h + U.z @ z
        u = self.recurrent_activation(products + p.bias_u if self.use_bias else products)
        return {"h": u * s.h + (1 - u) * z}
