"""ONNX Runtime: the operators RNN, LSTM (with peepholes too) and GRU; it does not train."""

from __future__ import annotations

import tempfile
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from seqkit.bench.peers.onnx_model import operator_of, results_and_run, write_model
from seqkit.bench.peers.protocol import Arrays, Prepare, Run, serve


def load(threads: int) -> tuple[str, Prepare]:
    """Import ONNX Runtime, and onnx to write models."""
    runtime: Any = import_module("onnxruntime")
    onnx: Any = import_module("onnx")
    return f"ONNX Runtime {runtime.__version__}", partial(prepare, runtime, onnx, threads)


def prepare(runtime: Any, onnx: Any, threads: int, case: dict[str, Any], arrays: Arrays) -> tuple[Arrays, Run]:
    """Results of a case, and the call to time."""
    operator = operator_of(case)
    if case["precision"] == "bfloat16" or (case["precision"] == "int8" and operator != "LSTM"):
        raise NotImplementedError("it has no bfloat16, and quantizes only LSTM")
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    model = write_model(onnx, case, arrays)
    if case["precision"] == "int8":
        model = _quantized(onnx, model)
    session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return results_and_run(lambda feeds: session.run(None, feeds), case, arrays)


def _quantized(onnx: Any, model: bytes) -> bytes:
    """The model with weights of 8 bits ("dynamic" quantization), which its tools write to a file."""
    tools: Any = import_module("onnxruntime.quantization")
    with tempfile.TemporaryDirectory(prefix="seqkit-bench-") as folder:
        path = Path(folder, "int8.onnx")
        tools.quantize_dynamic(onnx.load_from_string(model), path, weight_type=tools.QuantType.QInt8)
        return path.read_bytes()


if __name__ == "__main__":
    serve(load)
