"""Networks with gates in the manner of the GRU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from torch_loops.loop import Loop


class MGU(Loop):
    """Zhou et al., 2016, table 2."""

    def matrices(self) -> Any:
        return self.weight_hh.chunk(2)

    def step(self, x: Tensor, U: Any, *state: Tensor) -> tuple[Tensor, ...]:
        (h,) = state
        U_f, U_h = U
        x_f, x_h = x.chunk(2, -1)
        forget = torch.sigmoid(x_f + F.linear(h, U_f))
        short_term = torch.tanh(x_h + F.linear(forget * h, U_h))
        return (torch.lerp(h, short_term, forget),)


class MinimalRNN(Loop):
    """Chen, 2017, section 2."""

    def inputs(self, x: Tensor) -> Tensor:
        z = torch.tanh(F.linear(x, self.weight_ih, self.bias))
        _, U_z = self.weight_hh.chunk(2)
        return torch.cat([z, F.linear(z, U_z, self.bias_u)], -1)  # z and all of u but what the state adds

    def matrices(self) -> Any:
        return self.weight_hh.chunk(2)[0]

    def step(self, x: Tensor, U: Any, *state: Tensor) -> tuple[Tensor, ...]:
        (h,) = state
        z, seen = x.chunk(2, -1)
        return (torch.lerp(z, h, torch.sigmoid(seen + F.linear(h, U))),)


class UGRNN(Loop):
    """Collins et al., 2017, appendix A.3."""

    def step(self, x: Tensor, U: Any, *state: Tensor) -> tuple[Tensor, ...]:
        (h,) = state
        candidate, gate = (x + F.linear(h, U)).chunk(2, -1)
        gate = torch.sigmoid(gate)
        return (gate * h + (1 - gate) * torch.tanh(candidate),)


class RAN(Loop):
    """Lee et al., 2017, equation 1."""

    def inputs(self, x: Tensor) -> Tensor:
        units = self.weight_hh.shape[1]
        return F.linear(x, self.weight_ih, F.pad(self.bias, (units, 0)))  # the content layer has no bias

    def step(self, x: Tensor, U: Any, *state: Tensor) -> tuple[Tensor, ...]:
        h, c = state
        units = h.shape[-1]
        i, f = torch.sigmoid(x[..., units:] + F.linear(h, U)).chunk(2, -1)
        c = i * x[..., :units] + f * c
        return torch.tanh(c), c


class JANET(Loop):
    """van der Westhuizen and Lasenby, 2018, equation 5."""

    beta = 1.0

    def step(self, x: Tensor, U: Any, *state: Tensor) -> tuple[Tensor, ...]:
        (c,) = state
        s, candidate = (x + F.linear(c, U)).chunk(2, -1)
        return (torch.sigmoid(s) * c + (1 - torch.sigmoid(s - self.beta)) * torch.tanh(candidate),)


class FastGRNN(Loop):
    """Kusupati et al., 2018, section 3.2."""

    rank_w = rank_u = None

    def inputs(self, x: Tensor) -> Tensor:
        projected = F.linear(x, self.weight_ih)
        return F.linear(projected, self.W1) if self.rank_w else projected

    def step(self, x: Tensor, U: Any, *state: Tensor) -> tuple[Tensor, ...]:
        (h,) = state
        both = x + (F.linear(F.linear(h, self.U2), self.U1) if self.rank_u else F.linear(h, U))
        z, candidate = torch.sigmoid(both + self.biases[0]), torch.tanh(both + self.biases[1])
        return ((torch.sigmoid(self.zeta) * (1 - z) + torch.sigmoid(self.nu)) * candidate + z * h,)
