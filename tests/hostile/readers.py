"""Readers that are not public yet, or that take bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from seqkit.interop.onnx.messages import decode


def onnx(path: Path) -> Any:
    return decode(path.read_bytes(), path.parent)
