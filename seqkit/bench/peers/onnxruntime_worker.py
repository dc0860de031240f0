"""ONNX Runtime: the operators RNN, LSTM (with peepholes too) and GRU; it does not train."""

from __future__ import annotations

from functools import partial
from importlib import import_module
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
    operator_of(case)
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    model = write_model(onnx, case, arrays)
    session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return results_and_run(lambda feeds: session.run(None, feeds), case, arrays)


if __name__ == "__main__":
    serve(load)
