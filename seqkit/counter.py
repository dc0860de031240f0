"""Where the random numbers of a layer stand."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Counter:
    """A seed, and how many rows have been drawn since the layer was built.

    Examples
    --------
    >>> counter = Counter(7)
    >>> counter.advance(32)
    >>> counter.state()
    {'seed': 7, 'row': 32}
    """

    seed: int
    row: int = 0

    def advance(self, rows: int) -> None:
        """The next rows are others."""
        self.row += rows

    def state(self) -> dict[str, int]:
        """Both numbers, for a file."""
        return {"seed": self.seed, "row": self.row}
