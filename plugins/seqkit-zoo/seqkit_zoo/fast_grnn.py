"""Fast gated recurrent network."""

from __future__ import annotations

from typing import Any, ClassVar

from seqkit.equations import Cell, Parameter, matrix, scalar, sigmoid, vector
from seqkit.equations.sizes import Size
from seqkit.options import positive_integer


class FastGRNN(Cell):
    r"""Fast gated recurrent network: gate and candidate share their matrices.

    .. math:: a_t        &= W x_t + U h_{t-1}                                                          \\
              z_t        &= \sigma(a_t + b_z)                                                          \\
              \tilde h_t &= \tanh(a_t + b_h)                                                           \\
              h_t        &= (\zeta (1 - z_t) + \nu) \odot \tilde h_t + z_t \odot h_{t-1}

    with two numbers :math:`0 \le \zeta, \nu \le 1`, kept there as the sigmoids of the parameters
    ``zeta``, from 1, and ``nu``, from -4, as in the authors' program; biases start at 1, too.

    Parameters
    ----------
    rank_w, rank_u : int, optional
        Factor :math:`W = W_1 W_2` and :math:`U = U_1 U_2` over so many numbers (the paper's low-rank
        form).  Then ``weight_ih`` is :math:`W_2`.  Sparse and quantised weights are left out.
    activation, recurrent_activation : str
        Of the candidate and of the gate.

    Source: Kusupati, Singh, Bhatia, Kumar, Jain and Varma, "FastGRNN: A Fast, Accurate, Stable and
    Tiny Kilobyte Sized Gated Recurrent Neural Network", NeurIPS 2018, arXiv:1901.02358.

    Examples
    --------
    >>> import seqkit
    >>> layer = seqkit.Recurrent(FastGRNN, 8).build(3, seed=0)
    >>> sum(array.size for array in layer.params.values()) == 8 * (3 + 8 + 2) + 2
    True
    """

    name = "fast_grnn"
    gates = ("a",)
    states = ("h",)
    biases: ClassVar[tuple[str, ...] | None] = ()  # one for each use, not for their sum

    def __init__(self, rank_w: int | None = None, rank_u: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.rank_w = None if rank_w is None else positive_integer(rank_w, "fast_grnn: rank_w")
        self.rank_u = None if rank_u is None else positive_integer(rank_u, "fast_grnn: rank_u")

    def sizes(self) -> dict[str, Size]:
        """What W gives, where it has a rank."""
        return {"a": self.rank_w} if self.rank_w else {}

    def parameters(self) -> dict[str, Parameter]:
        """The two numbers, both biases, and the factors of matrices that have a rank."""
        own = {"zeta": scalar(initializer=1.0), "nu": scalar(initializer=-4.0)}
        own |= {"biases": vector("z", "h", initializer="ones")} if self.use_bias else {}
        own |= {"W1": matrix("units", self.rank_w)} if self.rank_w else {}
        return own | ({"U1": matrix("units", self.rank_u), "U2": matrix(self.rank_u)} if self.rank_u else {})

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """One step."""
        from_x = p.W1 @ x.a if self.rank_w else x.a
        a = from_x + (p.U1 @ (p.U2 @ s.h) if self.rank_u else U.a @ s.h)
        z = self.recurrent_activation(a + p.biases.z if self.use_bias else a)
        n = self.activation(a + p.biases.h if self.use_bias else a)
        return {"h": (sigmoid(p.zeta) * (1 - z) + sigmoid(p.nu)) * n + z * s.h}
