"""Mutants: a copy of a module with one piece of its text changed."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any


def changed(module: types.ModuleType, before: str, after: str) -> Any:
    """A copy of `module` with `after` wherever its text says `before`."""
    path = Path(str(module.__file__))
    text = path.read_text()
    assert before in text, f"{path.name} has no {before!r}"
    copy = types.ModuleType(module.__name__)
    exec(compile(text.replace(before, after), str(path), "exec"), vars(copy))
    return copy
