"""Quasi-recurrent network."""

from __future__ import annotations

from typing import Any, ClassVar

from seqkit.equations import Cell


class QRNN(Cell):
    r"""Quasi-recurrent network: a convolution over two steps, then fo-pooling.

    .. math:: z_t &= \tanh(W_z x_t + V_z x_{t-1} + b_z)             \\
              f_t &= \sigma(W_f x_t + V_f x_{t-1} + b_f)            \\
              o_t &= \sigma(W_o x_t + V_o x_{t-1} + b_o)            \\
              c_t &= f_t \odot c_{t-1} + (1 - f_t) \odot z_t        \\
              h_t &= o_t \odot c_t

    The three products of the last step's input, :math:`V x_{t-1}`, are states ("z1", "f1", "o1"):
    a stream goes on where it was, and a sequence starts with the paper's zero padding.  The paper
    writes no biases; ``use_bias=False`` has none.

    Source: Bradbury, Merity, Xiong and Socher, "Quasi-Recurrent Neural Networks", ICLR 2017,
    arXiv:1611.01576, equations 2 and 4.

    Examples
    --------
    >>> import seqkit
    >>> layer = seqkit.Recurrent(QRNN, 8).build(3, seed=0)
    >>> sum(array.size for array in layer.params.values()) == 3 * 8 * (2 * 3 + 1)
    True
    """

    name = "qrnn"
    gates = ("z", "f", "o", "z1", "f1", "o1")
    states = ("h", "c", "z1", "f1", "o1")
    biases: ClassVar[tuple[str, ...] | None] = ("z", "f", "o")

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """One step."""
        z = self.activation(x.z + s.z1)
        f = self.recurrent_activation(x.f + s.f1)
        o = self.recurrent_activation(x.o + s.o1)
        c = f * s.c + (1 - f) * z
        return {"h": o * c, "c": c, "z1": x.z1, "f1": x.f1, "o1": x.o1}
