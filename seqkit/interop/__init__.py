"""Models of other libraries, exactly and safely: PyTorch, Keras, ONNX and RTNeural.

Names are imported when they are first used; no other library is needed to read a file of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "convert": "seqkit.interop.convert",
    "GraphModel": "seqkit.interop.onnx.graph_model",
    "from_onnx": "seqkit.interop.onnx",
    "from_keras": "seqkit.interop.keras",
    "from_rtneural": "seqkit.interop.rtneural",
    "from_torch": "seqkit.interop.torch",
    "load": "seqkit.interop.formats",
    "prove": "seqkit.interop.proof",
    "read": "seqkit.interop.formats",
    "save": "seqkit.interop.formats",
    "to_onnx": "seqkit.interop.onnx.export.models",
    "to_rtneural": "seqkit.interop.rtneural",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'seqkit.interop' has no attribute {name!r}; it has {', '.join(__all__)}.")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
