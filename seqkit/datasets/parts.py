"""What data sets are made of, once read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from seqkit.data.dataset import Series

Content = TypeVar("Content")


@dataclass(frozen=True)
class Parts(Generic[Content]):
    """A data set in the parts that published figures are for.

    Attributes
    ----------
    train, test : Sequences or str
        What to learn from, and what to measure on.
    validation : Sequences, str or None
        What to choose settings on, where the data set has such a part.
    """

    train: Content
    test: Content
    validation: Content | None = None


@dataclass(frozen=True)
class Monitored:
    """A series in which somebody has marked what is not as usual.

    Attributes
    ----------
    series : Series
    windows : tuple of (int, int)
        First row, and the row after the last, of each labelled window.
    """

    series: Series
    windows: tuple[tuple[int, int], ...]

    @property
    def name(self) -> str:
        """That of the series."""
        return self.series.name

    @property
    def anomalous(self) -> np.ndarray:
        """Which values lie in a window, (T,) of bool."""
        inside = np.zeros(len(self.series.values), dtype=bool)
        for start, stop in self.windows:
            inside[start:stop] = True
        return inside
