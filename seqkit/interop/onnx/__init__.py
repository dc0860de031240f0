"""ONNX files: read without the onnx package, run by seqkit."""
