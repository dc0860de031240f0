"""The inputs of a layer that has several.

Legend: B batch, T time, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from seqkit.errors import ShapeError


class Inputs(NamedTuple):
    """An array, and lengths or None, for every input of a layer."""

    arrays: tuple[np.ndarray, ...]
    lengths: tuple[np.ndarray | None, ...]
    alone: bool
    """Whether one array was given, which is every input."""

    @classmethod
    def of(cls, x: Any, lengths: Any, names: Sequence[str], owner: str) -> Inputs:
        """What a layer whose inputs have these names is given, as a tuple or as one array for all of them.

        Raises
        ------
        ShapeError
            If there is not one array, or not one of the lengths, for each input.

        Examples
        --------
        >>> import numpy as np
        >>> a, b = np.ones((2, 3, 1)), np.ones((2, 5, 4))
        >>> Inputs.of((a, b), (None, [5, 2]), ("query", "memory"), "attention").lengths
        (None, [5, 2])
        >>> Inputs.of(a, None, ("query", "memory"), "attention").alone
        True
        """
        if not isinstance(x, tuple):
            return cls((x,) * len(names), (lengths,) * len(names), alone=True)
        expected = f"expected {len(names)}, for {', '.join(names)}"
        if len(x) != len(names):
            raise ShapeError(f"{owner}: x is a tuple of {len(x)} arrays, {expected}.")
        each = (None,) * len(names) if lengths is None else lengths
        if not isinstance(each, tuple) or len(each) != len(names):
            got = f"{len(each)}" if isinstance(each, tuple) else type(each).__name__
            raise ShapeError(f"{owner}: x is a tuple, so lengths must be one of arrays or None, {expected}, got {got}.")
        return cls(x, each, alone=False)

    def gradient(self, parts: Sequence[np.ndarray | None]) -> Any:
        """The gradients of all inputs as a tuple or, where one array was given, as their sum."""
        if not self.alone:
            return tuple(parts)
        known = [part for part in parts if part is not None]
        return sum(known[1:], start=known[0]) if known else None


def first(given: Any) -> Any:
    """What the first input is given: x, lengths or sizes of it."""
    return given[0] if isinstance(given, tuple) else given
