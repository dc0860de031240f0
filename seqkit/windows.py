"""Where windows over time find their steps.

Legend: B batch, F features, N valid steps, D steps before the batch, M windows, K steps that one covers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Windows:
    """The valid steps of a batch as rows of a table, behind a row of zeros and the steps before the batch.

    Attributes
    ----------
    lengths : ndarray of int64, (B,)
        Valid steps of every sequence.
    history : int
        D, the number of steps before each sequence that are known; those before them are zeros.

    Examples
    --------
    >>> import numpy as np
    >>> windows = Windows(np.array([2, 1]), history=1)
    >>> table = windows.table(np.array([[1.0], [2.0], [3.0]]), np.array([[-1.0], [-3.0]]))
    >>> table[windows.rows(np.array([[0], [1]]), np.array([-2, -1, 0, 1])), 0].tolist()
    [[0.0, -1.0, 1.0, 2.0], [0.0, -3.0, 3.0, 0.0]]
    """

    lengths: np.ndarray
    history: int

    @property
    def before(self) -> int:
        """Rows of the table before the first step, 1 + B D."""
        return 1 + len(self.lengths) * self.history

    def table(self, steps: np.ndarray, past: np.ndarray) -> np.ndarray:
        """The table (1 + B D + N, F) of the steps (N, F) and of those before them, (B D, F)."""
        return np.concatenate([np.zeros_like(steps, shape=(1, steps.shape[1])), past, steps])

    def rows(self, owners: np.ndarray, times: np.ndarray) -> np.ndarray:
        """The row of the table for a time of a sequence; the row of zeros where nothing is known."""
        starts = self.before + np.cumsum(self.lengths) - self.lengths
        inside = np.where(times < self.lengths[owners], starts[owners] + times, 0)
        earlier = np.where(times >= -self.history, 1 + (owners + 1) * self.history + times, 0)
        return np.asarray(np.where(times >= 0, inside, earlier))

    def covered(self, counts: np.ndarray, zeros: np.ndarray, stride: int, taps: np.ndarray) -> np.ndarray:
        """Rows of the table that windows cover, (M, K): of each sequence, that has `zeros` in front of it, the first
        (B,) `counts`, which begin `stride` steps apart and cover the steps `taps` (K,) from there."""
        owners = np.repeat(np.arange(len(counts)), counts)  # (M,)
        numbers = np.arange(len(owners)) - (np.cumsum(counts) - counts)[owners]
        first = numbers * stride - zeros[owners]
        return self.rows(owners[:, None], first[:, None] + taps)

    def last(self) -> np.ndarray:
        """Rows (B, D) of the last D steps of every sequence, which the next call has before it."""
        owners = np.arange(len(self.lengths))[:, None]
        return self.rows(owners, self.lengths[:, None] + np.arange(-self.history, 0))
