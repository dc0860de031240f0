"""Simple recurrent unit."""

from __future__ import annotations

from typing import Any, ClassVar

from seqkit.equations import Cell, Parameter, vector


class SRU(Cell):
    r"""Simple recurrent unit: all products are of the input, what recurs is light.

    .. math:: f_t &= \sigma(W_f x_t + v_f \odot c_{t-1} + b_f)               \\
              c_t &= f_t \odot c_{t-1} + (1 - f_t) \odot (W_c x_t)            \\
              r_t &= \sigma(W_r x_t + v_r \odot c_{t-1} + b_r)               \\
              h_t &= r_t \odot c_t + (1 - r_t) \odot (W_h x_t)

    The paper's highway adds :math:`x_t` itself, which needs as many features as units; here it goes
    through :math:`W_h`, as in the authors' program where the sizes differ.  v starts at 0, where the
    cell is the paper's first version.

    Source: Lei, Zhang, Wang, Dai and Artzi, "Simple Recurrent Units for Highly Parallelizable
    Recurrence", EMNLP 2018, arXiv:1709.02755.

    Examples
    --------
    >>> import seqkit
    >>> layer = seqkit.Recurrent(SRU, 8).build(3, seed=0)
    >>> sum(array.size for array in layer.params.values()) == 8 * (4 * 3 + 2 + 2)
    True
    """

    name = "sru"
    gates = ("c", "f", "r", "h")
    states = ("h", "c")
    biases: ClassVar[tuple[str, ...] | None] = ("f", "r")

    def parameters(self) -> dict[str, Parameter]:
        """The weights of the old state in the gates."""
        return {"v": vector("f", "r")}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """One step."""
        f = self.recurrent_activation(x.f + p.v.f * s.c)
        r = self.recurrent_activation(x.r + p.v.r * s.c)
        c = f * s.c + (1 - f) * x.c
        return {"h": r * c + (1 - r) * x.h, "c": c}
