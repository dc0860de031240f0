"""ONNX files of models made here."""

from seqkit.interop.onnx.export.models import to_onnx

__all__ = ["to_onnx"]
