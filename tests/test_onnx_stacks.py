"""Stacks of ONNX recurrent nodes: joined or not, the same bits; what may not be joined is left as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from onnx_nodes import GATES, IR_VERSION, OPSET, REFERENCES

import seqkit
from seqkit.interop.onnx import program
from seqkit.interop.onnx.graph_model import GraphModel
from seqkit.interop.onnx.messages import Graph, Model, Node, Value
from seqkit.interop.onnx.recurrent_stack import RecurrentStack

FLOAT = np.dtype("float64")
Change = Callable[[Model], Any]


def stack(
    operator: str, directions: int = 1, layers: int = 3, units: int = 5, states: bool = False, lengths: bool = False
) -> Model:
    """A model of some layers, arranged as exporters do; its outputs are Y of the last and Y_h of all."""
    rng = np.random.default_rng([directions, layers, GATES[operator]])
    rows, features, x = GATES[operator] * units, 3, "x"
    nodes, constants, outputs = [], {"axes": np.array([1]), "shape": np.array([0, 0, -1])}, []
    extra = ["lengths"] if lengths else [""]
    for n in range(layers):
        shapes = {"w": (directions, rows, features), "r": (directions, rows, units), "b": (directions, 2 * rows)}
        constants |= {f"{name}{n}": rng.normal(size=shape) / 2 for name, shape in shapes.items()}
        inputs = [x, f"w{n}", f"r{n}", f"b{n}", *extra, f"h{n}" if states else ""]
        direction = "bidirectional" if directions == 2 else "forward"
        nodes.append(Node(operator, inputs, [f"y{n}", f"y_h{n}"], {"direction": direction}))
        between = [Node("Squeeze", [f"y{n}", "axes"], [f"x{n}"])]
        if directions == 2:
            turn = Node("Transpose", [f"y{n}"], [f"turned{n}"], {"perm": [0, 2, 1, 3]})
            between = [turn, Node("Reshape", [f"turned{n}", "shape"], [f"x{n}"])]
        nodes += between if n < layers - 1 else []
        features, x = directions * units, f"x{n}"
        outputs.append(f"y_h{n}")
    given = {"x": ("t", "b", 3)} | ({f"h{n}": (directions, "b", units) for n in range(layers)} if states else {})
    values = [Value(name, FLOAT, shape) for name, shape in given.items()]
    values += [Value("lengths", np.dtype("int32"), ("b",))] if lengths else []
    results = [Value(name, FLOAT, None) for name in (f"y{layers - 1}", *outputs)]
    return Model(Graph("stack", nodes, values, results, constants), {"": OPSET}, IR_VERSION)


def feeds(model: Model, time: int, batch: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    sizes = {"t": time, "b": batch}
    found = {}
    for value in model.graph.inputs:
        shape = tuple(sizes.get(size, size) for size in value.shape or ())  # type: ignore[arg-type]
        found[value.name] = rng.normal(size=shape)
    if "lengths" in found:
        found["lengths"] = rng.permutation(np.arange(batch) % (time + 1)).astype(np.int32)
    return found


def stacks_of(model: GraphModel) -> list[int]:
    """Numbers of nodes of the stacks that a model has, of more than one."""
    functions = [step.function for step in model._program._steps]
    return [len(each.nodes) for each in functions if isinstance(each, RecurrentStack) and len(each.nodes) > 1]


def apart(model: Model, monkeypatch: pytest.MonkeyPatch) -> GraphModel:
    """The model whose nodes run one by one."""
    with monkeypatch.context() as patch:
        patch.setattr(program, "joined", lambda bound, constants, outputs: bound)
        return GraphModel(model)


@pytest.mark.parametrize("operator", GATES)
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("options", [{}, {"states": True}, {"lengths": True}, {"states": True, "lengths": True}])
def test_same_bits(operator: str, directions: int, options: dict[str, bool], monkeypatch: pytest.MonkeyPatch) -> None:
    model = stack(operator, directions, **options)
    one, many = GraphModel(model), apart(model, monkeypatch)
    assert stacks_of(one) == [3]
    assert stacks_of(many) == []
    for time, batch in ((1, 2), (6, 1), (6, 5)):
        fed = feeds(model, time, batch)
        got, expected = one.run(fed), many.run(fed)
        assert list(got) == list(expected)
        assert all((got[name] == expected[name]).all() for name in got)


@pytest.mark.parametrize("operator", GATES)
@pytest.mark.parametrize("time", [1, 5])
def test_numbers(operator: str, time: int) -> None:
    model = stack(operator, layers=2, states=True)
    fed = feeds(model, time, 3)
    x, weights = fed["x"], model.graph.initializers
    for n in range(2):
        y, y_h, *_ = REFERENCES[operator](x, *(weights[f"{k}{n}"] for k in "wrb"), initial_h=fed[f"h{n}"])
        assert np.abs(GraphModel(model).run(fed)[f"y_h{n}"] - y_h).max() < 1e-13
        x = y[:, 0]
    assert np.abs(GraphModel(model).run(fed)["y1"] - y).max() < 1e-13


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_layers_run_as_a_pipeline(direction: str) -> None:
    """One long sequence, two threads: the same bits; a layer that reads from the end has to wait."""
    model = stack("LSTM", units=64)
    model.graph.nodes[2].attributes["direction"] = direction
    fed = feeds(model, 300, 1)
    one = GraphModel(model)
    with seqkit.threads(2):
        one.run({"x": -fed["x"]})  # leaves other numbers in the memory that is used again
        got = one.run(fed)
    with seqkit.threads(1):
        expected = one.run(fed)
    assert all((got[name] == expected[name]).all() for name in got)


def test_results_share_no_memory() -> None:
    model = GraphModel(stack("LSTM", layers=2))
    for time in (1, 3):
        arrays = list(model.run(feeds(model.model, time, 2)).values())
        assert not any(np.may_share_memory(a, b) for n, a in enumerate(arrays) for b in arrays[:n])


def outputs_y0(model: Model) -> None:
    model.graph.outputs.append(Value("y0", FLOAT, None))


def outputs_between(model: Model) -> None:
    model.graph.outputs.append(Value("x0", FLOAT, None))


def reads_y_twice(model: Model) -> None:
    model.graph.nodes.append(Node("Neg", ["x0"], ["negative"]))
    model.graph.outputs.append(Value("negative", FLOAT, None))


def other_axes(model: Model) -> None:
    model.graph.initializers["axes"] = np.array([-3])


def starts_from_the_state_before(model: Model) -> None:
    model.graph.nodes[2].inputs[5] = "y_h0"


def starts_from_something_of_the_state_before(model: Model) -> None:
    model.graph.nodes.insert(1, Node("Neg", ["y_h0"], ["negative"]))
    model.graph.nodes[3].inputs[5] = "negative"


def lengths_of_one(model: Model) -> None:
    model.graph.nodes[2].inputs[4] = "lengths"
    model.graph.inputs.append(Value("lengths", np.dtype("int32"), ("b",)))


def weights_that_are_fed(model: Model) -> None:
    model.graph.inputs.append(Value("w1", FLOAT, model.graph.initializers.pop("w1").shape))


def is_an_initial_state(model: Model) -> None:
    """Of a sequence of one step, (1, B, H)."""
    model.graph.nodes[2].inputs[:] = ["x", "w0", "r0", "b0", "", "x0"]


@pytest.mark.parametrize(
    "change",
    [
        outputs_y0,
        outputs_between,
        reads_y_twice,
        other_axes,
        starts_from_the_state_before,
        starts_from_something_of_the_state_before,
        lengths_of_one,
        weights_that_are_fed,
        is_an_initial_state,
    ],
)
def test_what_is_not_joined(change: Change, monkeypatch: pytest.MonkeyPatch) -> None:
    model = stack("GRU", layers=2)
    assert stacks_of(GraphModel(model)) == [2]
    change(model)
    whole = GraphModel(model)
    assert stacks_of(whole) == []
    fed = feeds(model, 1 if change is is_an_initial_state else 4, 3)
    got, expected = whole.run(fed), apart(model, monkeypatch).run(fed)
    assert all((got[name] == expected[name]).all() for name in got)


@pytest.mark.parametrize(
    ("place", "other"),
    [
        (1, {"attributes": {"perm": [0, 2, 3, 1]}}),
        (2, {"attributes": {"allowzero": 1}}),
        (2, {"inputs": ["turned0", "sizes"]}),
    ],
)
def test_directions_that_are_moved_otherwise(place: int, other: dict[str, Any]) -> None:
    model = stack("GRU", directions=2, layers=2)
    assert stacks_of(GraphModel(model)) == [2]
    model.graph.initializers["sizes"] = np.array([4, 3, 10])
    model.graph.nodes[place] = replace(model.graph.nodes[place], **other)
    assert stacks_of(GraphModel(model)) == []
