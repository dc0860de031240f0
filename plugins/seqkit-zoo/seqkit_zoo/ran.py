"""Recurrent additive network."""

from __future__ import annotations

from typing import Any, ClassVar

from seqkit.equations import Cell


class RAN(Cell):
    r"""Recurrent additive network: the state is a weighted sum of the inputs, nothing else.

    .. math:: \tilde c_t &= W_c x_t                                      \\
              i_t       &= \sigma(W_i x_t + U_i h_{t-1} + b_i)           \\
              f_t       &= \sigma(W_f x_t + U_f h_{t-1} + b_f)           \\
              c_t       &= i_t \odot \tilde c_t + f_t \odot c_{t-1}      \\
              h_t       &= g(c_t)

    g is `activation`: tanh, or "linear", the paper's other choice.  Written out, the state is
    :math:`c_t = \sum_j w_j \odot \tilde c_j` with :math:`w_j = i_j \odot \prod_{k=j+1}^t f_k`
    (the paper's equation 2).

    Source: Lee, Levy and Zettlemoyer, "Recurrent Additive Networks", 2017, arXiv:1705.07393.

    Examples
    --------
    >>> import seqkit
    >>> layer = seqkit.Recurrent(RAN, 8).build(3, seed=0)
    >>> sum(array.size for array in layer.params.values()) == 8 * (3 * 3 + 2 * 8 + 2)
    True
    """

    name = "ran"
    gates = ("c", "i", "f")
    states = ("h", "c")
    biases: ClassVar[tuple[str, ...] | None] = ("i", "f")

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """One step."""
        i = self.recurrent_activation(x.i + U.i @ s.h)
        f = self.recurrent_activation(x.f + U.f @ s.h)
        c = i * x.c + f * s.c
        return {"h": self.activation(c), "c": c}
