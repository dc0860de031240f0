"""The cell as an ONNX file in ONNX Runtime, where it is installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import seqkit
from seqkit.interop import to_onnx
from seqkit.testing.data import fill

onnxruntime = pytest.importorskip("onnxruntime")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("reverse", [False, True])
def test_onnx_runtime_agrees(dtype: str, reverse: bool, tmp_path: Path) -> None:
    layer = fill(
        seqkit.create("indrnn_native", 7, return_sequences=True, go_backwards=reverse).build(3, seed=0, dtype=dtype)
    )
    rng, lengths = np.random.default_rng(1), np.array([6, 2, 0, 1])
    x = rng.normal(size=(4, 6, 3)).astype(dtype)
    state = tuple(rng.normal(0, 0.5, (4, size)).astype(dtype) for size in layer.state_sizes)
    y, cache = layer.forward(x, lengths, state, training=False)
    wanted = {"y": y} | {f"final_{n}": s for n, s in zip(layer.cell.states, cache.state, strict=True)}

    to_onnx(layer, tmp_path / "cell.onnx", states=True)
    session = onnxruntime.InferenceSession(tmp_path / "cell.onnx", providers=["CPUExecutionProvider"])
    feeds = {f"initial_{n}": s for n, s in zip(layer.cell.states, state, strict=True)}
    found = session.run(list(wanted), {"x": x, "lengths": lengths, **feeds})
    for array, (what, expected) in zip(found, wanted.items(), strict=True):
        assert array.dtype == expected.dtype
        assert np.abs(array - expected).max() <= (2e-6 if dtype == "float32" else 1e-12), what
