"""Operators of ONNX, those of one kind in a file; all of them are in :mod:`seqkit.interop.onnx.operators.table`."""
