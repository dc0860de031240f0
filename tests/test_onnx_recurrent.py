"""ONNX LSTM, GRU and RNN nodes: random ones give what the float64 reference gives, wrong ones are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx_nodes import GATES, OPSET, TOLERANCE, Case, coverage, draws, error

import seqkit
from seqkit.errors import ConvertError, DTypeError, LoadError, SeqkitError, ShapeError
from seqkit.interop.onnx.graph_model import GraphModel
from seqkit.interop.onnx.messages import Node, decode, encode
from seqkit.interop.onnx.recurrent import bind
from seqkit.interop.onnx.recurrent_form import FUNCTIONS
from seqkit.interop.onnx.recurrent_layers import recurrent_layer
from seqkit.interop.reference import onnx as reference

MODELS = 80


@pytest.mark.parametrize("operator", GATES)
def test_random_nodes(operator: str) -> None:
    for case in draws(operator, MODELS):
        got = case.run()
        assert {array.dtype for array in got.values()} == {case.arrays["X"].dtype}
        assert error(got, case.expected()) < TOLERANCE[case.arrays["X"].dtype.name], case.node


def test_random_nodes_are_of_all_kinds() -> None:
    for operator in GATES:
        seen = coverage(draws(operator, MODELS))
        kinds = {*FUNCTIONS, "default", "clip", "activation_alpha", "B", "sequence_lens", "initial_h", "empty", "fed"}
        kinds |= {f"direction={direction}" for direction in ("forward", "reverse", "bidirectional")}
        kinds |= {"layout=0", "layout=1", "float32", "float64", "Y", "Y_h"}
        kinds |= {"LSTM": {"input_forget=1", "P", "initial_c", "Y_c"}, "GRU": {"linear_before_reset=1"}}.get(
            operator, set()
        )
        assert not [kind for kind in kinds if seen[kind] < 2]


def test_tables_of_functions_agree() -> None:
    assert {name: defaults for name, (_, defaults) in FUNCTIONS.items()} == {
        name: defaults for name, (_, defaults) in reference.FUNCTIONS.items()
    }


@pytest.mark.parametrize("operator", GATES)
def test_files_run(operator: str) -> None:
    """Through the bytes of a file: attributes and weights are float32 there."""
    for case in draws(operator, 10, seed=1):
        model = GraphModel(decode(encode(case.model())))
        feeds = {name: array for name, array in case.arrays.items() if name not in case.constants}
        got = model.run(feeds)
        expected = case.run()
        assert all((got[name] == expected[name]).all() for name in case.names)


@pytest.mark.parametrize("operator", GATES)
def test_bits_depend_on_nothing_else(operator: str) -> None:
    """Rows alone, threads, and numbers in the padding change no bit."""
    for case in draws(operator, 12, seed=2):
        with seqkit.threads(1):
            whole = case.run()
        with seqkit.threads(3):
            assert_equal(case.run(), whole)
        assert_equal(with_noise_in_padding(case).run(), whole)
        layout = case.node.attributes.get("layout", 0)
        for row in range(case.arrays["X"].shape[0 if layout else 1]):
            alone = row_of(case, row).run()
            for name, array in whole.items():
                axis = 0 if layout else 1 + (name == "Y")
                assert (alone[name] == array.take([row], axis)).all(), (case.node, name)


def assert_equal(got: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert all((got[name] == array).all() for name, array in expected.items())


def with_noise_in_padding(case: Case) -> Case:
    if case.lengths is None:
        return case
    x = case.arrays["X"].copy()
    batch_first = x if case.node.attributes.get("layout", 0) else x.swapaxes(0, 1)
    for row, length in zip(batch_first, case.lengths, strict=True):
        row[length:] = np.nan
    return Case(case.node, {**case.arrays, "X": x}, case.fixed)


def row_of(case: Case, row: int) -> Case:
    axis = 0 if case.node.attributes.get("layout", 0) else 1
    batched = {name: array.take([row], axis) for name, array in case.arrays.items() if name[0] in "Xi"}
    lengths = {} if case.lengths is None else {"sequence_lens": case.lengths[[row]]}
    return Case(case.node, {**case.arrays, **batched, **lengths}, case.fixed)


def test_empty_arrays() -> None:
    """No sequences, or no steps: what is left are the initial states."""
    case = next(case for case in draws("LSTM", 50) if {"initial_h", "B"} <= set(case.arrays))
    shape = {"Y": 4, "Y_h": 3, "Y_c": 3}
    case.node.attributes["layout"] = 0
    D, H = case.arrays["R"].shape[0], case.arrays["R"].shape[2]
    for T, B in ((0, 2), (3, 0), (0, 0)):
        arrays = {name: case.arrays[name] for name in ("W", "R", "B")}
        arrays |= {"X": np.zeros((T, B, arrays["W"].shape[2])), "initial_h": np.ones((D, B, H))}
        node = Node("LSTM", ["X", "W", "R", "B", "", "initial_h"], list(shape), case.node.attributes)
        dtype = arrays["W"].dtype
        got = Case(node, {name: array.astype(dtype) for name, array in arrays.items()}, True).run()
        assert got["Y"].shape == (T, D, B, H)
        if T == 0:
            assert (got["Y_h"] == 1).all()
            assert (got["Y_c"] == 0).all()


# ---- as layers ------------------------------------------------------------------------------------


def plain(operator: str, **attributes: Any) -> tuple[Node, dict[str, np.ndarray], np.ndarray]:
    """A node with all weights, and X (T, B, I)."""
    rng = np.random.default_rng(5)
    D, G, H = 2 if attributes.get("direction") == "bidirectional" else 1, GATES[operator], 5
    weights = {"W": (D, G * H, 3), "R": (D, G * H, H), "B": (D, 2 * G * H)}
    constants = {name: rng.normal(size=shape) for name, shape in weights.items()}
    return Node(operator, ["X", "W", "R", "B"], ["Y", "Y_h"], attributes), constants, rng.normal(size=(4, 2, 3))


@pytest.mark.parametrize("operator", GATES)
@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_a_node_is_a_layer(operator: str, direction: str) -> None:
    node, constants, x = plain(operator, direction=direction, clip=0.7)
    (y, y_h) = bind(node, constants, OPSET)([x, *constants.values()])
    layer = recurrent_layer(node, constants, OPSET)
    batch_first = x.transpose(1, 0, 2)
    assert (layer(batch_first) == y.transpose(2, 0, 1, 3).reshape(2, 4, -1)).all()
    again = seqkit.registry.from_spec(seqkit.registry.spec(layer)).build(3, dtype="float64")
    for name, array in layer.params.items():
        again.params[name] = array
    assert (again(batch_first) == layer(batch_first)).all()
    node.outputs[0] = ""
    assert (recurrent_layer(node, constants, OPSET)(batch_first) == y_h.transpose(1, 0, 2).reshape(2, -1)).all()


def test_gradients_of_a_layer_from_a_node() -> None:
    node, constants, x = plain("LSTM", activations=["HardSigmoid", "Elu", "Softsign"], input_forget=1)
    layer = recurrent_layer(node, constants, OPSET)
    weights, batch_first = np.random.default_rng(0).normal(size=(2, 4, 5)), x.transpose(1, 0, 2).copy()
    _, cache = layer.forward(batch_first)
    dx, _ = layer.backward(weights, cache)
    nudged = batch_first.copy()
    nudged[1, 2, 0] += 1e-6
    assert dx is not None
    quotient = ((layer(nudged) - layer(batch_first)) * weights).sum() / 1e-6
    assert abs(quotient - dx[1, 2, 0]) < 1e-6 * max(1, abs(quotient))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"direction": "reverse"}, "gives its sequence backwards"),
        ({"inputs": ["X", "W", "R", "B", "lens"]}, "takes sequence_lens with every call"),
        ({"inputs": ["X", "W", "R", "B", "", "h"]}, "takes initial_h with every call"),
        ({"inputs": ["X", "W", "R", "other"]}, "only constants make a layer"),
    ],
)
def test_nodes_that_are_no_layer(change: dict[str, Any], message: str) -> None:
    node, constants, _ = plain("GRU", **{k: v for k, v in change.items() if k != "inputs"})
    node.inputs = change.get("inputs", node.inputs)
    with pytest.raises(ConvertError, match=message):
        recurrent_layer(node, constants, OPSET)


def test_an_initial_state_of_zeros_is_none() -> None:
    node, constants, x = plain("GRU")
    node.inputs = [*node.inputs, "", "h"]
    layer = recurrent_layer(node, {**constants, "h": np.zeros((1, 2, 5))}, OPSET)
    assert layer(x.transpose(1, 0, 2)).shape == (2, 4, 5)


# ---- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operator", "attributes", "kind", "message"),
    [
        ("LSTM", {"direction": "backward"}, ConvertError, "direction must be one of forward, reverse, bidirectional"),
        ("LSTM", {"layout": 2}, ConvertError, "layout must be 0 or 1, got 2"),
        ("LSTM", {"input_forget": -1}, ConvertError, "input_forget must be 0 or 1"),
        ("LSTM", {"linear_before_reset": 1}, ConvertError, "linear_before_reset"),
        ("GRU", {"input_forget": 1}, ConvertError, "input_forget"),
        ("RNN", {"output_sequence": 1}, ConvertError, "output_sequence"),
        ("LSTM", {"activations": ["Sigmoid", "Tanh"]}, ConvertError, "activations must be 3 of Relu, Tanh"),
        ("GRU", {"activations": ["Sigmoid", "Swish"]}, ConvertError, "activations must be 2 of Relu, Tanh"),
        ("RNN", {"activations": ["ScaledTanh"]}, ConvertError, "needs activation_alpha and activation_beta"),
        ("GRU", {"activations": ["Elu", "Tanh"], "activation_alpha": [1.0, 2.0]}, ConvertError, "2 values for the 1"),
        ("RNN", {"clip": 0.0}, ConvertError, "clip must be positive, got 0.0"),
        ("RNN", {"clip": float("nan")}, ConvertError, "clip must be positive"),
        ("RNN", {"hidden_size": 4}, ShapeError, "W has shape"),
        ("RNN", {"hidden_size": "4"}, LoadError, "hidden_size must be int"),
        ("RNN", {"activations": [1]}, LoadError, "activations must be texts"),
        ("RNN", {"direction": "bidirectional"}, ShapeError, "2 direction"),
        ("RNN", {"activations": ["Elu"], "activation_alpha": [float("inf")]}, SeqkitError, "finite number"),
    ],
)
def test_attributes_that_are_refused(
    operator: str, attributes: dict[str, Any], kind: type[SeqkitError], message: str
) -> None:
    node, constants, _ = plain(operator)
    node.attributes.update(attributes)
    with pytest.raises(kind, match=message):
        bind(node, constants, OPSET)


def test_layout_is_new_in_opset_14() -> None:
    node, constants, _ = plain("GRU", layout=0)
    with pytest.raises(ConvertError, match="layout"):
        bind(node, constants, 13)


@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize(
    ("name", "wrong", "kind", "message"),
    [
        ("W", np.zeros((1, 20, 3, 1)), ShapeError, "W and R must have three dimensions"),
        ("W", np.zeros((1, 20, 0)), ShapeError, "W and R must have three dimensions"),
        ("W", np.zeros((1, 19, 3)), ShapeError, r"W has shape \(1, 19, 3\), expected \(1, 20, 3\) for hidden_size 5"),
        ("R", np.zeros((1, 20, 4)), ShapeError, "W has shape|R has shape"),
        ("R", np.zeros((2, 20, 5)), ShapeError, r"R has shape \(2, 20, 5\), expected \(1, 20, 5\)"),
        ("B", np.zeros((1, 20)), ShapeError, r"B has shape \(1, 20\), expected \(1, 40\)"),
        ("P", np.zeros((1, 20)), ShapeError, r"P has shape \(1, 20\), expected \(1, 15\)"),
        ("P", np.zeros((1, 15), np.float32), DTypeError, "P is of float32; all weights"),
        ("W", np.zeros((1, 20, 3), np.float16), DTypeError, "W is of float16"),
    ],
)
def test_weights_that_are_refused(
    name: str, wrong: np.ndarray, kind: type[SeqkitError], message: str, fixed: bool
) -> None:
    node, constants, x = plain("LSTM")
    node.inputs = [*node.inputs, "", "", "", "P"]
    arrays = {"P": np.zeros((1, 15)), **constants, name: wrong}
    with pytest.raises(kind, match=message):
        bind(node, arrays if fixed else {}, OPSET)([x, *(arrays.get(name) for name in node.inputs[1:])])


@pytest.mark.parametrize(
    ("name", "wrong", "kind", "message"),
    [
        ("X", np.zeros((4, 2)), ShapeError, "X has shape"),
        ("X", np.zeros((4, 2, 4)), ShapeError, "3 features"),
        ("X", np.zeros((4, 2, 3), np.float32), DTypeError, "X is of float32, the weights of float64"),
        ("lens", np.array([4, 5], np.int32), ShapeError, "expected 2 lengths from 0 to 4"),
        ("lens", np.array([-1, 4], np.int32), ShapeError, "expected 2 lengths from 0 to 4"),
        ("lens", np.array([4, 4, 4], np.int32), ShapeError, "expected 2 lengths"),
        ("lens", np.array([[4, 4]], np.int32), ShapeError, "expected 2 lengths"),
        ("lens", np.array([4, 4], np.int64), DTypeError, "sequence_lens is of int64, expected int32"),
        ("lens", np.array([4.0, 4.0]), DTypeError, "expected int32"),
        ("h", np.zeros((2, 1, 5)), ShapeError, r"initial_h has shape \(2, 1, 5\) of float64, expected \(1, 2, 5\)"),
        ("h", np.zeros((1, 2, 5), np.float32), ShapeError, "of float32"),
    ],
)
def test_arrays_that_are_refused(name: str, wrong: np.ndarray, kind: type[SeqkitError], message: str) -> None:
    node, constants, x = plain("GRU")
    node.inputs = [*node.inputs, "lens", "h"]
    arrays = {"X": x, **constants, "lens": np.array([4, 2], np.int32), "h": np.zeros((1, 2, 5)), name: wrong}
    with pytest.raises(kind, match=message):
        bind(node, constants, OPSET)([arrays[name] for name in node.inputs])
