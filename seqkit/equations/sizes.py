"""Sizes: how many numbers the vectors of a step have.

A size is a number, "units" or "features", so that equations are checked before any layer is made of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from seqkit.errors import EquationError

Size = int | str
"""A number, "units" (of the layer) or "features" (of the input that W multiplies)."""


def is_size(value: Any) -> bool:
    """Whether this is a size."""
    return value in ("units", "features") if isinstance(value, str) else type(value) is int and value > 0


def joint(sizes: Iterable[Size]) -> Size:
    """The size of what an operation makes of vectors of one size, and of single numbers."""
    return next((size for size in sizes if size != 1), 1)


def size_text(size: Size) -> str:
    """A size in words.

    Examples
    --------
    >>> size_text("units"), size_text(3)
    ('one number per unit', 'size 3')
    """
    return {"units": "one number per unit", "features": "one number per feature"}.get(str(size), f"size {size}")


def check_sizes(sizes: Mapping[str, Any], known: Iterable[str], owner: str, what: str) -> dict[str, Size]:
    """Declared sizes by name; a name that is not `known`, or what is no size, is an error.

    Examples
    --------
    >>> check_sizes({"h": 3, "m": 2}, ("h", "c"), "lstm", "sizes")
    Traceback (most recent call last):
    seqkit.errors.EquationError: lstm: sizes names 'm', which is none of h, c.
    """
    names = tuple(known)
    if not isinstance(sizes, Mapping):
        raise EquationError(f"{owner}: {what} must be a dict of sizes by name, got {sizes!r}.")
    for name, size in sizes.items():
        if name not in names:
            raise EquationError(f"{owner}: {what} names {name!r}, which is none of {', '.join(names)}.")
        if not is_size(size):
            raise EquationError(
                f"{owner}: the size of {name!r} must be a positive integer, 'units' or 'features', got {size!r}."
            )
    return dict(sizes)
