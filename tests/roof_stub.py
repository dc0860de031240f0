"""Types of the roof: ``python tests/roof_stub.py`` writes seqkit/__init__.pyi from the table in seqkit/__init__.py.

The roof imports names when they are first used, which a type checker cannot follow.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STUB = ROOT / "seqkit" / "__init__.pyi"
WIDTH = 120


def text(homes: dict[str, tuple[str, ...]], packages: tuple[str, ...]) -> str:
    """The stub, imports as ruff sorts and formats them."""
    imports = [("seqkit", packages), *homes.items()]
    lines = [line for module, names in sorted(imports) for line in lines_of(module, sorted(names, key=order))]
    every = sorted([*packages, *(name for names in homes.values() for name in names)], key=order)
    return "\n".join([*lines, "", "__version__: str", "__all__ = [", *(f'    "{name}",' for name in every), "]", ""])


def order(name: str) -> tuple[int, str]:
    """Constants first, then classes, then functions."""
    return (0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2), name


def lines_of(module: str, names: list[str]) -> list[str]:
    """One import for every name: a checker takes `A as A` for what is meant to be imported from here."""
    return [f"from {module} import {name} as {name}" for name in names]


def current() -> str:
    """The stub of the package as it is."""
    import seqkit

    return text(seqkit._HOMES, seqkit._PACKAGES)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    STUB.write_text(current())
