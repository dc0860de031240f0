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
