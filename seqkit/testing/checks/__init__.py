"""The checks: one property each, in the order in which a report lists them.

A check is a function ``check_<property>(make)``; `make(dtype, **options)` gives fresh, built
layers with the same random parameters for one type (see :class:`seqkit.testing.subject.Subject`).
It raises AssertionError with numbers where the property does not hold, and
:class:`~seqkit.testing.kinds.NotApplicable` where the layer is of another kind.  The first
paragraph of its docstring is the property, the second one what usually breaks it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from seqkit.testing.checks import (
    calls,
    declaration,
    errors,
    gradients,
    paths,
    precision,
    rows,
    saving,
    steps,
    values,
)

Check = Callable[[Any], None]

CHECKS: dict[str, Check] = {
    name: check
    for module in (declaration, values, gradients, paths, rows, steps, calls, errors, saving, precision)
    for name, check in vars(module).items()
    if name.startswith("check_") and check.__module__ == module.__name__
}
