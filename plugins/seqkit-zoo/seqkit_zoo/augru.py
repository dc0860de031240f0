"""GRU with an attentional update gate."""

from __future__ import annotations

from typing import Any, ClassVar

from seqkit.equations import Cell
from seqkit.equations.sizes import Size


class AUGRU(Cell):
    r"""GRU whose update gate is scaled by an attention score of every step.

    .. math:: u_t        &= \sigma(W_u x_t + U_u h_{t-1} + b_u)                                  \\
              r_t        &= \sigma(W_r x_t + U_r h_{t-1} + b_r)                                  \\
              \tilde h_t &= \tanh(W_n x_t + r_t \odot U_n h_{t-1} + b_n)                         \\
              \tilde u_t &= a_t u_t                                                             \\
              h_t        &= (1 - \tilde u_t) \odot h_{t-1} + \tilde u_t \odot \tilde h_t

    The input's last feature is the attention :math:`a_t`, one number, between 0 (the step is passed
    over) and 1 (a GRU's step).  The update gate is the share of the new, other than in ``gru``.

    Source: Zhou, Mou, Fan, Pi, Bian, Zhou, Zhu and Gai, "Deep Interest Evolution Network for
    Click-Through Rate Prediction", AAAI 2019, arXiv:1809.03672, equations 4 to 7 and 12 to 13.

    Examples
    --------
    >>> import seqkit
    >>> layer = seqkit.Recurrent(AUGRU, 8).build(3 + 1, seed=0)
    >>> sum(array.size for array in layer.params.values()) == 3 * 8 * (3 + 8 + 1)
    True
    """

    name = "augru"
    gates = ("r", "u", "n")
    states = ("h",)
    inputs: ClassVar[dict[str, Size]] = {"attention": 1}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """One step."""
        r = self.recurrent_activation(x.r + U.r @ s.h)
        u = x.attention * self.recurrent_activation(x.u + U.u @ s.h)
        n = self.activation(x.n + r * (U.n @ s.h))
        return {"h": (1 - u) * s.h + u * n}
