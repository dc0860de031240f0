"""Models made of ONNX graphs: what they are given and give back, what is computed when, and what is kept."""

from __future__ import annotations

import gc
import pickle
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit import interop
from seqkit.errors import ConfigError, ConvertError, DTypeError, LoadError, ShapeError
from seqkit.interop.onnx.export.models import export
from seqkit.interop.onnx.graph_model import GraphModel
from seqkit.interop.onnx.messages import Graph, Model, Node, Value, decode, encode
from seqkit.interop.onnx.operators.table import OPERATORS
from seqkit.interop.onnx.zero_states import without_zero_states

FLOAT, INT = np.dtype(np.float32), np.dtype(np.int64)


def model(nodes: list[Node], inputs: dict[str, Any], outputs: dict[str, Any], opset: int = 17, **more: Any) -> Model:
    """A model of nodes; inputs and outputs are shapes, or (shape, type)."""

    def values(given: dict[str, Any]) -> list[Value]:
        pairs = {
            name: (what if isinstance(what, tuple) and what[1:] == (INT,) else (what, FLOAT))
            for name, what in given.items()
        }
        return [Value(name, dtype, shape) for name, (shape, dtype) in pairs.items()]

    ir_version = more.pop("ir_version", 8)
    return Model(Graph("g", nodes, values(inputs), values(outputs), more), {"": opset}, ir_version, "a test")


RNG = np.random.default_rng(7)
W = RNG.normal(size=(3, 4)).astype(np.float32)
BIAS = RNG.normal(size=4).astype(np.float32)
LINEAR = model(
    [Node("MatMul", ["x", "w"], ["h"], name="head"), Node("Add", ["h", "b"], ["y"])],
    {"x": ("batch", "time", 3)},
    {"y": ("batch", "time", 4)},
    w=W,
    b=BIAS,
)


@pytest.fixture
def linear() -> GraphModel:
    """``x @ W + BIAS`` for every step."""
    return GraphModel(LINEAR)


def test_products_and_sums(linear):
    x = RNG.normal(size=(5, 2, 3)).astype(np.float32)
    expected = x.astype(np.float64) @ W + BIAS
    assert np.abs(linear.predict(x) - expected).max() < 1e-6
    assert np.array_equal(linear.run({"x": x})["y"], linear.predict({"x": x}))
    assert linear.predict(x).dtype == np.float32


def test_bits_depend_on_nothing_else(linear):
    x = RNG.normal(size=(40, 7, 3)).astype(np.float32)
    y = linear.predict(x)
    assert np.array_equal(y[3:4], linear.predict(x[3:4]))
    assert np.array_equal(y[:, 2:3], linear.predict(x[:, 2:3]))


def test_inputs_of_other_types(linear):
    x = np.arange(6.0).reshape(1, 2, 3)
    expected = linear.predict(x.astype(np.float32))
    for given in (x, x.tolist(), x.astype(int), x.astype(np.float16), np.asfortranarray(x)):
        assert np.array_equal(linear.predict(given), expected)
    with pytest.raises(DTypeError, match="input 'x' is complex128, expected float32"):
        linear.predict(x * 1j)
    with pytest.raises(DTypeError, match="is bool"):
        linear.predict(x > 1)


def test_integers_must_fit():
    short = Model(
        Graph("g", [Node("Neg", ["i"], ["j"])], [Value("i", np.dtype(np.int8), (2,))], [Value("j", None, None)]),
        {"": 13},
        8,
    )
    assert GraphModel(short).run({"i": [1, -2]})["j"].tolist() == [-1, 2]
    for wrong in ([1, 300], [1.0, 2.0]):
        with pytest.raises(DTypeError, match="expected int8"):
            GraphModel(short).run({"i": wrong})


@pytest.mark.parametrize("shape", [(2, 3), (2, 5, 4), (1, 2, 5, 3)])
def test_shapes_are_checked(linear, shape):
    with pytest.raises(ShapeError, match=r"input 'x' has shape .* expected \('batch', 'time', 3\)"):
        linear.predict(np.zeros(shape))


def test_sizes_of_one_name_are_one_size():
    two = GraphModel(model([Node("Add", ["a", "b"], ["y"])], {"a": ("n", 2), "b": ("n", 2)}, {"y": ("n", 2)}))
    assert two.run({"a": np.ones((3, 2)), "b": np.ones((3, 2))})["y"].sum() == 12
    with pytest.raises(ShapeError, match=r"input 'b' has shape \(1, 2\), expected \('n', 2\) with {'n': 3}"):
        two.run({"a": np.ones((3, 2)), "b": np.ones((1, 2))})
    with pytest.raises(ConfigError, match=r"the inputs are \['a', 'b'\]"):
        two.predict(np.ones((3, 2)))


def test_names_of_inputs(linear):
    with pytest.raises(ConfigError, match=r"needs the inputs \['x'\]"):
        linear.run({})
    with pytest.raises(ConfigError, match=r"has no input \['z'\]"):
        linear.run({"x": np.zeros((1, 1, 3)), "z": 1})


def test_inputs_with_a_value_may_be_left_out():
    given = {"x": ("n",), "scale": (1,)}
    optional = model([Node("Mul", ["x", "scale"], ["y"])], given, {"y": ("n",)}, scale=np.array([3], np.float32))
    assert GraphModel(optional).predict([1, 2]).tolist() == [3, 6]
    assert GraphModel(optional).run({"x": [1, 2], "scale": [5]})["y"].tolist() == [5, 10]
    optional.ir_version = 3  # when every constant had to be an input
    assert [value.name for value in GraphModel(optional).inputs] == ["x"]


def test_several_outputs():
    both = GraphModel(
        model([Node("Split", ["x"], ["a", "b"], {"axis": 1})], {"x": ("n", 4)}, {"a": ("n", 2), "b": ("n", 2)})
    )
    a, b = both.predict([[1, 2, 3, 4]])
    assert (a.tolist(), b.tolist()) == ([[1, 2]], [[3, 4]])


def test_results_are_nobody_elses():
    nodes = [
        Node("Identity", ["x"], ["same"]),
        Node("Transpose", ["x"], ["turned"]),
        Node("Identity", ["w"], ["weight"]),
    ]
    names = {"same": ("n", 2), "turned": (2, "n"), "weight": (2,)}
    views = GraphModel(model(nodes, {"x": ("n", 2)}, names, w=np.ones(2, np.float32)))
    x = np.ones((3, 2), np.float32)
    for _ in range(2):
        for result in views.run({"x": x}).values():
            assert (result == 1).all()
            result[:] = 5  # of this call alone
    assert (x == 1).all()


def test_an_error_names_the_node():
    nodes = [Node("Reshape", ["x", "shape"], ["r"], name="/head/Reshape"), Node("Relu", ["r"], ["y"])]
    wrong = GraphModel(model(nodes, {"x": ("n",)}, {"y": (2, 2)}, shape=np.array([2, 2])))
    assert wrong.predict([1, 2, 3, 4]).shape == (2, 2)
    with pytest.raises(
        ShapeError, match=r"Reshape '/head/Reshape': cannot be run on arrays of the shapes \[\(3,\), \(2,\)\]"
    ):
        wrong.predict([1, 2, 3])
    mixed = model([Node("Add", ["x", "w"], ["y"])], {"x": ("n",)}, {"y": ("n",)}, w=np.ones(1))
    with pytest.raises(DTypeError, match="Add of 'y': arrays of float32 and float64"):
        GraphModel(mixed).predict([1])


def test_divisions_by_zero_do_not_warn():
    one = model([Node("Div", ["x", "w"], ["y"])], {"x": ("n",)}, {"y": ("n",)}, w=np.zeros(1, np.float32))
    assert np.isnan(GraphModel(one).predict([0.0])).all()


# what is computed when


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of outputs in the order in which nodes of the type Tanh make them."""
    made: list[str] = []
    original = OPERATORS["Tanh"]

    def bind(node: Node, constants: Any, opset: int) -> Any:
        function = original(node, constants, opset)

        def run(inputs: Any) -> Any:
            made.append(node.outputs[0])
            return function(inputs)

        return run

    monkeypatch.setitem(OPERATORS, "Tanh", bind)
    return made


def test_what_nobody_reads_is_not_computed(counted):
    nodes = [Node("Tanh", ["x"], ["a"]), Node("Tanh", ["a"], ["dead"]), Node("Tanh", ["a"], ["y"])]
    GraphModel(model(nodes, {"x": ("n",)}, {"y": ("n",)})).predict([1])
    assert counted == ["a", "y"]


def test_constants_are_computed_once():
    nodes = [
        Node("Constant", [], ["one"], {"value_int": 1}),
        Node("Unsqueeze", ["one", "axes"], ["first"]),
        Node("Concat", ["first", "rest"], ["shape"], {"axis": 0}),
        Node("Transpose", ["w"], ["turned"]),
        Node("MatMul", ["x", "turned"], ["h"]),
        Node("Reshape", ["h", "shape"], ["y"]),
    ]
    arrays = {"axes": np.array([0]), "rest": np.array([-1]), "w": W}
    made = GraphModel(model(nodes, {"x": ("n", 4)}, {"y": (1, "m")}, **arrays))
    assert [step.label for step in made._program._steps] == ["MatMul of 'h'", "Reshape of 'y'"]
    x = RNG.normal(size=(2, 4)).astype(np.float32)
    assert np.abs(made.predict(x) - (x.astype(np.float64) @ W.T).reshape(1, -1)).max() < 1e-6


def test_values_are_let_go_when_they_have_been_read(monkeypatch):
    kept: list[Any] = []
    alive: list[int] = []

    def bind(node: Node, constants: Any, opset: int) -> Any:
        def run(inputs: Any) -> Any:
            result = inputs[0] + 1
            kept.append(weakref.ref(result))
            alive.append(sum(reference() is not None for reference in kept))
            return [result]

        return run

    monkeypatch.setitem(OPERATORS, "Tanh", bind)
    nodes = [Node("Tanh", [f"v{k}"], [f"v{k + 1}"]) for k in range(9)]
    assert GraphModel(model(nodes, {"v0": ("n",)}, {"v9": ("n",)})).predict([1]).tolist() == [10]
    gc.collect()
    assert max(alive) == 2  # one that is read, and one that is made


def test_many_threads_at_once(linear):
    batches = [RNG.normal(size=(1 + k, 5, 3)).astype(np.float32) for k in range(20)]
    expected = [linear.predict(x) for x in batches]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            found = list(pool.map(linear.predict, batches))
            assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


# files


def test_native_files_and_copies(linear, tmp_path):
    x = RNG.normal(size=(2, 3, 3)).astype(np.float32)
    interop.save(linear, tmp_path / "model.safetensors")
    again = interop.load(tmp_path / "model.safetensors")
    for copy in (again, pickle.loads(pickle.dumps(linear)), GraphModel.rebuild(*linear.describe())):
        assert np.array_equal(copy.predict(x), linear.predict(x))
        assert (copy.inputs, copy.outputs) == (linear.inputs, linear.outputs)
        assert copy.model.graph.nodes == linear.model.graph.nodes


def test_a_native_file_without_its_graph(linear):
    description, arrays = linear.describe()
    for graph in ({}, {"graph": np.zeros(3, np.uint8)}, {"graph": arrays["graph"].astype(np.int64)}):
        with pytest.raises(LoadError):
            GraphModel.rebuild(description, {key: value for key, value in arrays.items() if key != "graph"} | graph)


def test_a_file_is_proved(linear, tmp_path):
    (tmp_path / "model.onnx").write_bytes(encode(LINEAR))
    imported = interop.read(tmp_path / "model.onnx")
    assert imported.source == "ONNX model, opset 17, by a test"
    rng = np.random.default_rng(0)
    feeds = [imported.draw(rng) for _ in range(5)]
    assert len({array["x"].shape for array in feeds}) > 1
    exact = imported.reference()
    for each in feeds:
        expected = exact.run(each)["y"]
        assert expected.dtype == np.float64
        assert np.abs(expected - (each["x"].astype(np.float64) @ W + BIAS)).max() < 1e-12
        assert 0 < np.abs(imported.run(each)["y"] - expected).max() < 1e-5


# what is drawn


def test_ids_are_there_to_be_looked_up():
    table = RNG.normal(size=(5, 2)).astype(np.float32)
    nodes = [Node("Cast", ["ids"], ["i"], {"to": 6}), Node("Gather", ["table", "i"], ["y"])]
    lookup = GraphModel(model(nodes, {"ids": (("b", "t"), INT)}, {"y": ("b", "t", 2)}, table=table))
    drawn = [lookup.imported("").draw(np.random.default_rng(k))["ids"] for k in range(20)]
    assert {int(value) for ids in drawn for value in ids.ravel()} == {0, 1, 2, 3, 4}


def test_free_sizes_are_tried_until_the_model_runs():
    window = np.ones((1, 1, 20), np.float32)
    conv = GraphModel(model([Node("Conv", ["x", "w"], ["y"])], {"x": (None, 1, None)}, {"y": None}, w=window))
    assert conv.imported("").draw(np.random.default_rng(0))["x"].shape[2] >= 20
    square = GraphModel(model([Node("Add", ["x", "z"], ["y"])], {"x": ("a", 3), "z": ("b", 3)}, {"y": None}))
    x, z = square.imported("").draw(np.random.default_rng(2)).values()
    assert x.shape == z.shape or 1 in (len(x), len(z))
    never = GraphModel(model([Node("Reshape", ["x", "s"], ["y"])], {"x": ("a", 3)}, {"y": None}, s=np.array([7, 11])))
    with pytest.raises(ConvertError, match="no inputs were found"):
        never.imported("").draw(np.random.default_rng(0))


def test_what_is_too_large_is_not_drawn():
    large = GraphModel(model([Node("Relu", ["x"], ["y"])], {"x": ("n", 2**31 - 1)}, {"y": None}))
    with pytest.raises(ConvertError, match=r"too large to be drawn.*\['x'\]"):
        large.imported("").draw(np.random.default_rng(0))


def test_the_reference_is_in_float64():
    """Of constants and casts in the graph, too."""
    nodes = [
        Node("Constant", [], ["third"], {"value_float": 1 / 3}),
        Node("Cast", ["x"], ["wide"], {"to": 11}),
        Node("Exp", ["wide"], ["e"]),
        Node("Cast", ["e"], ["narrow"], {"to": 1}),
        Node("Mul", ["narrow", "third"], ["product"]),
        Node("Shape", ["x"], ["sizes"]),
        Node("ConstantOfShape", ["sizes"], ["zeros"]),
        Node("Add", ["product", "zeros"], ["y"]),
    ]
    given = GraphModel(model(nodes, {"x": ("n",)}, {"y": ("n",)}))
    x = np.linspace(-1, 1, 9, dtype=np.float32)
    expected = np.exp(x.astype(np.float64)) / 3
    exact = given.imported("").reference().run({"x": x})["y"]
    assert np.abs(exact - expected).max() < 1e-15
    assert 1e-9 < np.abs(given.predict(x) - expected).max() < 1e-6


def test_graphs_are_written_and_read_again():
    assert encode(decode(encode(LINEAR))) == encode(LINEAR)


# graphs inside graphs


def values(*names: str) -> list[Value]:
    return [Value(name, FLOAT, None) for name in names]


def test_a_loop_over_time():
    """A leaky sum with a weight of the graph around, a state and two sequences, one of them backwards."""
    rng = np.random.default_rng(5)
    body = Graph(
        "body",
        [
            Node("Mul", ["s", "leak"], ["kept"]),
            Node("Add", ["kept", "a"], ["sum"]),
            Node("Sub", ["sum", "b"], ["next"]),
            Node("Mul", ["next", "scale"], ["each"]),
            Node("Identity", ["next"], ["again"]),
        ],
        [Value(name, FLOAT, None) for name in ("s", "a", "b")],
        [Value(name, FLOAT, None) for name in ("next", "each", "again")],
        {"leak": np.array(0.5, np.float32)},
    )
    attributes = {"num_scan_inputs": 2, "scan_input_axes": [1, 0], "scan_input_directions": [0, 1]}
    attributes |= {"scan_output_axes": [-1, 0], "scan_output_directions": [0, 1]}
    nodes = [
        Node("Neg", ["x"], ["scale"]),  # read inside
        Node("Scan", ["s0", "a", "b"], ["end", "y", "z"], {"body": body, **attributes}),
    ]
    shapes = {"x": (2,), "s0": (2,), "a": (2, "t"), "b": ("t", 2)}
    loop = GraphModel(model(nodes, shapes, {"end": (2,), "y": (2, "t"), "z": ("t", 2)}))
    for steps in (4, 1, 0):
        x, s, a, b = (rng.normal(size=shape).astype(np.float32) for shape in ((2,), (2,), (2, steps), (steps, 2)))
        got = loop.run({"x": x, "s0": s, "a": a, "b": b})
        y, z = np.zeros((2, steps)), np.zeros((steps, 2))
        for t in range(steps):
            s = 0.5 * s + a[:, t] - b[steps - 1 - t]
            y[:, t], z[steps - 1 - t] = -s * x, s
        for name, expected in {"end": s, "y": y, "z": z}.items():
            assert got[name].shape == expected.shape
            assert np.abs(got[name] - expected).max(initial=0) < 1e-6


def test_a_loop_inside_a_choice():
    """Values of the outermost graph reach the innermost one."""
    inner = Graph(
        "inner",
        [Node("Add", ["s", "each"], ["n"]), Node("Mul", ["n", "outer"], ["o"])],
        [Value("s", FLOAT, None), Value("each", FLOAT, None)],
        [Value("n", FLOAT, None), Value("o", FLOAT, None)],
    )
    scan = Node("Scan", ["start", "x"], ["final", "all"], {"body": inner, "num_scan_inputs": 1})
    then = Graph("then", [scan], [], values("all"))
    otherwise = Graph("else", [Node("Neg", ["outer"], ["negative"])], [], values("negative"))
    nodes = [
        Node("ReduceSum", ["x"], ["outer"], {"keepdims": 0}),
        Node("Less", ["outer", "start"], ["below"]),
        Node("If", ["below"], ["y"], {"then_branch": then, "else_branch": otherwise}),
    ]
    choice = GraphModel(model(nodes, {"x": ("t",)}, {"y": None}, start=np.zeros((), np.float32)))
    assert choice.predict([1, 2]).tolist() == -3
    assert choice.predict([-1, -2]).tolist() == [3, 9]


LOOP = Graph(
    "b", [Node("Add", ["s", "e"], ["n"])], [Value("s", FLOAT, None), Value("e", FLOAT, None)], [Value("n", FLOAT, None)]
)
WRONG_LOOPS = {
    "more inputs than the body": Node("Scan", ["x", "x", "x"], ["y"], {"body": LOOP, "num_scan_inputs": 1}),
    "no sequences": Node("Scan", ["x", "x"], ["y"], {"body": LOOP, "num_scan_inputs": 0}),
    "more sequences than inputs": Node("Scan", ["x", "x"], ["y"], {"body": LOOP, "num_scan_inputs": 3}),
    "more outputs than the body": Node("Scan", ["x", "x"], ["y", "z"], {"body": LOOP, "num_scan_inputs": 1}),
    "no body": Node("Scan", ["x", "x"], ["y"], {"num_scan_inputs": 1}),
    "a choice of one": Node("If", ["x"], ["y"], {"then_branch": Graph("t", [], [], values("x"))}),
    "a choice with inputs": Node("If", ["x"], ["y"], {"then_branch": LOOP, "else_branch": LOOP}),
    "a body that reads what there is not": Node(
        "Scan",
        ["x", "x"],
        ["y"],
        {
            "body": Graph("b", [Node("Add", ["s", "nothing"], ["n"])], *[LOOP.inputs, LOOP.outputs]),
            "num_scan_inputs": 1,
        },
    ),
}


@pytest.mark.parametrize("node", WRONG_LOOPS.values(), ids=WRONG_LOOPS)
def test_wrong_loops(node):
    with pytest.raises(LoadError):
        GraphModel(model([node], {"x": ("t",)}, {"y": None}))


def test_captured_values_are_not_given_by_files():
    node = Node("Scan", ["x", "x"], ["y"], {"body": LOOP, "num_scan_inputs": 1, "captured": ["x"]})
    with pytest.raises(ConvertError, match="captured is not known"):
        GraphModel(model([node], {"x": ("t",)}, {"y": None}))


# states of zeros


@pytest.mark.parametrize(("value", "kept"), [(0.0, False), (1e-30, True)])
def test_states_of_zeros_are_left_out(value, kept):
    nodes = [
        Node("Shape", ["x"], ["sizes"]),
        Node("ConstantOfShape", ["sizes"], ["all"], {"value": np.array([value], np.float32)}),
        Node("Slice", ["all", "first", "last"], ["h0"]),
        Node("Concat", ["h0", "h0"], ["both"], {"axis": 0}),
        Node("Concat", ["both", "x"], ["given"], {"axis": 0}),
        Node("LSTM", ["x", "w", "r", "", "", "both", "given"], ["y"]),
    ]
    found = without_zero_states(nodes, {})
    assert found[:-1] == nodes[:-1]
    assert found[-1].inputs == ["x", "w", "r", "", "", "both" if kept else "", "given"]


class NoOperator(seqkit.Cell):
    """``h_t = tanh(W x_t + b + u h_{t-1}^2)``."""

    gates = ("n",)
    states = ("h",)

    def step(self, x, U, s, p):
        return {"h": seqkit.equations.tanh(x.n + U.n @ (s.h * s.h))}


def test_lengths_are_drawn_where_they_may_be_left_out():
    """In models of ours, which have a default for them; a loop only compares with them."""
    for layer in (seqkit.LSTM(4), seqkit.Recurrent(NoOperator(), 4)):
        written = GraphModel(export(layer.build(3, seed=0))).imported("")
        exact = written.reference()
        rng, ragged = np.random.default_rng(0), 0
        for _ in range(8):
            feeds = written.draw(rng)
            assert 1 <= feeds["lengths"].min() <= feeds["lengths"].max() == feeds["x"].shape[1]
            ragged += len(set(feeds["lengths"].tolist())) > 1
            expected = layer(feeds["x"], lengths=feeds["lengths"])
            for oracle in (written, exact):
                assert np.abs(oracle.run(feeds)["y"] - expected).max() < 1e-6
        assert ragged > 2
