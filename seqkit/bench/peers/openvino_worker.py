"""OpenVINO: the operators RNN, LSTM and GRU of an ONNX model, tuned for latency; it does not train."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from seqkit.bench.peers.onnx_model import operator_of, results_and_run, write_model
from seqkit.bench.peers.protocol import Arrays, Prepare, Run, serve

HINTS = {"float32": "f32", "bfloat16": "bf16"}


def load(threads: int) -> tuple[str, Prepare]:
    """Import OpenVINO, and onnx to write models."""
    openvino: Any = import_module("openvino")
    onnx: Any = import_module("onnx")
    return f"OpenVINO {openvino.__version__.partition('-')[0]}", partial(prepare, openvino, onnx, threads)


def prepare(openvino: Any, onnx: Any, threads: int, case: dict[str, Any], arrays: Arrays) -> tuple[Arrays, Run]:
    """Results of a case, and the call to time."""
    operator_of(case)
    if case["precision"] not in HINTS:
        raise NotImplementedError(f"it has no {case['precision']} that needs no calibration")
    if case["cell"] == "peephole":
        raise NotImplementedError("its LSTM has no peepholes")
    core = openvino.Core()
    options = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": HINTS[case["precision"]],
    }
    compiled = core.compile_model(core.read_model(write_model(onnx, case, arrays)), "CPU", options)
    request, outputs = compiled.create_infer_request(), compiled.outputs

    def call(feeds: Arrays) -> Sequence[np.ndarray]:
        found = request.infer(feeds, share_inputs=True)
        return [found[output] for output in outputs]

    return results_and_run(call, case, arrays)


if __name__ == "__main__":
    serve(load)
