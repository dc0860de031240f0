"""Just another network."""

from __future__ import annotations

from typing import Any

from seqkit.equations import Cell
from seqkit.equations.cell import Initializer
from seqkit.initializers import chrono
from seqkit.options import positive_integer


class JANET(Cell):
    r"""An LSTM with nothing but the forget gate ("just another network").

    .. math:: s_t        &= W_f x_t + U_f h_{t-1} + b_f                                           \\
              \tilde c_t &= \tanh(W_c x_t + U_c h_{t-1} + b_c)                                    \\
              c_t        &= \sigma(s_t) \odot c_{t-1} + (1 - \sigma(s_t - \beta)) \odot \tilde c_t \\
              h_t        &= c_t

    Parameters
    ----------
    beta : float
        How much more is let in than forgotten; 1 in the paper.
    longest : int, optional
        Steps over which the cell shall remember, T_max: :math:`b_f` starts at the logarithm of a
        number drawn between 1 and T_max - 1, the chrono initialisation, so that units forget with
        time scales up to T_max.  Without it the bias starts at 1.

    Source: van der Westhuizen and Lasenby, "The unreasonable effectiveness of the forget gate",
    2018, arXiv:1804.04849; chrono initialisation: Tallec and Ollivier, "Can recurrent neural networks
    warp time?", ICLR 2018, arXiv:1804.11188.  Half the parameters of an LSTM.

    Examples
    --------
    >>> import seqkit
    >>> layer = seqkit.Recurrent(JANET, 8, longest=784).build(3, seed=0)
    >>> sum(array.size for array in layer.params.values()) == 2 * 8 * (3 + 8 + 1)
    True
    """

    name = "janet"
    gates = ("f", "c")
    states = ("h",)

    def __init__(self, beta: float = 1.0, longest: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.beta = float(beta)
        self.longest = None if longest is None else positive_integer(longest, "janet: longest")

    def initial_bias(self, gate: str) -> Initializer:
        """That of the forget gate as `longest` says, else 0."""
        if gate != "f":
            return 0.0
        return chrono(self.longest) if self.longest else 1.0

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """One step."""
        forget = x.f + U.f @ s.h
        c = self.activation(x.c + U.c @ s.h)
        kept, entering = self.recurrent_activation(forget), 1 - self.recurrent_activation(forget - self.beta)
        return {"h": kept * s.h + entering * c}
