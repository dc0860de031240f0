"""Every cell as an ONNX file in ONNX Runtime: outputs and final states from random weights, states and lengths.

Legend: B batch, T time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cells import CELLS, VARIANTS, features_of

import seqkit
from seqkit.interop import to_onnx
from seqkit.testing.data import fill

onnxruntime = pytest.importorskip("onnxruntime")

pytestmark = pytest.mark.peers

LENGTHS = np.array([7, 1, 12, 0, 12, 4])
UNITS, FEATURES = 9, 5
STEEP = (
    100  # what the times of a phased LSTM, hundreds of periods, and the slope 2 / 0.05 of its gates make of rounding
)


def drawn_input(layer: Any, rng: np.random.Generator) -> np.ndarray:
    """Random sequences, NaN past their end; masks are 0 or 1."""
    x = rng.normal(size=(len(LENGTHS), LENGTHS.max(), layer.input_size)).astype(layer.dtype)
    if "mask" in layer.cell.inputs:
        x[..., FEATURES : 2 * FEATURES] = rng.random((*x.shape[:2], FEATURES)) < 0.6
        x[..., 2 * FEATURES :] = np.abs(x[..., 2 * FEATURES :])
    x[np.arange(x.shape[1]) >= LENGTHS[:, None]] = np.nan
    return x


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "options"), [*((name, {}) for name in CELLS), *VARIANTS])
def test_onnx_runtime_agrees(name: str, options: dict[str, Any], dtype: str, tmp_path: Path) -> None:
    layer = seqkit.Recurrent(CELLS[name], UNITS, return_sequences=True, **options)
    layer.build(features_of(layer.cell, FEATURES), seed=2, dtype=dtype)
    fill(layer)
    rng = np.random.default_rng(3)
    x = drawn_input(layer, rng)
    state = layer.forward(drawn_input(layer, rng), LENGTHS, training=False)[1].state  # one that the cell can be in
    y, cache = layer.forward(x, LENGTHS, state, training=False)
    wanted = {"y": y} | {f"final_{n}": s for n, s in zip(layer.cell.states, cache.state, strict=True)}

    to_onnx(layer, tmp_path / "cell.onnx", states=True)
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3  # a note that "lengths" has a default
    session = onnxruntime.InferenceSession(tmp_path / "cell.onnx", settings, providers=["CPUExecutionProvider"])
    feeds = {f"initial_{n}": s for n, s in zip(layer.cell.states, state, strict=True)}
    found = session.run(list(wanted), {"x": x, "lengths": LENGTHS, **feeds})
    for array, (what, expected) in zip(found, wanted.items(), strict=True):
        assert array.dtype == expected.dtype
        tolerance = 1e-12 if dtype == "float64" else 2e-6 * (STEEP if (name, options) == ("phased_lstm", {}) else 1)
        assert np.abs(array - expected).max() <= tolerance * max(1.0, np.abs(expected).max()), what
