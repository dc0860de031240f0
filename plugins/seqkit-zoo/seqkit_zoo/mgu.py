"""Minimal gated unit."""

from __future__ import annotations

from typing import Any

from seqkit.equations import Cell


class MGU(Cell):
    r"""Minimal gated unit: a GRU whose only gate both updates and resets.

    .. math:: f_t       &= \sigma(W_f x_t + U_f h_{t-1} + b_f)                    \\
              \tilde h_t &= \tanh(W_n x_t + U_n (f_t \odot h_{t-1}) + b_n)         \\
              h_t       &= (1 - f_t) \odot h_{t-1} + f_t \odot \tilde h_t

    Source: Zhou, Wu, Zhang and Zhou, "Minimal Gated Unit for Recurrent Neural Networks", 2016,
    arXiv:1603.09420.  Its two gates' worth of parameters are two thirds of a GRU's.

    Examples
    --------
    >>> import seqkit
    >>> layer = seqkit.Recurrent(MGU, 8).build(3, seed=0)
    >>> sum(array.size for array in layer.params.values()) == 2 * 8 * (3 + 8 + 1)
    True
    """

    name = "mgu"
    gates = ("f", "n")
    states = ("h",)

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """One step."""
        f = self.recurrent_activation(x.f + U.f @ s.h)
        n = self.activation(x.n + U.n @ (f * s.h))
        return {"h": (1 - f) * s.h + f * n}
