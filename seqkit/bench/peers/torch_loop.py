"""Cells that PyTorch has no module for, as its users write them: a module with a loop over time.

The input projection of all steps is one product before the loop, which is the fastest that is usual.

Legend: B batch, T time, I input features, H units.
"""

from __future__ import annotations

from typing import Any


def peephole(torch: Any, features: int, units: int) -> Any:
    """A peephole LSTM: (T, B, I) to (T, B, H) and the final (h, c); the gates are i, f, g, o."""

    class Peephole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            shapes = {
                "weight_ih_l0": (4 * units, features),
                "weight_hh_l0": (4 * units, units),
                "bias_ih_l0": (4 * units,),
                "weight_ch_l0": (3, units),
            }
            for name, shape in shapes.items():
                setattr(self, name, torch.nn.Parameter(torch.zeros(shape)))

        def forward(self, x: Any, state: tuple[Any, Any] | None = None) -> tuple[Any, tuple[Any, Any]]:
            h, c = state or (x.new_zeros(x.shape[1], units), x.new_zeros(x.shape[1], units))
            weight, outputs = self.weight_hh_l0.t(), []
            to_i, to_f, to_o = self.weight_ch_l0
            for projected in torch.nn.functional.linear(x, self.weight_ih_l0, self.bias_ih_l0):
                i, f, g, o = torch.addmm(projected, h, weight).chunk(4, dim=1)
                i, f = torch.sigmoid(i + to_i * c), torch.sigmoid(f + to_f * c)
                c = f * c + i * torch.tanh(g)
                h = torch.sigmoid(o + to_o * c) * torch.tanh(c)
                outputs.append(h)
            return torch.stack(outputs), (h, c)

    return Peephole()
