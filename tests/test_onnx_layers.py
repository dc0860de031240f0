"""Layers of steps, windows and attention as ONNX: read again here, run by ONNX Runtime there; what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_layers import CASES, model
from onnx_out import LENGTHS, TOLERANCE, drawn, drawn_input, error, expected, far

import seqkit
from seqkit.errors import ConvertError
from seqkit.interop.onnx.export.models import export
from seqkit.interop.onnx.graph_model import GraphModel
from seqkit.interop.onnx.messages import decode, encode


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("opset", [14, 18])
def test_what_is_written_is_read_again(name: str, opset: int) -> None:
    rng = np.random.default_rng(1)
    made = drawn(model(name, "float64"), rng)
    graph = GraphModel(decode(encode(export(made, opset=opset))))
    x = drawn_input(made, rng)
    with np.errstate(invalid="ignore"):  # sequences of no steps
        assert far(graph.run({"x": x, "lengths": LENGTHS}), expected(made, x, LENGTHS)) <= 1e-12
    whole = np.nan_to_num(x)
    plain = GraphModel(decode(encode(export(made, opset=opset, lengths=False))))
    assert far({"y": plain.predict(whole)}, expected(made, whole, None)) <= 1e-12


@pytest.mark.peers
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CASES)
def test_onnx_runtime(name: str, dtype: str) -> None:
    pytest.importorskip("onnxruntime")
    rng = np.random.default_rng(2)
    assert error(drawn(model(name, dtype), rng), rng) <= TOLERANCE[dtype]


def test_zeros_on_both_sides_of_strides_need_equal_lengths() -> None:
    layers = [seqkit.Conv1D(4, 4, 3, "same"), seqkit.MaxPool()]
    made = seqkit.Sequential(layers, seed=0).build(3)
    with pytest.raises(ConvertError, match="zeros in front depend on the length of each sequence"):
        export(made)
    x = np.random.default_rng(0).standard_normal((2, 11, 3), dtype=np.float32)
    graph = GraphModel(decode(encode(export(made, lengths=False))))
    np.testing.assert_allclose(graph.predict(x), made.predict(x), atol=1e-6)


def test_steps_before_a_call_are_not_written() -> None:
    with pytest.raises(ConvertError, match="the steps before a call are not written as states"):
        export(seqkit.Conv1D(2, 3, padding="causal").build(3), states=True)
