"""Update gate recurrent network."""

from __future__ import annotations

from typing import Any

from seqkit.equations import Cell


class UGRNN(Cell):
    r"""Update gate recurrent network: a simple recurrent network with one gate.

    .. math:: c_t &= \tanh(W_c x_t + U_c h_{t-1} + b_c)              \\
              g_t &= \sigma(W_g x_t + U_g h_{t-1} + b_g)             \\
              h_t &= g_t \odot h_{t-1} + (1 - g_t) \odot c_t

    With `unit_forget_bias` the bias of g starts at 1, as in TensorFlow's cell of this name; the
    paper searches for its initial value.

    Source: Collins, Sohl-Dickstein and Sussillo, "Capacity and Trainability in Recurrent Neural
    Networks", ICLR 2017, arXiv:1611.09913.

    Examples
    --------
    >>> import seqkit
    >>> layer = seqkit.Recurrent(UGRNN, 8).build(3, seed=0)
    >>> sum(array.size for array in layer.params.values()) == 2 * 8 * (3 + 8 + 1)
    True
    """

    name = "ugrnn"
    gates = ("c", "g")
    states = ("h",)

    def __init__(self, unit_forget_bias: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self.unit_forget_bias = bool(unit_forget_bias)

    def initial_bias(self, gate: str) -> float:
        """1 for the update gate, if asked for."""
        return float(self.unit_forget_bias and gate == "g")

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """One step."""
        c = self.activation(x.c + U.c @ s.h)
        g = self.recurrent_activation(x.g + U.g @ s.h)
        return {"h": g * s.h + (1 - g) * c}
