"""Which output is explained, and what was found about it.

Legend: B batch, T time, F features (of an id: those of its vector), K outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.errors import ConfigError


@dataclass(frozen=True)
class Attribution:
    """What every feature of every step has to do with one output of each sequence.

    Attributes
    ----------
    values : ndarray, (B, T, F)
        0 past the end of a sequence.
    output : ndarray, (B,)
        The output that was explained.
    target : ndarray of int, (B,)
        Its number.
    step : ndarray of int or None, (B,)
        Its step, of a model that returns sequences.
    baseline_output : ndarray or None, (B,)
        Of integrated gradients: the output at the baseline.
    """

    values: np.ndarray
    output: np.ndarray
    target: np.ndarray
    step: np.ndarray | None
    baseline_output: np.ndarray | None = None

    @property
    def by_step(self) -> np.ndarray:
        """Sums over the features, (B, T)."""
        return self.values.sum(axis=2)

    @property
    def size_by_step(self) -> np.ndarray:
        """Sums of magnitudes over the features, (B, T)."""
        return np.abs(self.values).sum(axis=2)

    @property
    def gap(self) -> np.ndarray | None:
        """How far the sum is from the change of the output, f(x) - f(baseline), (B,); 0 for an exact integral."""
        if self.baseline_output is None:
            return None
        return self.values.sum(axis=(1, 2)) - (self.output - self.baseline_output)


@dataclass(frozen=True)
class Chosen:
    """One output of every sequence."""

    target: np.ndarray
    step: np.ndarray | None

    @classmethod
    def of(cls, y: np.ndarray, lengths: np.ndarray, target: Any, step: Any) -> Chosen:
        """The output with this number, at this step; by default the largest one, at the last step.

        Raises
        ------
        ConfigError
            If there is no such output or step.
        """
        batch, outputs = len(y), y.shape[-1]
        at = None
        if y.ndim == 3:
            at = np.maximum(lengths - 1, 0) if step is None else np.broadcast_to(np.asarray(step, np.int64), (batch,))
            if (at >= np.maximum(lengths, 1)).any() or (at < 0).any():
                raise ConfigError(f"explain: step {step} is outside of a sequence; the shortest has {lengths.min()}.")
        elif step is not None:
            raise ConfigError("explain: the model gives one vector per sequence; leave out step.")
        rows = y if at is None else y[np.arange(batch), at]
        numbers = rows.argmax(axis=1) if target is None else np.broadcast_to(np.asarray(target, np.int64), (batch,))
        if ((numbers < 0) | (numbers >= outputs)).any():
            raise ConfigError(f"explain: target {target!r} does not exist; the model has outputs 0 to {outputs - 1}.")
        return cls(numbers, at)

    @property
    def _place(self) -> tuple[np.ndarray, ...]:
        batch = np.arange(len(self.target))
        return (batch, self.target) if self.step is None else (batch, self.step, self.target)

    def read(self, y: np.ndarray) -> np.ndarray:
        """The chosen outputs, (B,)."""
        return y[self._place]

    def one_hot(self, y: np.ndarray) -> np.ndarray:
        """Gradient of the sum of the chosen outputs with respect to all outputs."""
        dy = np.zeros_like(y)
        dy[self._place] = 1
        return dy
