"""Networks with layer normalisation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from torch_loops.loop import Loop


class LiGRU(Loop):
    """Ravanelli et al., 2018, equations 4 and 5, with layer normalisation for each gate."""

    def inputs(self, x: Tensor) -> Tensor:
        units = self.gain.shape[1:]
        parts = F.linear(x, self.weight_ih).chunk(2, -1)
        return torch.cat(
            [F.layer_norm(part, units, *rows) for part, *rows in zip(parts, self.gain, self.shift, strict=True)], -1
        )

    def step(self, x: Tensor, U: Any, *state: Tensor) -> tuple[Tensor, ...]:
        (h,) = state
        update, candidate = (x + F.linear(h, U)).chunk(2, -1)
        update = torch.sigmoid(update)
        return (update * h + (1 - update) * F.relu(candidate),)


class LayerNormLSTM(Loop):
    """Ba et al., 2016, equations 20 to 22."""

    def inputs(self, x: Tensor) -> Tensor:
        parts = F.linear(x, self.weight_ih)
        return F.layer_norm(parts, parts.shape[-1:], self.gain_x.flatten(), self.shift.flatten())

    def step(self, x: Tensor, U: Any, *state: Tensor) -> tuple[Tensor, ...]:
        h, c = state
        recurrent = F.linear(h, U)
        i, f, g, o = (x + F.layer_norm(recurrent, recurrent.shape[-1:], self.gain_h.flatten())).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(F.layer_norm(c, c.shape[-1:], self.gain_c, self.shift_c)), c


class LayerNormGRU(Loop):
    """Ba et al., 2016, equations 23 to 25."""

    def inputs(self, x: Tensor) -> Tensor:
        units = self.gain_x.shape[1]
        parts = F.linear(x, self.weight_ih)
        gates = F.layer_norm(parts[..., : 2 * units], (2 * units,), self.gain_x[:2].flatten(), self.shift[:2].flatten())
        candidate = F.layer_norm(parts[..., 2 * units :], (units,), self.gain_x[2], self.shift[2])
        return torch.cat([gates, candidate], -1)

    def step(self, x: Tensor, U: Any, *state: Tensor) -> tuple[Tensor, ...]:
        (h,) = state
        units = h.shape[-1]
        recurrent = F.linear(h, U)
        gates = F.layer_norm(recurrent[..., : 2 * units], (2 * units,), self.gain_h[:2].flatten())
        r, z = torch.sigmoid(x[..., : 2 * units] + gates).chunk(2, -1)
        recurrent = F.layer_norm(recurrent[..., 2 * units :], (units,), self.gain_h[2], self.shift_hn)
        return ((1 - z) * h + z * torch.tanh(x[..., 2 * units :] + r * recurrent),)
