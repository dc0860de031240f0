"""Networks without products of the state: units see only themselves."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from torch_loops.loop import Loop


class IndRNN(Loop):
    """Li et al., 2018, equation 2."""

    def step(self, x: Tensor, U: Any, *state: Tensor) -> tuple[Tensor, ...]:
        (h,) = state
        return (F.relu(torch.addcmul(x, self.u, h)),)


class SRU(Loop):
    """Lei et al., 2018, equations 1 to 4, the highway through a matrix."""

    def inputs(self, x: Tensor) -> Tensor:
        units = self.v.shape[1]
        return F.linear(x, self.weight_ih, F.pad(self.bias, (units, units)))  # only the gates have one

    def step(self, x: Tensor, U: Any, *state: Tensor) -> tuple[Tensor, ...]:
        _, before = state
        content, forget, reset, highway = x.chunk(4, -1)
        forget = torch.sigmoid(forget + self.v[0] * before)
        reset = torch.sigmoid(reset + self.v[1] * before)
        c = forget * before + (1 - forget) * content
        return reset * c + (1 - reset) * highway, c


class QRNN(Loop):
    """Bradbury et al., 2017, equations 2 and 4; hoisted, with their convolution over time."""

    def inputs(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight_ih, F.pad(self.bias, (0, len(self.bias))))

    def step(self, x: Tensor, U: Any, *state: Tensor) -> tuple[Tensor, ...]:
        _, c, *before = state
        now, later = x.chunk(2, -1)
        z, f, o = (now + torch.cat(before, -1)).chunk(3, -1)
        f = torch.sigmoid(f)
        c = f * c + (1 - f) * torch.tanh(z)
        return torch.sigmoid(o) * c, c, *later.chunk(3, -1)

    def forward(self, x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        if not self.hoisted:
            return super().forward(x, state)
        now, before = self.weight_ih.chunk(2)
        padded = F.pad(x.transpose(1, 2), (1, 0))  # (B, I, 1 + T)
        gates = F.conv1d(padded, torch.stack([before, now], -1), self.bias).transpose(1, 2)  # (B, T, 3 H)
        first = gates[:, :1] + torch.cat(state[2:], -1)[:, None]  # what came before a carried state
        z, f, o = torch.cat([first, gates[:, 1:]], 1).chunk(3, -1)
        f = torch.sigmoid(f)
        c, cells = state[1], []
        for keep, entering in zip(f.unbind(1), ((1 - f) * torch.tanh(z)).unbind(1), strict=True):
            c = keep * c + entering
            cells.append(c)
        h = torch.sigmoid(o) * torch.stack(cells, 1)
        return h, (h[:, -1], c, *F.linear(x[:, -1], before).chunk(3, -1))


class MinGRU(Loop):
    """Feng et al., 2024, section 3.1; with `log_space` the candidate of appendix B."""

    log_space = False

    def inputs(self, x: Tensor) -> Tensor:
        z, h = F.linear(x, self.weight_ih, self.bias).chunk(2, -1)
        z = torch.sigmoid(z)
        if self.log_space:
            h = torch.where(h >= 0, h + 0.5, torch.sigmoid(h))
        return torch.cat([1 - z, z * h], -1)

    def step(self, x: Tensor, U: Any, *state: Tensor) -> tuple[Tensor, ...]:
        keep, entering = x.chunk(2, -1)
        return (keep * state[0] + entering,)


class MinLSTM(Loop):
    """Feng et al., 2024, section 3.2; with `log_space` the candidate of appendix B."""

    log_space = False

    def inputs(self, x: Tensor) -> Tensor:
        f, i, h = F.linear(x, self.weight_ih, self.bias).chunk(3, -1)
        f, i = torch.sigmoid(f), torch.sigmoid(i)
        if self.log_space:
            h = torch.where(h >= 0, h + 0.5, torch.sigmoid(h))
        return torch.cat([f / (f + i), i / (f + i) * h], -1)

    def step(self, x: Tensor, U: Any, *state: Tensor) -> tuple[Tensor, ...]:
        keep, entering = x.chunk(2, -1)
        return (keep * state[0] + entering,)
