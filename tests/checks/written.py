"""Cells from a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from seqkit.equations import Cell, Parameter

Step = Callable[..., Any]


def cell_of(step: Step, gates: Any = ("f",), states: Any = ("h",), **parameters: Parameter) -> Cell:
    """A cell with this step, which is called as step(x, U, s, p)."""

    class Written(Cell):
        def step(self, x: Any, U: Any, s: Any, p: Any) -> Any:
            return step(x, U, s, p)

        def parameters(self) -> dict[str, Parameter]:
            return parameters

    Written.gates, Written.states = gates, states
    return Written()
