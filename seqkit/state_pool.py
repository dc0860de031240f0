"""The states of many streams of one recurrent layer.

Legend: N streams of a tick, I input features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqkit import _core
from seqkit.execution import Execution, Versioned
from seqkit.pools import Saved, check_saved
from seqkit.sequences import as_vectors


class StatePool:
    """States in arrays that the engine gathers from and scatters to by itself; see seqkit.pools.Pool.

    Parameters
    ----------
    execution : Execution
        The equations.
    params : Parameters
        The weights, looked at before every step.
    rows : int
        Number of rows.
    learned : sequence of str
        Names of the parameters that streams start from, one for each state; by default from 0.
    """

    def __init__(self, execution: Execution, params: Versioned, rows: int, learned: Sequence[str] = ()) -> None:
        self._execution, self._params, self._learned = execution, params, learned
        self._states = execution.new_states(rows)
        for array in self._states:
            array[...] = 0
        self._stepper: _core.Stepper | None = None

    def feed(self, x: Any, sources: np.ndarray, targets: np.ndarray) -> np.ndarray:
        execution = self._execution
        x = as_vectors(x, execution.dtype, execution.program.name, execution.input_size)  # (N, I)
        if self._stepper is None or self._stepper.version != self._params.version:
            self._stepper = execution.bind_stepper(self._params)
        y = np.empty((len(x), execution.shapes.states[0]), execution.dtype)
        self._stepper.feed(x, y, self._states, sources, targets)
        return y

    def clear(self, row: int) -> None:
        for n, array in enumerate(self._states):
            array[row] = self._params[self._learned[n]] if self._learned else 0

    def save(self, row: int) -> Saved:
        return {name: array[row].copy() for name, array in self._named().items()}

    def load(self, row: int, saved: Saved) -> None:
        named = self._named()
        check_saved(self._execution.program.name, saved, {name: array[row] for name, array in named.items()})
        for name, array in named.items():
            array[row] = saved[name]

    def _named(self) -> Saved:
        return dict(zip(self._execution.cell.states, self._states, strict=True))
