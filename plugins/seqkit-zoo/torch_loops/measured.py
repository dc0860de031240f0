"""Networks that read something of each step beside its features: times, gaps, masks, attention."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from torch_loops.loop import Loop


class AUGRU(Loop):
    """Zhou et al., 2019, equations 4 to 7, with 12 and 13 for the update gate."""

    def inputs(self, x: Tensor) -> Tensor:
        return torch.cat([F.linear(x[..., :-1], self.weight_ih, self.bias), x[..., -1:]], -1)

    def step(self, x: Tensor, U: Any, *state: Tensor) -> tuple[Tensor, ...]:
        (h,) = state
        attention = x[..., -1:]
        x_r, x_u, x_n = x[..., :-1].chunk(3, -1)
        h_r, h_u, h_n = F.linear(h, U).chunk(3, -1)
        update = torch.sigmoid(x_u + h_u) * attention
        candidate = torch.tanh(x_n + torch.sigmoid(x_r + h_r) * h_n)
        return (torch.lerp(h, candidate, update),)


class GRUD(Loop):
    """Che et al., 2018, equations 10 to 17."""

    def inputs(self, x: Tensor) -> Tensor:
        value, mask, gap = x.chunk(3, -1)
        decay_x = torch.exp(-F.relu(self.decay[0] * gap + self.decay[1]))
        decay_h = torch.exp(-F.relu(F.linear(gap, self.W_gap, self.shift[3])))
        from_mask = F.linear(mask, torch.cat([self.V_r, self.V_z, self.V_n]), self.shift[:3].flatten())
        return torch.cat([value, mask, decay_x, decay_h, from_mask], -1)

    def matrices(self) -> Any:
        units = self.weight_hh.shape[1]
        W = torch.cat([self.W_r, self.W_z, self.W_n])
        return W, self.weight_hh[: 2 * units], self.weight_hh[2 * units :]

    def step(self, x: Tensor, U: Any, *state: Tensor) -> tuple[Tensor, ...]:
        h, last = state
        W, U_gates, U_n = U
        features, units = last.shape[-1], h.shape[-1]
        value, mask, decay_x, decay_h, from_mask = x.split([features] * 3 + [units, 3 * units], -1)
        imputed = mask * value + (1 - mask) * (decay_x * last + (1 - decay_x) * self.mean)
        h = decay_h * h
        seen = F.linear(imputed, W) + from_mask
        r, z = torch.sigmoid(seen[..., : 2 * units] + F.linear(h, U_gates)).chunk(2, -1)
        candidate = torch.tanh(seen[..., 2 * units :] + F.linear(r * h, U_n))
        return (1 - z) * h + z * candidate, mask * value + (1 - mask) * last


class PhasedLSTM(Loop):
    """Neil et al., 2016, equations 6 to 11."""

    open_ratio, leak = 0.05, 0.001

    def inputs(self, x: Tensor) -> Tensor:
        period = torch.exp(self.log_period)
        phase = torch.remainder(x[..., -1:] - self.shift, period) / period
        half = self.open_ratio / 2
        rising, falling = phase / half, 2 - phase / half
        openness = torch.where(phase < half, rising, torch.where(phase < self.open_ratio, falling, self.leak * phase))
        return torch.cat([F.linear(x[..., :-1], self.weight_ih, self.bias), openness], -1)

    def step(self, x: Tensor, U: Any, *state: Tensor) -> tuple[Tensor, ...]:
        h, c = state
        units = h.shape[-1]
        k = x[..., 4 * units :]
        i, f, g, o = (x[..., : 4 * units] + F.linear(h, U)).chunk(4, -1)
        cell = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.lerp(h, torch.sigmoid(o) * torch.tanh(cell), k), torch.lerp(c, cell, k)
