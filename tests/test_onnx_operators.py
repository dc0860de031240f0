"""Operators beside others who have them: ONNX' own node tests, and ONNX Runtime on the forms of older versions."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from seqkit.errors import ConvertError, SeqkitError
from seqkit.interop.onnx.graph_model import GraphModel
from seqkit.interop.onnx.messages import Graph, Model, Node, Value, decode, encode
from seqkit.interop.onnx.operators.table import OPERATORS

pytestmark = pytest.mark.peers
onnxruntime = pytest.importorskip("onnxruntime")

RECURRENT = {"GRU", "LSTM", "RNN"}  # they have tests of their own
REASONS = (
    "cannot be represented here",  # types
    "only tensors",
    "opset 1,",
    "opset 8",
    "training_mode",
    "ceil_mode",
    "places of the largest",
    "reduction '",
    "float16 and float16",
    "zero-size array",
)
"""Why a case may be refused."""


def outcome(case: Any) -> str:
    """ "passed", or the reason of a refusal."""
    try:
        model = GraphModel(decode(case.model.SerializeToString()))
        for inputs, outputs in case.data_sets:
            names = [value.name for value in case.model.graph.input]
            for got, expected in zip(model.run(dict(zip(names, inputs, strict=True))).values(), outputs, strict=True):
                assert (got.shape, got.dtype) == (np.shape(expected), np.asarray(expected).dtype), case.name
                np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-7, err_msg=case.name)  # theirs
    except SeqkitError as error:
        (reason,) = [reason for reason in REASONS if reason in str(error)] or [f"{case.name}: {error}"]
        return reason
    return "passed"


@pytest.mark.filterwarnings("ignore")  # of the cases
def test_node_tests_of_onnx():
    """All that have nothing but operators of ours, whatever they are a test of."""
    cases = pytest.importorskip("onnx.backend.test.case.node").collect_testcases(None)
    ours = [
        case
        for case in cases
        if all(node.op_type in OPERATORS and not node.domain for node in case.model.graph.node)
        and not any(isinstance(array, (list, type(None))) for inputs, _ in case.data_sets for array in inputs)
        and not any(np.asarray(array).dtype == object for inputs, _ in case.data_sets for array in inputs)
    ]
    outcomes = Counter(outcome(case) for case in ours)
    assert set(outcomes) <= {"passed", *REASONS}
    assert outcomes["passed"] >= 870, outcomes
    tested = {node.op_type for case in ours for node in case.model.graph.node}
    assert set(OPERATORS) - tested <= {"CumSum"}


RNG = np.random.default_rng(3)


def floats(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


X = floats(3, 4, 5)
FORMS: dict[str, tuple[tuple[int, ...], str, dict[str, Any], list[np.ndarray | None], int]] = {
    # opsets, operator, attributes, inputs, outputs
    "AveragePool": ((7, 11), "AveragePool", {"kernel_shape": [3], "pads": [1, 1]}, [floats(2, 3, 8)], 1),
    "BatchNormalization": ((7, 9, 13, 14, 17), "BatchNormalization", {"epsilon": 1e-3}, [X, *abs(floats(4, 4))], 1),
    "Clip, attributes": ((7, 10), "Clip", {"min": -0.5, "max": 0.25}, [X], 1),
    "Clip, one attribute": ((7, 10), "Clip", {"max": 0.25}, [X], 1),
    "Clip, inputs": ((11, 13, 17), "Clip", {}, [X, np.float32(-0.5), np.float32(0.25)], 1),
    "Clip, one input": ((11, 13, 17), "Clip", {}, [X, None, np.float32(0.25)], 1),
    "Concat": ((7, 11, 13), "Concat", {"axis": 1}, [X, floats(3, 2, 5), X], 1),
    "Conv": ((7, 11, 17), "Conv", {"pads": [2, 1], "strides": [2]}, [floats(2, 4, 9), floats(6, 4, 3), floats(6)], 1),
    "Conv, groups": ((11,), "Conv", {"group": 2, "dilations": [2]}, [floats(2, 4, 9), floats(6, 2, 3)], 1),
    "Conv, same": ((11,), "Conv", {"auto_pad": "SAME_UPPER", "strides": [2]}, [floats(2, 4, 8), floats(6, 4, 3)], 1),
    "Conv, same below": ((11,), "Conv", {"auto_pad": "SAME_LOWER"}, [floats(2, 4, 8), floats(6, 4, 4)], 1),
    "Conv, two axes": ((11,), "Conv", {"pads": [0, 1, 2, 3]}, [floats(2, 3, 6, 7), floats(5, 3, 2, 3)], 1),
    "Dropout": ((7, 10), "Dropout", {"ratio": 0.3}, [X], 1),
    "Dropout, inputs": ((12, 13), "Dropout", {}, [X, np.float32(0.3)], 1),
    "Div, integers": ((7, 13), "Div", {}, [ints(7, -7, 7, -7, 6), ints(2, 2, -2, -2, -3)], 1),
    "Flatten": ((7, 9, 13), "Flatten", {"axis": 2}, [X], 1),
    "Flatten, from the end": ((11, 13), "Flatten", {"axis": -1}, [X], 1),
    "Gather, from the end": ((11, 13), "Gather", {"axis": -1}, [X, ints(-1, 0, 3).reshape(3, 1)], 1),
    "Gemm": ((7, 9, 11, 13), "Gemm", {}, [floats(3, 4), floats(4, 5), floats(5)], 1),
    "Gemm, turned": (
        (7, 13),
        "Gemm",
        {"transA": 1, "transB": 1, "alpha": 0.5},
        [floats(4, 3), floats(5, 4), floats(1)],
        1,
    ),
    "Gemm, alpha": ((7, 13), "Gemm", {"alpha": 0.5}, [floats(3, 4), floats(4, 5), floats(5)], 1),
    "Gemm, beta": ((7, 13), "Gemm", {"transB": 1, "beta": -2.0}, [floats(3, 4), floats(5, 4), floats(3, 1)], 1),
    "Gemm, no C": ((11, 13), "Gemm", {"transB": 1}, [floats(3, 4), floats(5, 4)], 1),
    "LogSoftmax, flat": ((7, 11), "LogSoftmax", {"axis": 1}, [X], 1),
    "LogSoftmax": ((13,), "LogSoftmax", {"axis": 1}, [X], 1),
    "MatMul, batches": ((7, 13), "MatMul", {}, [floats(2, 1, 3, 4), floats(5, 4, 6)], 1),
    "MatMul, a vector left": ((13,), "MatMul", {}, [floats(4), floats(2, 4, 6)], 1),
    "MatMul, a vector right": ((13,), "MatMul", {}, [floats(2, 3, 4), floats(4)], 1),
    "MatMul, two vectors": ((13,), "MatMul", {}, [floats(4), floats(4)], 1),
    "Mod": ((10, 13), "Mod", {"fmod": 1}, [X, np.float32(-0.4)], 1),
    "Mod, integers": ((10, 13), "Mod", {}, [ints(7, -7, 7, -7), ints(2, 2, -2, -2)], 1),
    "Pad, attributes": ((7, 10), "Pad", {"pads": [0, 1, 2, 0, 0, 1], "value": 0.5}, [X], 1),
    "Pad, cut": ((7, 10), "Pad", {"pads": [0, -1, 2, 0, 0, -2]}, [X], 1),
    "Pad, edge": ((7, 10), "Pad", {"pads": [0, 1, 2, 0, 0, 1], "mode": "edge"}, [X], 1),
    "Pad, inputs": ((11, 13, 17), "Pad", {"mode": "reflect"}, [X, ints(0, 1, 2, 0, 0, 1)], 1),
    "Pad, axes": ((18,), "Pad", {}, [X, ints(2, 1), np.float32(0.5), ints(-1)], 1),
    "Pow": ((7, 12, 15), "Pow", {}, [abs(X), np.float32(1.5)], 1),
    "ReduceMax, attribute": ((7, 11, 13), "ReduceMax", {"axes": [1]}, [X], 1),
    "ReduceMean, attribute": ((7, 11, 13), "ReduceMean", {"axes": [-1], "keepdims": 0}, [X], 1),
    "ReduceMean, input": ((18, 20), "ReduceMean", {"keepdims": 0}, [X, ints(0, 2)], 1),
    "ReduceMean, all": ((7, 13, 18), "ReduceMean", {}, [X], 1),
    "ReduceMean, none": ((18,), "ReduceMean", {"noop_with_empty_axes": 1}, [X], 1),
    "ReduceSum, attribute": ((7, 11), "ReduceSum", {"axes": [0, 2]}, [X], 1),
    "ReduceSum, input": ((13, 17), "ReduceSum", {}, [X, ints(0, 2)], 1),
    "Reshape": ((7, 13, 14), "Reshape", {}, [X, ints(0, -1)], 1),
    "Reshape, nothing": ((14, 19), "Reshape", {"allowzero": 1}, [floats(0, 3), ints(3, 0)], 1),
    "ReverseSequence": ((10,), "ReverseSequence", {}, [X, ints(3, 1, 2, 0)], 1),
    "ReverseSequence, batch first": (
        (10,),
        "ReverseSequence",
        {"time_axis": 1, "batch_axis": 0},
        [X, ints(4, 1, 3)],
        1,
    ),
    "Shape, a part": ((15, 19), "Shape", {"start": 1, "end": -1}, [X], 1),
    "Slice, attributes": ((7, 9), "Slice", {"starts": [1, -4], "ends": [9, -1], "axes": [0, 2]}, [X], 1),
    "Slice, no axes": ((7, 9), "Slice", {"starts": [1, 0], "ends": [3, -1]}, [X], 1),
    "Slice, inputs": ((10, 13), "Slice", {}, [X, ints(0, 1), ints(2, 4), ints(1, -1)], 1),
    "Slice, steps": ((10, 13), "Slice", {}, [X, ints(-1, 4), ints(-(2**63), 0), ints(1, 2), ints(-1, -2)], 1),
    "Softmax, flat": ((7, 11), "Softmax", {}, [X], 1),
    "Softmax, flat from the end": ((11,), "Softmax", {"axis": -2}, [X], 1),
    "Softmax": ((13, 17), "Softmax", {}, [X], 1),
    "Split, attribute": ((7, 11), "Split", {"split": [1, 3], "axis": 1}, [X], 2),
    "Split, equal": ((7, 11, 13), "Split", {"axis": 1}, [X], 2),
    "Split, input": ((13, 17), "Split", {"axis": -1}, [X, ints(1, 0, 4)], 3),
    "Split, number": ((18,), "Split", {"axis": 2, "num_outputs": 2}, [X], 2),
    "Squeeze, attribute": ((7, 11), "Squeeze", {"axes": [1]}, [floats(1, 1, 3)], 1),
    "Squeeze, input": ((13, 21), "Squeeze", {}, [floats(1, 1, 3), ints(-2)], 1),
    "Squeeze, all": ((7, 13), "Squeeze", {}, [floats(1, 3, 1)], 1),
    "TopK, attribute": ((7, 9), "TopK", {"k": 2, "axis": 1}, [X], 2),
    "TopK, input": ((10,), "TopK", {"axis": -1}, [X, ints(3)], 2),
    "TopK, smallest": ((11, 17), "TopK", {"largest": 0, "axis": 0}, [X, ints(2)], 2),
    "TopK, of equal ones": ((11,), "TopK", {"axis": 1}, [X.round(), ints(3)], 2),
    "Unsqueeze, attribute": ((7, 11), "Unsqueeze", {"axes": [0, 2]}, [X], 1),
    "Unsqueeze, input": ((13, 21), "Unsqueeze", {}, [X, ints(-1, 0)], 1),
}


def one_node(
    opset: int, op_type: str, attributes: dict[str, Any], inputs: list[Any], outputs: int, fixed: bool
) -> Model:
    """A model of one node, whose first input is fed; others are, too, or are constants."""
    names = ["" if array is None else f"i{k}" for k, array in enumerate(inputs)]
    given = {name: np.asarray(array) for name, array in zip(names, inputs, strict=True) if name}
    fed = [Value(name, a.dtype, (None,) * a.ndim) for name, a in given.items() if name == "i0" or not fixed]
    made = [f"o{k}" for k in range(outputs)]
    constants = {name: array for name, array in given.items() if name != "i0"} if fixed else {}
    results = [
        Value(name, np.dtype(np.int64) if k and op_type == "TopK" else None, None) for k, name in enumerate(made)
    ]
    first = given["i0"].dtype if op_type != "Shape" else np.dtype(np.int64)
    results = [Value(each.name, each.dtype or first, None) for each in results]
    return Model(Graph("g", [Node(op_type, names, made, attributes)], fed, results, constants), {"": opset}, 8)


@pytest.mark.parametrize("fixed", [True, False], ids=["constants", "inputs"])
@pytest.mark.parametrize(("opset", "form"), [(opset, form) for form, (opsets, *_) in FORMS.items() for opset in opsets])
def test_forms_of_all_versions(opset, form, fixed):
    _, op_type, attributes, inputs, outputs = FORMS[form]
    if not fixed and len(inputs) > 1 and op_type == "Dropout":
        pytest.skip("its ratio is a constant")
    model = one_node(opset, op_type, attributes, inputs, outputs, fixed)
    feeds = {value.name: np.asarray(inputs[int(value.name[1:])]) for value in model.graph.inputs}
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(encode(model), options, providers=["CPUExecutionProvider"])
    expected = session.run(None, feeds)
    got = list(GraphModel(model).run(feeds).values())
    for ours, theirs in zip(got, expected, strict=True):
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
        assert np.abs(ours.astype(np.float64) - theirs).max(initial=0) < 2e-6


@pytest.mark.parametrize("opset", [7, 12])
def test_forms_of_other_versions_are_refused(opset):
    """An attribute that became an input is none any more, and the other way round."""
    for op_type, attributes in (("Squeeze", {"axes": [0]}), ("ReduceSum", {"axes": [0]}), ("Split", {"split": [1, 2]})):
        assert GraphModel(
            one_node(
                opset,
                op_type,
                attributes,
                [floats(1, 3) if op_type != "Split" else floats(3)],
                1 + (op_type == "Split"),
                True,
            )
        )
        with pytest.raises(ConvertError, match="not known"):
            GraphModel(one_node(13, op_type, attributes, [floats(1, 3)], 1, True))
