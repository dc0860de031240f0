"""LSTM with a recurrent projection."""

from __future__ import annotations

from typing import Any

from seqkit.equations import Cell, Parameter, matrix
from seqkit.equations.sizes import Size
from seqkit.options import positive_integer


class LSTMP(Cell):
    r"""LSTM whose output is projected to fewer numbers before it recurs.

    .. math:: i, f, o &= \sigma(W x_t + U h_{t-1} + b)                          \\
              g       &= \tanh(W_g x_t + U_g h_{t-1} + b_g)                     \\
              c_t     &= f \odot c_{t-1} + i \odot g                            \\
              h_t     &= W_{hr} (o \odot \tanh(c_t))

    Parameters
    ----------
    projection : int
        Numbers of the output h, P; the cell state has as many as there are units, H.  U is (4H, P)
        and :math:`W_{hr}`, ``weight_hr``, (P, H), as in ``torch.nn.LSTM(proj_size=P)``.
    activation, recurrent_activation, use_bias
        As in ``lstm``.

    The paper's cell has peephole weights and a second projection that does not recur besides.

    Source: Sak, Senior and Beaufays, "Long Short-Term Memory Based Recurrent Neural Network
    Architectures for Large Vocabulary Speech Recognition", 2014, arXiv:1402.1128.

    Examples
    --------
    >>> import seqkit
    >>> layer = seqkit.Recurrent(LSTMP, 8, projection=2).build(3, seed=0)
    >>> layer.output_size, sum(array.size for array in layer.params.values()) == 4 * 8 * (3 + 2 + 1) + 2 * 8
    (2, True)
    """

    name = "lstmp"
    gates = ("i", "f", "g", "o")
    states = ("h", "c")

    def __init__(self, projection: int = 32, **options: Any) -> None:
        super().__init__(**options)
        self.projection = positive_integer(projection, "lstmp: projection")

    def sizes(self) -> dict[str, Size]:
        """That of the projected output."""
        return {"h": self.projection}

    def parameters(self) -> dict[str, Parameter]:
        """The projection."""
        return {"weight_hr": matrix(self.projection, "units")}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """One step."""
        i = self.recurrent_activation(x.i + U.i @ s.h)
        f = self.recurrent_activation(x.f + U.f @ s.h)
        g = self.activation(x.g + U.g @ s.h)
        o = self.recurrent_activation(x.o + U.o @ s.h)
        c = f * s.c + i * g
        return {"h": p.weight_hr @ (o * self.activation(c)), "c": c}
