"""Exported models in ONNX Runtime: every layer and option, random models, every kind of equation.

Legend: B batch, T time, F features.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from checks.random_cells import RandomCell
from checks.sized import RAW, SIZED
from checks.zoo import ZOO
from onnx_out import (
    BUILT_IN,
    LENGTHS,
    TOLERANCE,
    drawn,
    drawn_input,
    error,
    far,
    in_onnx_runtime,
    layer_of_equations,
    random_model,
    state_names,
    with_states,
)

import seqkit
from seqkit import activations
from seqkit.equations import ACTIVATIONS
from seqkit.errors import ConvertError
from seqkit.interop import from_torch
from seqkit.interop.onnx.export.models import IR_VERSIONS, export
from seqkit.interop.onnx.export.native import FUNCTIONS
from seqkit.interop.onnx.messages import Graph, Node

for module in ("onnx", "onnxruntime"):
    pytest.importorskip(module, reason=f"{module} is not installed")
pytestmark = pytest.mark.peers

OPTIONS = [
    {},
    {"use_bias": False, "return_sequences": True},
    {"go_backwards": True},
    {"go_backwards": True, "return_sequences": True, "initial_state": "learned"},
    {"zoneout": 0.3, "initial_state": "learned"},
    {"zoneout": {"h": 0.2}, "return_sequences": True, "go_backwards": True},
    {"initial_state": "learned", "dropout": 0.5, "recurrent_dropout": 0.5, "weight_dropout": 0.5},
]


def operators(model: Any, **options: Any) -> list[str]:
    """Of the graph and of the bodies in it."""
    return [node.op_type for node in nodes_of(export(model, **options).graph)]


def nodes_of(graph: Graph) -> Iterator[Node]:
    for node in graph.nodes:
        yield node
        if "body" in node.attributes:
            yield from nodes_of(node.attributes["body"])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize(("name", "own"), BUILT_IN)
def test_recurrent_layer(name: str, own: dict[str, Any], options: dict[str, Any], dtype: str) -> None:
    rng = np.random.default_rng([*name.encode(), len(options)])
    layer = drawn(seqkit.create(name, 7, **own, **options).build(3, seed=0, dtype=dtype), rng)
    assert error(layer, rng) <= TOLERANCE[dtype]
    native = {"simple_rnn": "RNN", "gru": "GRU"}.get(name, "LSTM")
    assert (native in operators(layer)) == (dtype == "float32" and "zoneout" not in options)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("name", "own"), BUILT_IN)
def test_activations(name: str, own: dict[str, Any], activation: str) -> None:
    """Each beside another one, both ways round, so that their constants and places cannot be mixed up."""
    rng = np.random.default_rng(len(activation))
    dtype, spread = ("float64", 0.02) if activation == "exp" else ("float32", 0.1)  # exp grows, and errors with it
    for recurrent in ("sigmoid", "hard_sigmoid", "elu"):
        pair = {"activation": activation, "recurrent_activation": recurrent}
        layer = seqkit.create(name, 5, return_sequences=True, **own, **pair).build(3, seed=0, dtype=dtype)
        for key, array in layer.params.items():
            layer.params[key] = spread * array + rng.normal(0, spread, array.shape)
        assert error(layer, rng) <= TOLERANCE[dtype]
        assert ("Scan" in operators(layer)) == (activation not in FUNCTIONS)


USUAL = {"activation": "tanh", "recurrent_activation": "sigmoid"}
NUMBERS = {"name": "leaky_relu", "alpha": 0.3}, {"name": "hard_sigmoid", "alpha": 0.25, "beta": 0.4}
LIMITED = {name: {"name": function, "clip": 0.4} for name, function in USUAL.items()}
OF_CELLS: dict[str, tuple[str, dict[str, Any], bool]] = {
    "numbers": ("lstm", {"activation": NUMBERS[0], "recurrent_activation": NUMBERS[1]}, True),
    "output": ("peephole", {"output_activation": {"name": "affine", "alpha": 0.5, "beta": 0.1}}, True),
    "coupled": ("lstm", {"forget_gate": "coupled", "use_bias": False}, True),
    "coupled peepholes": ("peephole", {"forget_gate": "coupled"}, True),
    "limit": ("gru", LIMITED, True),
    "limit, reset before": ("gru", {"reset_after": False, **LIMITED}, True),
    "limit of an RNN": ("simple_rnn", {"activation": LIMITED["activation"]}, True),
    "limit of gates": ("lstm", {"output_activation": "tanh", **LIMITED}, True),
    "limit of peepholes": ("peephole", {"output_activation": "softsign", **LIMITED}, True),
    "limit of the state, too": ("lstm", LIMITED, False),
    "limit of one": ("gru", {"activation": LIMITED["activation"]}, False),
}


@pytest.mark.parametrize("case", OF_CELLS)
def test_options_of_cells(case: str) -> None:
    rng = np.random.default_rng(len(case))
    name, options, native = OF_CELLS[case]
    layer = drawn(seqkit.create(name, 5, return_sequences=True, **options).build(3, seed=0), rng)
    assert error(layer, rng) <= TOLERANCE["float32"]
    assert ("Scan" in operators(layer)) == (not native)


@pytest.mark.parametrize("merge_mode", ["concat", "sum", "mul", "ave", None])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("second", ["gru", "lstm", "same", "zoneout", "learned"])
def test_bidirectional(merge_mode: str | None, sequences: bool, second: str) -> None:
    rng = np.random.default_rng([sequences, *second.encode()])
    options = {"return_sequences": sequences}
    backward = {
        "lstm": lambda: seqkit.LSTM(6, activation="softsign", **options),
        "same": lambda: None,
        "zoneout": lambda: seqkit.GRU(6, zoneout=0.1, **options),
        "learned": lambda: seqkit.GRU(6, initial_state="learned", **options),
        "gru": lambda: seqkit.GRU(6, reset_after=False, **options),
    }[second]()
    layer = seqkit.Bidirectional(seqkit.GRU(6, activation="elu", **options), merge_mode, backward).build(3, seed=0)
    assert error(drawn(layer, rng), rng) <= TOLERANCE["float32"]
    nodes = operators(layer)
    assert (nodes.count("GRU"), nodes.count("LSTM"), nodes.count("Scan")) == {
        **{"lstm": (1, 1, 0), "same": (1, 0, 0), "zoneout": (1, 0, 1)},
        **{"learned": (2, 0, 0), "gru": (2, 0, 0)},
    }[second]


def test_bidirectional_of_two_kinds_of_functions_is_one_node() -> None:
    rng = np.random.default_rng(0)
    ways = [seqkit.LSTM(6, activation=name, return_sequences=True) for name in ("elu", "hard_sigmoid")]
    layer = drawn(seqkit.Bidirectional(ways[0], backward_layer=ways[1]).build(3, seed=0), rng)
    assert error(layer, rng) <= TOLERANCE["float32"]
    assert operators(layer).count("LSTM") == 1


STEEP = ("NothingInTheLanes", "NothingPastTheEnd")  # quotients by small numbers, which single precision rounds


@pytest.mark.parametrize("name", [*ZOO, *SIZED, *RAW])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_equations(name: str, dtype: str) -> None:
    """Cells with stages, reductions, heads, sizes, raw inputs, delays, kinks."""
    rng = np.random.default_rng([*name.encode()])
    layer = layer_of_equations(name, dtype, go_backwards=dtype == "float64")
    assert error(layer, rng) <= TOLERANCE[dtype] * (10 if name in STEEP else 1)


@pytest.mark.parametrize("seed", range(40))
def test_random_equations(seed: int) -> None:
    rng = np.random.default_rng(seed)
    options = {"zoneout": 0.2 * (seed % 3 == 0), "go_backwards": seed % 2 == 1, "return_sequences": seed % 5 != 4}
    layer = seqkit.Recurrent(RandomCell, 12, seed=seed, kinks=seed % 2 == 0, groups=(1, 3, 4)[seed % 3], **options)
    layer.build(4, seed=seed, dtype="float64")  # in float32 a kink may be on the other side
    assert error(layer, rng) <= 1e-10


@pytest.mark.parametrize("seed", range(110))
def test_random_model(seed: int) -> None:
    rng = np.random.default_rng(seed)
    assert error(drawn(random_model(seed), rng, 0.2), rng) <= TOLERANCE["float32"]


def test_vectors() -> None:
    rng = np.random.default_rng(0)
    model = seqkit.Sequential([seqkit.Dense(5, activation="relu", input_shape=(3,)), seqkit.Dense(2)], seed=0)
    x = rng.normal(size=(4, 3)).astype(np.float32)
    assert far(in_onnx_runtime(model, {"x": x}), {"y": model.predict(x)}) <= TOLERANCE["float32"]


@pytest.mark.parametrize("opset", IR_VERSIONS)
def test_opsets(opset: int) -> None:
    rng = np.random.default_rng(opset)
    bidirectional = seqkit.Bidirectional(seqkit.LSTM(4, go_backwards=False, return_sequences=True))
    cells = [ZOO["LayerNorm"], RandomCell]
    recurrent = [seqkit.Recurrent(cell, 6, return_sequences=True, go_backwards=True) for cell in cells]
    loops = seqkit.Recurrent(RandomCell, 6, seed=30, kinks=True, groups=3, return_sequences=True)
    layers = [seqkit.Embedding(5, 3), bidirectional, *recurrent, loops, seqkit.LastStep(), seqkit.Dense(2)]
    model = drawn(seqkit.Sequential(layers, seed=0), rng, 0.1)
    assert error(model, rng, opset=opset) <= TOLERANCE["float32"]
    assert {"LSTM", "Scan", "ReduceSum", "Split", "GatherElements"} <= {*operators(model, opset=opset)}


def test_streams() -> None:
    """A sequence in pieces, each from the final states of the one before, as a stateful layer does it."""
    rng = np.random.default_rng(2)
    layers = [seqkit.LSTM(5, return_sequences=True, stateful=True), seqkit.GRU(4, zoneout=0.1, stateful=True)]
    model = drawn(seqkit.Sequential(layers, seed=0).build(3, seed=0), rng)
    x = rng.normal(size=(2, 6, 3)).astype(np.float32)
    sizes = {"0_h": 5, "0_c": 5, "1_h": 4}
    state = {f"initial_{name}": np.zeros((2, size), np.float32) for name, size in sizes.items()}
    for piece in np.split(x, 3, axis=1):
        found = in_onnx_runtime(model, {"x": piece, **state}, states=True)
        assert far({"y": found["y"]}, {"y": model.predict(piece, batch_size=2)}) <= TOLERANCE["float32"]
        state = {f"initial_{name}": found[f"final_{name}"] for name in sizes}


def test_states_of_sequences_without_steps() -> None:
    """They are those that were given, and the output is 0."""
    rng = np.random.default_rng(3)
    layer = drawn(seqkit.LSTM(4).build(3, seed=0), rng)
    found, wanted = with_states(layer, drawn_input(layer, rng), rng)
    empty = list(LENGTHS).index(0)
    assert not found["y"][empty].any()
    assert found["final_c"][empty].all()
    assert far(found, wanted) <= TOLERANCE["float32"]


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("seed", range(24))
def test_from_pytorch_through_seqkit_to_onnx_runtime(seed: int) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    torch.manual_seed(seed)
    draw = random.Random(seed)
    name = draw.choice(["LSTM", "GRU", "RNN"])
    options: dict[str, Any] = {"num_layers": draw.randint(1, 3), "bidirectional": draw.random() < 0.5}
    options |= {"RNN": {"nonlinearity": "relu"}, "LSTM": {"proj_size": draw.choice([0, 3])}}.get(name, {})
    network = getattr(torch.nn, name)(4, draw.randint(4, 8), bias=draw.random() < 0.8, batch_first=True, **options)
    x = np.random.default_rng(seed).normal(size=(3, 7, 4)).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(x))[0].numpy()
    assert far(in_onnx_runtime(from_torch(network), {"x": x}), {"y": expected}) <= TOLERANCE["float32"]


SEQUENCES = {"return_sequences": True}
MASKED: dict[str, Callable[[], seqkit.Masked]] = {
    "two": lambda: seqkit.Masked([seqkit.GRU(4, **SEQUENCES), seqkit.Dense(3), seqkit.LSTM(5, **SEQUENCES)], 0.5),
    "backwards": lambda: seqkit.Masked([seqkit.GRU(4, go_backwards=True, **SEQUENCES)], 0.5),
    "both": lambda: seqkit.Masked([seqkit.Bidirectional(seqkit.LSTM(4, **SEQUENCES)), seqkit.GRU(4)], 0.5),
    "mean": lambda: seqkit.Masked([seqkit.Bidirectional(seqkit.GRU(4, **SEQUENCES), "ave")], 0.5),
    "ids": lambda: seqkit.Masked([seqkit.Embedding(5, 4), seqkit.LSTM(4, zoneout=0.1)]),
    "no layer": lambda: seqkit.Masked([], 0.5),
}


@pytest.mark.parametrize("states", [False, True])
@pytest.mark.parametrize("name", MASKED)
def test_masked(name: str, states: bool) -> None:
    """Padding on the left, on the right, inside; sequences of nothing else."""
    rng = np.random.default_rng([*name.encode()])
    layer = MASKED[name]()
    drawn(layer.build(1 if layer.accepts_ids else 2, seed=0), rng)
    kept = rng.random((len(LENGTHS), LENGTHS.max())) < 0.5
    kept[3] = False
    if layer.accepts_ids:
        x, past = np.where(kept, rng.integers(1, 5, kept.shape), 0), 10**6
    else:
        x, past = np.where(kept[..., None], rng.normal(size=(*kept.shape, 2)), 0.5).astype(np.float32), np.nan
        x[0, 0, 0] = 0.5  # one feature alone masks nothing
    x[np.arange(kept.shape[1]) >= LENGTHS[:, None]] = past
    names = {f"{n}_{key}": size for n, one in enumerate(layer.layers) for key, size in state_names(one).items()}
    state = tuple(rng.normal(0, 0.5, (len(x), size)).astype(np.float32) for size in names.values()) if states else None
    y, cache = layer.forward(x, LENGTHS, state, training=False)
    wanted, feeds = {"y": y}, {"x": x, "lengths": LENGTHS}
    if state is not None:
        wanted |= {f"final_{key}": array for key, array in zip(names, cache.state, strict=True)}
        feeds |= {f"initial_{key}": array for key, array in zip(names, state, strict=True)}
    assert far(in_onnx_runtime(layer, feeds, states=states), wanted) <= TOLERANCE["float32"]


def test_graphs() -> None:
    nodes = {
        "h": seqkit.LSTM(4, **SEQUENCES),
        "sum": (seqkit.Add(), "h", "x", "h"),
        "mean": (seqkit.Average(), "sum", "h"),
        "both": seqkit.Branch([seqkit.Dense(3), seqkit.Bidirectional(seqkit.GRU(2, **SEQUENCES))]),
        "y": (seqkit.Concatenate(), "both", "mean"),
    }
    rng = np.random.default_rng(6)
    model = seqkit.Sequential([seqkit.Graph(nodes), seqkit.Branch([seqkit.GRU(3), seqkit.LSTM(3)], "mul")], seed=0)
    drawn(model.build(4), rng)
    assert error(model, rng) <= TOLERANCE["float32"]


def test_masked_layers_start_from_zeros() -> None:
    layer = seqkit.Masked([seqkit.GRU(4, initial_state="learned")]).build(2, seed=0)
    with pytest.raises(ConvertError, match="gru starts from a learned state"):
        export(layer)


def test_sequences_made_of_vectors() -> None:
    rng = np.random.default_rng(4)
    decoder = [seqkit.RepeatVector(3), seqkit.LSTM(5, **SEQUENCES), seqkit.Activation("softmax")]
    model = drawn(seqkit.Sequential([seqkit.GRU(4), *decoder, seqkit.GRU(2, zoneout=0.2)]).build(3, seed=0), rng)
    assert error(model, rng) <= TOLERANCE["float32"]
    decoder = [seqkit.RepeatVector(3), seqkit.LSTM(5, go_backwards=True, **SEQUENCES)]
    model = drawn(seqkit.Sequential([seqkit.Dense(4), *decoder]).build(3, seed=0), rng)
    x = rng.normal(size=(4, 3)).astype(np.float32)
    assert far(in_onnx_runtime(model, {"x": x}), {"y": model.predict(x)}) <= TOLERANCE["float32"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", activations.ACTIVATIONS)
def test_activations_of_feed_forward_layers(activation: str, dtype: str) -> None:
    if (activation, dtype) == ("exact_gelu", "float64"):
        pytest.skip("ONNX Runtime has no Erf of float64")
    rng = np.random.default_rng(1)
    choices = [activation]
    if activation in getattr(activations, "PARAMETRIC", ()):
        choices.append({"name": activation, "alpha": 0.7})  # type: ignore[arg-type]
    for choice in choices:
        model = seqkit.Sequential([seqkit.GRU(5, return_sequences=True), seqkit.Dense(6, choice)], dtype=dtype).build(
            3, seed=0
        )
        assert error(drawn(model, rng, 1.0), rng) <= TOLERANCE[dtype]


def test_prelu() -> None:
    rng = np.random.default_rng(2)
    model = seqkit.Sequential([seqkit.Dense(5), seqkit.create("prelu"), seqkit.GRU(4)]).build(3, seed=0)
    assert error(drawn(model, rng, 0.3), rng) <= TOLERANCE["float32"]
