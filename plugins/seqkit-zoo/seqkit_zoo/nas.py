"""The cell that neural architecture search found."""

from __future__ import annotations

from typing import Any

from seqkit.equations import Cell, relu, sigmoid, tanh


class NAS(Cell):
    r"""The recurrent cell that a neural architecture search on the Penn Treebank found.

    .. math:: a &= \tanh(\sigma(x_1 + h_1) \odot \mathrm{ReLU}(x_2 + h_2))      \\
              b &= \tanh(\sigma(x_3 + h_3) + \mathrm{ReLU}(x_4 \odot h_4))      \\
              d &= \tanh(\tanh(x_5 + h_5) \odot \sigma(x_6 + h_6))              \\
              e &= \sigma(\tanh(x_7 + h_7) + \sigma(x_8 + h_8))                 \\
              c_t &= \tanh(a + c_{t-1}) \odot b                                 \\
              h_t &= \tanh(c_t \odot \tanh(d + e))

    with :math:`x_k = W_k x_t + b_k` and :math:`h_k = U_k h_{t-1}`.  The paper draws the tree (its
    appendix); the formulas are those of TensorFlow's cell of this name, which has no biases unless
    asked for: ``use_bias=False``.

    Source: Zoph and Le, "Neural Architecture Search with Reinforcement Learning", ICLR 2017,
    arXiv:1611.01578.

    Examples
    --------
    >>> import seqkit
    >>> layer = seqkit.Recurrent(NAS, 8).build(3, seed=0)
    >>> sum(array.size for array in layer.params.values()) == 8 * 8 * (3 + 8 + 1)
    True
    """

    name = "nas"
    gates = ("g1", "g2", "g3", "g4", "g5", "g6", "g7", "g8")
    states = ("h", "c")

    def __init__(self, use_bias: bool = True) -> None:
        super().__init__(use_bias=use_bias)

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """One step."""
        a = tanh(sigmoid(x.g1 + U.g1 @ s.h) * relu(x.g2 + U.g2 @ s.h))
        b = tanh(sigmoid(x.g3 + U.g3 @ s.h) + relu(x.g4 * (U.g4 @ s.h)))
        d = tanh(tanh(x.g5 + U.g5 @ s.h) * sigmoid(x.g6 + U.g6 @ s.h))
        e = sigmoid(tanh(x.g7 + U.g7 @ s.h) + sigmoid(x.g8 + U.g8 @ s.h))
        c = tanh(a + s.c) * b
        return {"h": tanh(c * tanh(d + e)), "c": c}
