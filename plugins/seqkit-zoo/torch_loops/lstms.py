"""Relatives of the LSTM."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from torch_loops.loop import Loop


class MultiplicativeLSTM(Loop):
    """Krause et al., 2017, equations 16 to 21."""

    def inputs(self, x: Tensor) -> Tensor:
        units = self.weight_hh.shape[1]
        return F.linear(x, self.weight_ih, F.pad(self.bias, (units, 0)))  # m has no bias

    def matrices(self) -> Any:
        units = self.weight_hh.shape[1]
        return self.weight_hh[:units], self.weight_hh[units:]

    def step(self, x: Tensor, U: Any, *state: Tensor) -> tuple[Tensor, ...]:
        h, c = state
        U_m, U_gates = U
        units = h.shape[-1]
        m = x[..., :units] * F.linear(h, U_m)
        i, f, candidate, o = (x[..., units:] + F.linear(m, U_gates)).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * candidate
        return torch.tanh(c * torch.sigmoid(o)), c


class NAS(Loop):
    """Zoph and Le, 2017, as TensorFlow's cell has it."""

    def step(self, x: Tensor, U: Any, *state: Tensor) -> tuple[Tensor, ...]:
        h, c = state
        x_, h_ = x.chunk(8, -1), F.linear(h, U).chunk(8, -1)
        leaf = [x_[k] * h_[k] if k == 3 else x_[k] + h_[k] for k in range(8)]
        first = [
            f(v)
            for f, v in zip(
                (torch.sigmoid, F.relu, torch.sigmoid, F.relu, torch.tanh, torch.sigmoid, torch.tanh, torch.sigmoid),
                leaf,
                strict=True,
            )
        ]
        left = torch.tanh(first[0] * first[1]), torch.tanh(first[2] + first[3])
        right = torch.tanh(first[4] * first[5]), torch.sigmoid(first[6] + first[7])
        c = torch.tanh(left[0] + c) * left[1]
        return torch.tanh(c * torch.tanh(right[0] + right[1])), c


class ChronoLSTM(Loop):
    """Hochreiter and Schmidhuber, 1997; Tallec and Ollivier, 2018, change its start only."""

    def step(self, x: Tensor, U: Any, *state: Tensor) -> tuple[Tensor, ...]:
        h, c = state
        i, f, g, o = (x + F.linear(h, U)).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


class LSTMP(Loop):
    """Sak et al., 2014, as PyTorch has it."""

    projection = 32

    def step(self, x: Tensor, U: Any, *state: Tensor) -> tuple[Tensor, ...]:
        h, c = state
        i, f, g, o = (x + F.linear(h, U)).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return F.linear(torch.sigmoid(o) * torch.tanh(c), self.weight_hr), c


class SLSTM(Loop):
    """Beck et al., 2024, equations 8 to 17, with the stabiliser m."""

    heads, exponential_forget = 1, False

    def matrices(self) -> Any:
        units = self.weight_hh.shape[0] // 4
        blocks = self.weight_hh.view(4, self.heads, units // self.heads, -1).permute(1, 0, 2, 3)
        return blocks.reshape(self.heads, -1, units // self.heads).transpose(1, 2)  # (heads, K, 4 K)

    def recurrent(self, h: Tensor, U: Any) -> Tensor:
        """What each head's own units contribute, gate by gate."""
        if self.heads == 1:
            return h @ U[0]
        by_head = torch.bmm(h.view(len(h), self.heads, -1).transpose(0, 1), U)  # (heads, B, 4 K)
        return by_head.view(self.heads, len(h), 4, -1).permute(1, 2, 0, 3).reshape(len(h), -1)

    def step(self, x: Tensor, U: Any, *state: Tensor) -> tuple[Tensor, ...]:
        h, c, n, m = state
        i, f, z, o = (x + self.recurrent(h, U)).chunk(4, -1)
        log_f = (f if self.exponential_forget else F.logsigmoid(f)) + m
        m = torch.where(n == 0, i, torch.maximum(log_f, i))
        i, f = torch.exp(i - m), torch.where(n == 0, 0.0, torch.exp(log_f - m))
        c = f * c + i * torch.tanh(z)
        n = f * n + i
        return torch.sigmoid(o) * c / n, c, n, m


class GroupNormSLSTM(SLSTM):
    """Beck et al., 2024, figure 10: a group for every head."""

    def step(self, x: Tensor, U: Any, *state: Tensor) -> tuple[Tensor, ...]:
        new = super().step(x, U, *state[1:])
        return F.group_norm(new[0], self.heads, self.gain, self.shift), *new
