"""What is written into an ONNX file, and what is refused; the numbers are compared in test_onnx_out_peers.py."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checks.sized import RAW, SIZED
from checks.zoo import ZOO
from conftest import Tally
from onnx_out import LENGTHS, drawn, drawn_input, expected, far, layer_of_equations, random_model

import seqkit
from seqkit import registry
from seqkit.cells.lstm import LSTMCell
from seqkit.errors import ConvertError, NotBuiltError
from seqkit.interop import to_onnx
from seqkit.interop.onnx.export.graph import Flow
from seqkit.interop.onnx.export.layers import write
from seqkit.interop.onnx.export.models import export
from seqkit.interop.onnx.export.native import operator_of
from seqkit.interop.onnx.graph_model import GraphModel
from seqkit.interop.onnx.messages import decode, encode

ENDS = ("initial", "final")


class Negative(seqkit.Wrapper):
    """A layer in NumPy around another one."""

    def forward(self, x: Any, lengths: Any = None, state: Any = None, training: bool = True) -> Any:
        y, cache = self.layer.forward(x, lengths, state, training)
        return -y, cache

    def backward(self, dy: Any, cache: Any, dstate: Any = None, input_grad: bool = True) -> Any:
        return self.layer.backward(-dy, cache, dstate, input_grad)


class Doubled(seqkit.Dense):
    """A subclass that computes something else."""

    def forward(self, x: Any, lengths: Any = None, state: Any = None, training: bool = True) -> Any:
        y, cache = super().forward(x, lengths, state, training)
        return 2 * y, cache


class Renamed(seqkit.Dense):
    """A subclass that computes the same."""

    name = "renamed"


def stack() -> seqkit.Sequential:
    layers = [seqkit.Embedding(9, 4), seqkit.Bidirectional(seqkit.LSTM(5, return_sequences=True))]
    layers += [seqkit.GRU(3, zoneout=0.1), seqkit.Dense(2, activation="softmax")]  # type: ignore[list-item]
    return seqkit.Sequential(layers, seed=0)


def test_inputs_and_outputs_are_named(tmp_path: Path) -> None:
    model = to_onnx(stack(), tmp_path / "m.onnx", states=True)
    values = {value.name: (value.dtype, value.shape) for value in (*model.graph.inputs, *model.graph.outputs)}
    single, ids = np.dtype(np.float32), np.dtype(np.int64)
    assert values == {
        **{"x": (ids, ("batch", "time")), "lengths": (ids, ("batch",)), "y": (single, ("batch", 2))},
        **{
            f"{end}_1_{way}_{s}": (single, ("batch", 5))
            for end in ENDS
            for way in ("forward", "backward")
            for s in "hc"
        },
        **{f"{end}_2_h": (single, ("batch", 3)) for end in ENDS},
    }
    assert (model.opsets, model.ir_version, model.producer) == ({"": 17}, 8, f"seqkit {seqkit.__version__}")
    assert model.metadata == {"dtype": "float32", "source": f"written by seqkit {seqkit.__version__}"}
    read = decode((tmp_path / "m.onnx").read_bytes())
    assert encode(read) == encode(model)


def test_lengths_and_states_are_left_out_if_asked() -> None:
    graph = export(stack(), lengths=False).graph
    assert [value.name for value in graph.inputs] == ["x"]
    assert "lengths" not in graph.initializers
    assert [value.name for value in graph.outputs] == ["y"]


def test_vectors_have_no_lengths() -> None:
    (x,) = export(seqkit.Sequential([seqkit.Dense(2, input_shape=(3,))])).graph.inputs
    assert x.shape == ("batch", 3)
    x, lengths = export(seqkit.Sequential([seqkit.Dense(2, input_shape=(None, 3))])).graph.inputs
    assert x.shape == ("batch", "time", 3)
    assert lengths.name == "lengths"


def test_equal_models_give_equal_files() -> None:
    program = "import test_onnx_out as t, hashlib; print(hashlib.sha256(t.encode(t.export(t.stack()))).hexdigest())"
    digests = {
        subprocess.run(
            [sys.executable, "-P", "-c", program],
            env={"PYTHONPATH": ":".join([str(Path(__file__).parent), *sys.path]), "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=100,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_names_are_unique_and_constants_are_read() -> None:
    graph = export(stack(), states=True).graph
    given = [name for node in graph.nodes for name in node.outputs]
    body = next(node.attributes["body"] for node in graph.nodes if node.op_type == "Scan")
    given += [name for node in body.nodes for name in node.outputs] + [value.name for value in body.inputs]
    known = {*given, *graph.initializers, *(value.name for value in graph.inputs)}
    assert len(set(given)) == len(given)
    used = {name for node in (*graph.nodes, *body.nodes) for name in node.inputs}
    assert used - {""} <= known
    assert set(graph.initializers) <= used


def test_a_subclass_is_what_its_equations_are() -> None:
    class Started(LSTMCell):
        def initial_bias(self, gate: str) -> float:
            return 3.0

    class Changed(LSTMCell):
        def step(self, x: Any, U: Any, s: Any, p: Any) -> Any:
            new = super().step(x, U, s, p)
            return new | {"h": new["h"] * 1.0000001}

    class Without(LSTMCell):
        biases = ("i", "f")

    found = [operator_of(seqkit.Recurrent(cell, 3).build(2)) for cell in (Started, Changed, Without)]
    assert [one and one.op_type for one in found] == ["LSTM", None, None]


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "a layer in NumPy": (lambda: Tally().build(3), "Tally is computed by a program of its own"),
    "a wrapper": (lambda: Negative(seqkit.GRU(4)).build(3), "Negative is computed by a program of its own"),
    "a changed layer": (lambda: Doubled(4).build(3), "Doubled has a forward of its own"),
    "ends told by ids": (lambda: seqkit.Embedding(4, 2, mask_zero=True).build(), "mask_zero finds the ends"),
    "low precision": (lambda: seqkit.GRU(4).build(3).quantize("int8"), "products in int8 have no exact form"),
    "carried state": (lambda: seqkit.GRU(4, stateful=True).build(3), "stateful layer goes on"),
    "two outputs inside": (
        lambda: seqkit.Sequential(
            [seqkit.Bidirectional(seqkit.GRU(4, return_sequences=True), None), seqkit.Dense(2)]
        ).build(3),
        "both directions side by side",
    ),
    "vectors for a layer of sequences": (
        lambda: seqkit.Sequential([seqkit.GRU(4), seqkit.LastStep()]).build(3),
        "last_step: reads sequences",
    ),
    "no model": (lambda: 3, "a layer or a model was expected, got 3"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, tmp_path: Path) -> None:
    make, message = REFUSED[case]
    with pytest.raises(ConvertError, match=message):
        to_onnx(make(), tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_refused_opset() -> None:
    with pytest.raises(ConvertError, match="opset is 12, expected one of 14, 15"):
        export(stack(), opset=12)


def test_a_graph_is_written_as_it_is(tmp_path: Path) -> None:
    written = to_onnx(seqkit.Sequential([seqkit.Dense(2, input_shape=(3,))], seed=0), tmp_path / "one.onnx", opset=18)
    graph = GraphModel(decode((tmp_path / "one.onnx").read_bytes()))
    to_onnx(graph, tmp_path / "two.onnx")
    assert (tmp_path / "two.onnx").read_bytes() == (tmp_path / "one.onnx").read_bytes()
    assert export(graph, opset=18) == graph.model
    assert written.opsets == {"": 18}
    for options in ({"opset": 17}, {"states": True}):
        with pytest.raises(ConvertError, match="the graph is of opset 18 and has the inputs"):
            export(graph, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(60))
def test_what_is_written_is_read_again(seed: int) -> None:
    """Random models, through bytes: ONNX Runtime is not needed to see that they are the same."""
    rng = np.random.default_rng(seed)
    model = drawn(random_model(seed), rng, 0.2)
    graph = GraphModel(decode(encode(export(model))))
    x = drawn_input(model, rng)
    assert far(graph.run({"x": x, "lengths": LENGTHS}), expected(model, x, LENGTHS)) <= 1e-6
    whole = x % model.layers[0].input_dim if model.accepts_ids else np.nan_to_num(x)
    assert far({"y": graph.predict(whole)}, expected(model, whole, None)) <= 1e-6


@pytest.mark.parametrize("name", [*ZOO, *SIZED, *RAW])
def test_equations_are_read_again(name: str) -> None:
    """Loops, with states, beside the engine."""
    layer, rng = layer_of_equations(name, "float64", go_backwards=len(name) % 2 == 0), np.random.default_rng(1)
    state = tuple(rng.normal(0, 0.5, (len(LENGTHS), size)) for size in layer.state_sizes)
    x = drawn_input(layer, rng)
    y, cache = layer.forward(x, LENGTHS, state, training=False)
    wanted = {"y": y} | {f"final_{key}": array for key, array in zip(layer.cell.states, cache.state, strict=True)}
    feeds = {f"initial_{key}": array for key, array in zip(layer.cell.states, state, strict=True)}
    found = GraphModel(decode(encode(export(layer, states=True)))).run({"x": x, "lengths": LENGTHS, **feeds})
    assert far(found, wanted) <= 1e-11


def branches() -> seqkit.Graph:
    """A graph with all ways to merge, in which nodes are read more than once, and a graph inside."""
    inner = seqkit.Graph({"a": seqkit.GRU(4, return_sequences=True), "b": (seqkit.Multiply(), "a", "x")})
    nodes = {
        "h": seqkit.LSTM(4, return_sequences=True),
        "inner": inner,
        "sum": (seqkit.Add(), "h", "inner", "h"),
        "mean": (seqkit.Average(), "sum", "h"),
        "side": seqkit.Branch([seqkit.Dense(3), seqkit.Bidirectional(seqkit.GRU(2, return_sequences=True))]),
        "twice": (seqkit.Concatenate(), "side"),
        "y": (seqkit.Concatenate(), "twice", "mean", "x"),
    }
    return seqkit.Graph(nodes)


def test_graphs_are_written() -> None:
    rng = np.random.default_rng(3)
    model = drawn(seqkit.Sequential([branches(), seqkit.GRU(3)], seed=1).build(5), rng)
    x = drawn_input(model, rng)
    graph = GraphModel(decode(encode(export(model))))
    assert far(graph.run({"x": x, "lengths": LENGTHS}), expected(model, x, LENGTHS)) <= 1e-6


def test_graphs_that_are_not_written() -> None:
    gru = [seqkit.GRU(3, return_sequences=True) for _ in range(4)]
    two = seqkit.Graph({"a": (gru[0], "x"), "y": (seqkit.Add(), "a", "z")}, inputs=("x", "z")).build((3, 3))
    with pytest.raises(ConvertError, match="graph: has the inputs x, z; only graphs of one are written"):
        export(two)
    with pytest.raises(ConvertError, match="encoder_decoder: reads a source and a target"):
        export(seqkit.EncoderDecoder([gru[1]], [gru[2]]).build((3, 3)))
    mixed = {"a": seqkit.GRU(3), "b": seqkit.RepeatVector(4), "y": (seqkit.Add(), "x", "b")}
    with pytest.raises(ConvertError, match="add: its inputs are sequences of different steps"):
        export(seqkit.Graph(mixed).build(3))


def test_every_built_in_layer_is_written() -> None:
    kinds = [registry.get(name) for name in registry.BUILT_IN]
    missing = [kind.__name__ for kind in kinds if write.dispatch(kind) is write.dispatch(object)]
    assert not missing


def test_not_built() -> None:
    for model in (seqkit.LSTM(3), seqkit.Sequential([seqkit.LSTM(3)])):
        with pytest.raises(NotBuiltError):
            export(model)


class Mirrored(Negative):
    """A layer in NumPy for which somebody says how it is written."""


@write.register
def _mirrored(layer: Mirrored, graph: Any, flow: Any, number: str) -> Any:
    inner = write(layer.layer, graph, flow, number)
    return Flow((graph.op("Neg", inner.name),), inner.features, inner.times)


def test_other_kinds_of_layers_can_be_added() -> None:
    """A subclass that computes the same needs nothing; a layer in NumPy may bring a function that writes it."""
    for layer, added in ((Renamed(2), []), (Mirrored(seqkit.Dense(2)), ["Neg"])):
        nodes = export(layer.build(3)).graph.nodes
        assert [node.op_type for node in nodes] == ["MatMul", "Add", *added, "Identity"]
