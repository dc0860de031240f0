"""The cells of the package, found as its entry points name them."""

from __future__ import annotations

import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

from seqkit.equations import Cell

PROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]


def _load(path: str) -> type[Cell]:
    module, _, attribute = path.partition(":")
    return getattr(import_module(module), attribute)


CELLS: dict[str, type[Cell]] = {name: _load(path) for name, path in PROJECT["entry-points"]["seqkit.layers"].items()}

# Options that lead to other equations.
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("janet", {"beta": 0.3}),
    ("lem", {"dt": 0.2}),
    ("cornn", {"dt": 0.5, "gamma": 1.1, "epsilon": 0.9, "implicit": True}),
    ("min_gru", {"log_space": True}),
    ("min_lstm", {"log_space": True}),
    ("fast_grnn", {"rank_w": 2, "rank_u": 3}),
    ("lstmp", {"projection": 4}),
    ("slstm", {"exponential_forget": True}),
    ("slstm", {"heads": 3}),
    ("group_norm_slstm", {"heads": 3}),
    ("phased_lstm", {"open_ratio": 0.4, "leak": 0.1, "longest": 5.0}),
]


def features_of(cell: Cell, features: int) -> int:
    """Features of the whole input where W multiplies `features`: the raw inputs follow them."""
    raw = sum(features if size == "features" else int(size) for size in cell.inputs.values())
    return raw if "features" in cell.inputs.values() else features + raw
