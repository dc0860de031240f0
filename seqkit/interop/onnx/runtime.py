"""ONNX Runtime, to compare with."""

from __future__ import annotations

import numpy as np

from seqkit.errors import ConvertError, words
from seqkit.interop.imported import Arrays, Oracle


def runtime(model: str | bytes) -> Oracle | None:
    """ONNX Runtime on a file, or on the bytes of one; None where it is not installed or lacks what the model needs.

    Raises
    ------
    ConvertError
        If it does not take the model.
    """
    try:
        import onnxruntime
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented:
        return None
    except Exception as error:
        raise ConvertError(f"ONNX Runtime does not take the model: {words(error)}") from error
    names = [output.name for output in session.get_outputs()]

    def run(feeds: Arrays) -> dict[str, np.ndarray]:
        return dict(zip(names, session.run(names, dict(feeds)), strict=True))

    return Oracle(f"ONNX Runtime {onnxruntime.__version__}", run)
