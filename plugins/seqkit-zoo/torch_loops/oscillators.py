"""Networks that are discretised differential equations."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from torch_loops.loop import Loop


class LEM(Loop):
    """Rusch et al., 2022, equation 3."""

    dt = 1.0

    def matrices(self) -> Any:
        units = self.weight_hh.shape[1]
        return self.weight_hh[: 3 * units], self.weight_hh[3 * units :]

    def step(self, x: Tensor, U: Any, *state: Tensor) -> tuple[Tensor, ...]:
        y, z = state
        U_y, U_z = U
        units = y.shape[-1]
        t1, t2, drive = (x[..., : 3 * units] + F.linear(y, U_y)).chunk(3, -1)
        t1, t2 = self.dt * torch.sigmoid(t1), self.dt * torch.sigmoid(t2)
        z = (1 - t1) * z + t1 * torch.tanh(drive)
        y = (1 - t2) * y + t2 * torch.tanh(x[..., 3 * units :] + F.linear(z, U_z))
        return y, z


class CoRNN(Loop):
    """Rusch and Mishra, 2021, equation 3."""

    dt, gamma, epsilon, implicit = 0.042, 2.7, 4.7, False

    def matrices(self) -> Any:
        return torch.cat(self.weight_hh.chunk(2), 1)  # of (z, y)

    def step(self, x: Tensor, U: Any, *state: Tensor) -> tuple[Tensor, ...]:
        y, z = state
        drive = self.dt * (torch.tanh(x + F.linear(torch.cat([z, y], -1), U)) - self.gamma * y)
        damping = self.dt * self.epsilon
        z = (z + drive) / (1 + damping) if self.implicit else (1 - damping) * z + drive
        return y + self.dt * z, z
