"""LSTM with chrono initialisation."""

from __future__ import annotations

from typing import Any

from seqkit.cells.lstm import LSTMCell
from seqkit.equations import OppositeOf
from seqkit.equations.cell import Initializer
from seqkit.initializers import chrono
from seqkit.options import positive_integer


class ChronoLSTM(LSTMCell):
    r"""An LSTM whose units remember, at first, for times that are spread up to a longest one.

    .. math:: b_f \sim \log U(1, T_{max} - 1), \quad b_i = -b_f

    The equations are those of ``lstm``.  A unit with forget gate :math:`\sigma(b_f)` forgets with a
    time constant of about :math:`1 / (1 - \sigma(b_f)) = 1 + e^{b_f}` steps.

    Parameters
    ----------
    longest : int
        T_max, the longest dependency in steps that is expected, at least 3.
    activation, recurrent_activation : str
        As in ``lstm``.
    use_bias : bool
        Without biases nothing is left of the initialisation.

    Source: Tallec and Ollivier, "Can recurrent neural networks warp time?", ICLR 2018,
    arXiv:1804.11188, equation 16.

    Examples
    --------
    >>> import seqkit
    >>> layer = seqkit.Recurrent(ChronoLSTM, 8, longest=784).build(3, seed=0)
    >>> i, f, g, o = layer.params["bias"].reshape(4, 8)
    >>> bool((i == -f).all() and (f >= 0).all() and f.max() <= 6.67)  # log(783)
    True
    """

    name = "chrono_lstm"

    def __init__(self, longest: int = 100, **options: Any) -> None:
        super().__init__(unit_forget_bias=False, **options)
        self.longest = positive_integer(longest, "chrono_lstm: longest")

    def initial_bias(self, gate: str) -> Initializer | OppositeOf:
        """Chrono for the forget gate, its opposite for the input gate."""
        if gate == "i":
            return OppositeOf("f")
        return chrono(self.longest) if gate == "f" else 0.0
