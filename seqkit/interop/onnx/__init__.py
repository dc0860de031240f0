"""ONNX files, read without the onnx package.

`messages` reads and writes the files (`wire`, `schema`, `tensors`, `external`), `operators` has what nodes do,
`program` makes a graph ready to run, `graph_model` is the model; `drawing`, `widened` and `runtime` prove it.
"""

from seqkit.interop.onnx.reader import from_onnx, read

__all__ = ["from_onnx", "read"]
