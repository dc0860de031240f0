"""Packages with layers, installed into a folder of a test."""

from __future__ import annotations

import textwrap
from importlib import invalidate_caches
from pathlib import Path

from seqkit import discovery

CELL = """
from seqkit.equations import Cell, sigmoid, tanh

class MGU(Cell):
    gates, states = ("f", "n"), ("h",)

    def step(self, x, U, s, p):
        f = sigmoid(x.f + U.f @ s.h)
        n = tanh(x.n + U.n @ (f * s.h))
        return {"h": (1 - f) * s.h + f * n}
"""


class Site:
    """A folder like site-packages."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def __call__(self, package: str, source: str, version: str = "1.0", text: str = "", **layers: str) -> Path:
        """Install a package of one module, its entry points given by name or as text; the folder of its metadata."""
        module = package.replace("-", "_")
        info = self.folder / f"{module}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        lines = text or "\n".join(f"{name} = {target}" for name, target in layers.items())
        (info / "entry_points.txt").write_text(f"[{discovery.GROUP}]\n{lines}\n", encoding="utf-8")
        (self.folder / f"{module}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        self.reread()
        return info

    def reread(self) -> None:
        """Let metadata be read again."""
        invalidate_caches()
        discovery._installed = None
