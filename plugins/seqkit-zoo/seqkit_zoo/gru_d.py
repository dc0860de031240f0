"""GRU for series with missing values."""

from __future__ import annotations

from typing import Any, ClassVar

from seqkit.equations import Cell, Parameter, exp, matrix, relu, vector, where
from seqkit.equations.sizes import Size


class GRUD(Cell):
    r"""GRU with trainable decays, for series with missing values and uneven steps.

    .. math:: \gamma_x &= \exp(-\max(0, w_x \odot \delta_t + b_x)), \quad
              \gamma_h = \exp(-\max(0, W_\gamma \delta_t + b_\gamma))                                     \\
              \hat x_t &= m_t \odot x_t + (1 - m_t) \odot
                          (\gamma_x \odot x' + (1 - \gamma_x) \odot \bar x)                               \\
              \hat h   &= \gamma_h \odot h_{t-1}                                                          \\
              r_t      &= \sigma(W_r \hat x_t + U_r \hat h + V_r m_t + b_r)                               \\
              z_t      &= \sigma(W_z \hat x_t + U_z \hat h + V_z m_t + b_z)                               \\
              \tilde h &= \tanh(W_n \hat x_t + U_n (r_t \odot \hat h) + V_n m_t + b_n)                    \\
              h_t      &= (1 - z_t) \odot \hat h + z_t \odot \tilde h

    The input has three parts of as many features each: the values x, the mask m (1 observed, 0
    missing) and the time since each was observed last, :math:`\delta`.  :math:`x'`, the last observed
    value, is the state ``last``.  What is missing may hold any number, NaN too.  :math:`\bar x` is the
    parameter ``mean``, which starts at 0, the mean of standardised features; the paper keeps it fixed.

    Source: Che, Purushotham, Cho, Sontag and Liu, "Recurrent Neural Networks for Multivariate Time
    Series with Missing Values", Scientific Reports 8, 2018, arXiv:1606.01865, equations 10 to 17.

    Examples
    --------
    >>> import seqkit
    >>> layer = seqkit.Recurrent(GRUD, 8).build(3 * 5, seed=0)
    >>> sum(a.size for a in layer.params.values()) == 3 * 8 * (5 + 8 + 5 + 1) + 8 * (5 + 1) + 3 * 5
    True
    """

    name = "gru_d"
    gates = ("r", "z", "n")
    states = ("h", "last")
    inputs: ClassVar[dict[str, Size]] = {"x": "features", "mask": "features", "gap": "features"}

    def sizes(self) -> dict[str, Size]:
        """That of the last observed values."""
        return {"last": "features"}

    def parameters(self) -> dict[str, Parameter]:
        """Matrices of values, mask and gaps; decays of the values; biases."""
        names = ("W_r", "W_z", "W_n", "V_r", "V_z", "V_n", "W_gap")
        matrices = {name: matrix("units", "features", initializer="glorot_uniform") for name in names}
        vectors = {"shift": vector("r", "z", "n", "gap"), "decay": vector("weight", "shift", size="features")}
        return matrices | vectors | {"mean": vector(size="features")}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """One step."""
        decay_x = exp(-relu(p.decay.weight * x.gap + p.decay.shift))
        decay_h = exp(-relu(p.W_gap @ x.gap + p.shift.gap))
        seen = x.mask * where(x.mask > 0, x.x, 0.0)
        value = seen + (1 - x.mask) * (decay_x * s.last + (1 - decay_x) * p.mean)
        before = decay_h * s.h
        r = self.recurrent_activation(p.W_r @ value + U.r @ before + p.V_r @ x.mask + p.shift.r)
        z = self.recurrent_activation(p.W_z @ value + U.z @ before + p.V_z @ x.mask + p.shift.z)
        n = self.activation(p.W_n @ value + U.n @ (r * before) + p.V_n @ x.mask + p.shift.n)
        return {"h": (1 - z) * before + z * n, "last": seen + (1 - x.mask) * s.last}
