"""Phased LSTM."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from seqkit.equations import Cell, Parameter, exp, floor, vector, where
from seqkit.equations.sizes import Size
from seqkit.initializers import uniform
from seqkit.options import fraction, positive_number


class PhasedLSTM(Cell):
    r"""LSTM whose units open for a small part of a period of their own: for events at any times.

    .. math:: \phi_t &= \frac{(t - s) \bmod \tau}{\tau}                                             \\
              k_t &= \begin{cases}
                       2 \phi_t / r           & \phi_t < r / 2     \\
                       2 - 2 \phi_t / r       & r / 2 < \phi_t < r \\
                       \alpha \phi_t          & \text{else}
                     \end{cases}                                                                    \\
              i, f, o &= \sigma(W x_t + U h_{t-1} + b), \quad g = \tanh(W_g x_t + U_g h_{t-1} + b_g)  \\
              \tilde c &= f \odot c_{t-1} + i \odot g, \quad \tilde h = o \odot \tanh(\tilde c)     \\
              c_t &= k_t \odot \tilde c + (1 - k_t) \odot c_{t-1}                                   \\
              h_t &= k_t \odot \tilde h + (1 - k_t) \odot h_{t-1}

    The input's last feature is the time t of the step.  Learned are shifts s and
    :math:`\log \tau`, so that periods stay above 0; the paper's optional peephole weights are left out.

    Parameters
    ----------
    open_ratio : float
        Share of the period in which a unit is open, r; 0.05 in the paper.
    leak : float
        :math:`\alpha`, what a closed unit lets through so that gradients pass; 0.001 in the paper,
        which sets it to 0 after training.
    shortest, longest : float
        Periods start log-uniform between these, and shifts uniform between 0 and `longest`.
    activation, recurrent_activation, use_bias
        As in ``lstm``.

    Source: Neil, Pfeiffer and Liu, "Phased LSTM: Accelerating Recurrent Network Training for Long or
    Event-based Sequences", NeurIPS 2016, arXiv:1610.09513, equations 6 to 11.

    Examples
    --------
    >>> import seqkit
    >>> layer = seqkit.Recurrent(PhasedLSTM, 8).build(3 + 1, seed=0)
    >>> sum(array.size for array in layer.params.values()) == 4 * 8 * (3 + 8 + 1) + 2 * 8
    True
    """

    name = "phased_lstm"
    gates = ("i", "f", "g", "o")
    states = ("h", "c")
    inputs: ClassVar[dict[str, Size]] = {"time": 1}

    def __init__(
        self,
        open_ratio: float = 0.05,
        leak: float = 0.001,
        shortest: float = 1.0,
        longest: float = 1000.0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.open_ratio = positive_number(open_ratio, "phased_lstm: open_ratio")
        self.leak = fraction(leak, "phased_lstm: leak")
        self.shortest = positive_number(shortest, "phased_lstm: shortest")
        self.longest = positive_number(longest, "phased_lstm: longest")

    def parameters(self) -> dict[str, Parameter]:
        """Period and shift of every unit."""
        periods = uniform(math.log(self.shortest), math.log(self.longest))
        return {"log_period": vector(initializer=periods), "shift": vector(initializer=uniform(0.0, self.longest))}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
        """One step."""
        turns = (x.time - p.shift) * exp(-p.log_period)
        phase = turns - floor(turns)
        opening = 2 / self.open_ratio * phase
        k = where(opening < 1, opening, where(opening < 2, 2 - opening, self.leak * phase))
        i = self.recurrent_activation(x.i + U.i @ s.h)
        f = self.recurrent_activation(x.f + U.f @ s.h)
        g = self.activation(x.g + U.g @ s.h)
        o = self.recurrent_activation(x.o + U.o @ s.h)
        c = f * s.c + i * g
        return {"h": k * (o * self.activation(c)) + (1 - k) * s.h, "c": k * c + (1 - k) * s.c}
