"""The loop over time that all modules share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Loop(nn.Module):
    """A recurrent cell with the parameters of a seqkit layer, by their names and in their shapes.

    A subclass defines ``step``, and where its paper needs it ``inputs`` and ``matrices``.  What the
    input contributes is computed at every step, as in a cell that a loop calls, or, if `hoisted`,
    for all steps before the loop.
    """

    hoisted = False

    def __init__(self, params: Mapping[str, np.ndarray], **options: Any) -> None:
        super().__init__()
        for name, array in params.items():
            self.register_parameter(name, nn.Parameter(torch.tensor(array)))
        for name, value in options.items():
            setattr(self, name, value)

    def inputs(self, x: Tensor) -> Tensor:
        """What the input contributes to one step (B, I), or to all steps at once (B, T, I)."""
        return F.linear(x, self.weight_ih, self.bias)

    def matrices(self) -> Any:
        """The matrices of a step."""
        return self.weight_hh

    def step(self, x: Tensor, U: Any, *state: Tensor) -> tuple[Tensor, ...]:
        """New states from `inputs` of one step, the `matrices` and the old states."""
        raise NotImplementedError

    def forward(self, x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Outputs (B, T, H) and final states."""
        outputs, U = [], self.matrices()
        for x_t in self.inputs(x).unbind(1) if self.hoisted else map(self.inputs, x.unbind(1)):
            state = self.step(x_t, U, *state)
            outputs.append(state[0])
        return torch.stack(outputs, 1), state
