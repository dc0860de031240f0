"""seqkit.Graph, Branch and the layers that merge: against the same layers run by hand, and finite differences."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit.errors import ConfigError, NonFiniteError, ShapeError
from seqkit.layer import final_state
from seqkit.registry import from_spec, spec
from seqkit.testing.data import fill
from seqkit.training.memory import Load, planned

LENGTHS = np.array([4, 6, 1, 3])


def gru(units: int = 3, **options: Any) -> seqkit.Layer:
    return seqkit.GRU(units, **{"return_sequences": True, **options})


def diamond() -> seqkit.Graph:
    """Two layers on one, merged, beside the input; written in no special order."""
    nodes = {
        "both": (seqkit.Concatenate(), "left", "right", "x"),
        "y": seqkit.Dense(2),
        "h": (gru(4), "x"),
        "left": (seqkit.LSTM(3, return_sequences=True), "h"),
        "right": (seqkit.Multiply(), "h", "h"),
    }
    return seqkit.Graph(nodes, output="y")


def two_inputs() -> seqkit.Graph:
    """Sequences of ids and of numbers, of lengths of their own, and a gate of one by the other."""
    nodes = {
        "vectors": (seqkit.Embedding(7, 3), "ids"),
        "a": seqkit.LSTM(5),
        "b": (seqkit.Bidirectional(seqkit.GRU(5), "sum"), "x"),
        "gated": (seqkit.Multiply(), "a", "b"),
        "sum": (seqkit.Add(), "gated", "a", "b"),
        "y": seqkit.Dense(2, activation="tanh"),
    }
    return seqkit.Graph(nodes, inputs=("ids", "x"))


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def built(layer: Any, *sizes: int, dtype: str = "float64") -> Any:
    return fill(layer.build(sizes if len(sizes) > 1 else sizes[0], seed=1, dtype=dtype))


def test_it_is_what_its_layers_are_by_hand() -> None:
    graph, x, dy = built(diamond(), 3), numbers(4, 6, 3), numbers(4, 6, 2, seed=1)
    layers = graph.named
    y, cache = graph.forward(x, LENGTHS)
    graph.backward(dy, cache)
    found = {name: grad.copy() for name, grad in graph.grads.items()}
    graph.zero_grads()

    h, one = layers["h"].forward(x, LENGTHS)
    left, two = layers["left"].forward(h, LENGTHS)
    inside = (np.arange(6) < LENGTHS[:, None])[..., None]
    both = np.concatenate([left, h * h, np.where(inside, x, 0)], axis=2)
    expected, three = layers["y"].forward(both, LENGTHS)
    dboth, _ = layers["y"].backward(dy, three)
    dleft, _ = layers["left"].backward(np.ascontiguousarray(dboth[..., :3]), two)
    dx, _ = layers["h"].backward(dleft + 2 * h * dboth[..., 3:7], one)
    assert np.array_equal(y, expected)
    for name, grad in graph.grads.items():
        np.testing.assert_allclose(found[name], grad, rtol=1e-12, atol=1e-14)
    given, _ = graph.backward(dy, graph.forward(x, LENGTHS)[1])
    np.testing.assert_allclose(given, dx + np.where(inside, dboth[..., 7:], 0), rtol=1e-12)


def test_gradients_with_two_inputs_are_differences() -> None:
    """Of lengths that have nothing to do with each other."""
    graph = built(two_inputs(), 1, 3)
    ids, x, dy = np.random.default_rng(2).integers(0, 7, (4, 5)), numbers(4, 6, 3), numbers(4, 2, seed=1)
    lengths = np.array([5, 2, 0, 3]), LENGTHS

    def loss() -> float:
        return float((graph.forward((ids, x), lengths, training=False)[0] * dy).sum())

    (none, dx), _ = graph.backward(dy, graph.forward((ids, x), lengths)[1])
    assert none is None
    step, rng = 1e-6, np.random.default_rng(3)
    for name, value in graph.params.items():
        start, way = value.copy(), rng.normal(size=value.shape)
        ends = []
        for sign in (1, -1):
            graph.params[name] = start + sign * step * way
            ends.append(loss())
        graph.params[name] = start
        assert (ends[0] - ends[1]) / (2 * step) == pytest.approx((graph.grads[name] * way).sum(), rel=1e-6, abs=1e-8)
    way, start = numbers(4, 6, 3, seed=5), x.copy()
    x += step * way
    up = loss()
    x[:] = start - step * way
    assert (up - loss()) / (2 * step) == pytest.approx((dx * way).sum(), rel=1e-6)
    assert not dx[np.arange(6) >= LENGTHS[:, None]].any()


@pytest.mark.parametrize(
    ("layer", "merged", "gradient"),
    [
        (seqkit.Add(), lambda a, b, c: a + b + c, lambda dy, a, b, c: dy),
        (seqkit.Average(), lambda a, b, c: (a + b + c) / 3, lambda dy, a, b, c: dy / 3),
        (seqkit.Multiply(), lambda a, b, c: a * b * c, lambda dy, a, b, c: dy * a * c),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_merging(layer: Any, merged: Any, gradient: Any) -> None:
    x = tuple(numbers(4, 6, 2, seed=seed) for seed in range(3))
    hidden = tuple(np.where((np.arange(6) < LENGTHS[:, None])[..., None], one, np.nan) for one in x)
    dy = numbers(4, 6, 2, seed=9)
    y, cache = layer.build((2, 2, 2), dtype="float64").forward(hidden, (LENGTHS, LENGTHS, LENGTHS))
    parts, _ = layer.backward(dy, cache)
    inside = (np.arange(6) < LENGTHS[:, None])[..., None]
    np.testing.assert_allclose(y, np.where(inside, merged(*x), 0), rtol=1e-13)
    np.testing.assert_allclose(parts[1], np.where(inside, gradient(dy, *x), 0), rtol=1e-13)


def test_concatenating_inputs_of_several_sizes() -> None:
    layer = built(seqkit.Concatenate(), 2, 1, 3)
    x = numbers(4, 2), numbers(4, 1, seed=1), numbers(4, 3, seed=2)
    dy = numbers(4, 6)
    y, cache = layer.forward(x)
    parts, _ = layer.backward(dy, cache)
    assert np.array_equal(y, np.concatenate(x, axis=1))
    assert [part.tolist() for part in parts] == [dy[:, :2].tolist(), dy[:, 2:3].tolist(), dy[:, 3:].tolist()]


def test_merging_what_does_not_fit() -> None:
    with pytest.raises(ConfigError, match=r"add: all inputs must have the same number of features, got \(2, 3\)"):
        seqkit.Add().build((2, 3))
    with pytest.raises(ShapeError, match="add: input 2 has shape"):
        seqkit.Add()((numbers(2, 4, 3), numbers(2, 3)))
    with pytest.raises(ShapeError, match="add: input 2 has other lengths than input 1"):
        seqkit.Add()((numbers(2, 4, 3), numbers(2, 4, 3)), ([1, 2], None))


def test_what_comes_out_are_sequences_where_all_on_the_way_give_them() -> None:
    assert diamond().returns_sequences
    assert not two_inputs().returns_sequences
    assert not seqkit.Graph({"h": gru(), "last": seqkit.LSTM(2), "y": seqkit.Dense(1)}).returns_sequences
    beside = {"last": seqkit.LSTM(3), "again": seqkit.RepeatVector(6), "h": (gru(), "x")}
    graph = built(seqkit.Graph(beside | {"y": (seqkit.Add(), "h", "again")}), 3)
    assert graph.returns_sequences  # the first one that is read says so
    assert graph.output_lengths(LENGTHS) is LENGTHS


def test_a_state_is_carried_and_its_gradient_comes_back() -> None:
    """Two halves are the whole, and the initial state of a layer inside has its gradient."""
    graph, x = built(diamond(), 3), numbers(4, 6, 3)
    whole, end = graph(x, return_state=True)
    first, state = graph(x[:, :2], return_state=True)
    second, last = graph(x[:, 2:], state=state, return_state=True)
    assert np.array_equal(np.concatenate([first, second], axis=1), whole)
    assert len(end) == 3
    assert all(np.array_equal(a, b) for a, b in zip(end, last, strict=True))
    dstate = tuple(numbers(*array.shape, seed=8) for array in state)
    _, cache = graph.forward(x, LENGTHS, state)
    _, dinitial = graph.backward(numbers(4, 6, 2), cache, dstate)
    loss = [
        (graph.forward(x, LENGTHS, (state[0] + d, *state[1:]))[0] * numbers(4, 6, 2)).sum()
        + sum(
            (a * b).sum()
            for a, b in zip(final_state(graph.forward(x, LENGTHS, (state[0] + d, *state[1:]))[1]), dstate, strict=True)
        )
        for d in (1e-6, -1e-6)
    ]
    assert (loss[0] - loss[1]) / 2e-6 == pytest.approx(dinitial[0].sum(), rel=1e-6)


def partly_stateful() -> seqkit.Sequential:
    """A graph in a graph, of which some layers carry their state and some do not."""
    inner = seqkit.Graph({"a": gru(3, stateful=True), "b": gru(4)})
    model = seqkit.Sequential([seqkit.Graph({"g": inner, "c": gru(2, stateful=True)}), seqkit.Dense(1)], seed=0)
    model.compile("adam", "mse")
    return model


def test_carried_states_of_graphs_in_graphs_come_back(tmp_path: Path) -> None:
    """After a batch that failed, and from a checkpoint."""
    x = numbers(8, 5, 3).astype(np.float32)
    fit = {"batch_size": 2, "shuffle": False, "verbose": 0}
    whole, half, rest = partly_stateful(), partly_stateful(), partly_stateful()
    whole.fit(x, x[:, :, :1], epochs=2, **fit)
    half.fit(x, x[:, :, :1], epochs=1, callbacks=seqkit.Checkpoint(tmp_path), **fit)
    rest.fit(x, x[:, :, :1], epochs=2, resume=tmp_path, **fit)
    assert all(np.array_equal(value, rest.params[name]) for name, value in whole.params.items())
    with pytest.raises(ShapeError, match="what is carried is not that of 2 stateful layers"):
        rest.layers[0]._state = whole.layers[0]._state[:1]  # type: ignore[index]
    with pytest.raises(NonFiniteError):
        rest.fit(np.full_like(x, np.nan), x[:, :, :1], **fit)
    assert np.array_equal(rest.predict(x, batch_size=2), whole.predict(x, batch_size=2))


class RunningSum(seqkit.Layer):
    """A layer in NumPy with a state, which nothing but its cache tells."""

    name = "running_sum"

    def forward(self, x: Any, lengths: Any = None, state: Any = None, training: bool = True) -> tuple[np.ndarray, Any]:
        y = x.cumsum(axis=1) + (0 if state is None else state[0][:, None])
        return y, SimpleNamespace(state=(y[:, -1],))

    def backward(self, dy: np.ndarray, cache: Any, dstate: Any = None, input_grad: bool = True) -> tuple[Any, Any]:
        raise NotImplementedError


def test_a_new_graph_takes_a_state() -> None:
    """How many states a layer has is found out, by a run of the first row, where it is not known."""

    def made() -> Any:
        return built(seqkit.Graph({"sum": RunningSum(), "h": gru(), "again": RunningSum(), "y": seqkit.Dense(2)}), 3)

    x = numbers(4, 6, 3)
    whole = made()(x)
    _, state = made()(x[:, :4], return_state=True)
    assert len(state) == 3
    np.testing.assert_allclose(made()(x[:, 4:], state=state), whole[:, 4:], rtol=1e-12)
    np.testing.assert_allclose(made().step(x[:, 4], state)[0], whole[:, 4], rtol=1e-12)


def test_streams_give_what_a_call_gives() -> None:
    graph, x = built(diamond(), 3, dtype="float32"), numbers(4, 6, 3).astype(np.float32)
    streams = graph.streams(4)
    ids = [streams.open() for _ in x]
    y = np.stack([streams.feed(ids, x[:, t]) for t in range(6)], axis=1)
    assert np.array_equal(y, graph(x))


def test_a_state_of_steps_is_one_of_calls() -> None:
    """Also where a layer sums up what it has read, and where something else ran in between."""
    graph, x = built(seqkit.Graph({"h": gru(), "m": seqkit.MeanPool()}), 3), numbers(4, 6, 3)
    _, state = graph.step(x[:, 0])
    _, later = graph(x[:, 1:3], state=state, return_state=True)
    graph(x[:2])
    assert np.array_equal(graph.step(x[:, 3], later)[0], graph(x[:, :4]))


def test_a_graph_in_a_model_learns_and_is_saved(tmp_path: Path) -> None:
    model = seqkit.Sequential([gru(3), seqkit.Graph({"h": gru(4), "s": (seqkit.Add(), "h", "x")}), seqkit.Dense(1)])
    with pytest.raises(ConfigError, match="graph: node 's': add: all inputs must have the same number"):
        model.build(2)
    model = seqkit.Sequential([gru(4, dropout=0.3), diamond(), seqkit.Dense(1)], seed=1)
    model.compile(seqkit.Adam(0.02), "mse")
    x = [numbers(n, 2, seed=n) for n in (5, 3, 8, 2, 7, 4)]
    losses = model.fit(x, [row[:, :1] for row in x], epochs=30, batch_size=3, verbose=0).history["loss"]
    assert losses[-1] < 0.9 * losses[0]
    model.save(tmp_path / "m.safetensors")
    again = seqkit.load(tmp_path / "m.safetensors")
    assert all(np.array_equal(a, b) for a, b in zip(model.predict(x), again.predict(x), strict=True))
    assert again.random_state() == model.random_state()


def test_truncated_training_carries_the_states_inside() -> None:
    """Windows of two steps, one after the other, start from the states that the ones before ended with."""
    x = numbers(3, 6, 2).astype(np.float32)
    losses = []
    for layers in ([seqkit.Graph({"a": gru(3), "b": gru(4), "y": seqkit.Dense(1)})], [gru(3), gru(4), seqkit.Dense(1)]):
        model = seqkit.Sequential(layers, seed=0)
        model.build(2)
        for name, value in model.params.items():
            model.params[name] = np.random.default_rng(value.size).normal(size=value.shape)
        model.compile("sgd", "mse")
        losses.append(model.fit(x, x[..., :1], epochs=3, shuffle=False, tbptt=(2, 2), verbose=0).history["loss"])
    assert losses[0] == losses[1]


def test_a_memory_budget_cuts_the_tapes_inside() -> None:
    model = seqkit.Sequential([seqkit.Graph({"a": seqkit.LSTM(256, return_sequences=True), "b": seqkit.LSTM(4)})])
    model.build(8)
    load = Load(8, 4000)
    free = planned(model, 2**40, load)
    assert [tape.layer.units for tape in free] == [256, 4]
    small = seqkit.Sequential([seqkit.Graph({"a": seqkit.LSTM(4, return_sequences=True), "b": seqkit.LSTM(4)})])
    small.build(8)
    outputs = 4 * 8 * 4000 * (256 - 4)  # float32 numbers that the tapes do not hold
    with pytest.raises(ConfigError) as large:
        planned(model, 1, load)
    with pytest.raises(ConfigError) as little:
        planned(small, 1, load)
    least = [2**20 * int(str(error.value).split("least ")[1].split("MiB")[0]) for error in (large, little)]
    assert least[0] - least[1] > outputs
    assert planned(model, 2 * sum(tape.nbytes for tape in free) // 3, load)[0].steps < free[0].steps


def test_low_precision_reaches_the_layers() -> None:
    graph, x = built(diamond(), 3, dtype="float32"), numbers(4, 6, 3).astype(np.float32)
    low = graph.quantize("int8")
    assert low.precision == "int8"
    assert 0 < np.abs(low(x) - graph(x)).max() < 0.05
    graph.params["y.bias"] = graph.params["y.bias"] + 1
    assert np.array_equal(low.params["y.bias"], graph.params["y.bias"])
    assert low.grads["h.bias"] is not graph.grads["h.bias"]


def test_outputs_of_all_nodes() -> None:
    graph, x = built(diamond(), 3), numbers(4, 6, 3)
    outputs = graph.outputs(x, LENGTHS)
    assert set(outputs) == {"x", "h", "left", "right", "both", "y"}
    assert np.array_equal(outputs["right"], outputs["h"] ** 2)


def test_configuration_comes_back() -> None:
    again = from_spec(spec(two_inputs()))
    assert repr(again) == repr(two_inputs())
    branch = seqkit.Branch([gru(3), seqkit.Dense(3)], merge="mul")
    assert repr(from_spec(spec(branch))) == repr(branch)


@pytest.mark.parametrize("merge", ["concat", "add", "mul", "ave"])
def test_branch(merge: str) -> None:
    layer, x = built(seqkit.Branch([gru(3), seqkit.Dense(3)], merge=merge), 2), numbers(4, 6, 2)
    one, two = (part(x) for part in layer.layers)
    both = {"concat": np.concatenate([one, two], axis=2), "add": one + two, "mul": one * two, "ave": (one + two) / 2}
    np.testing.assert_allclose(layer(x), both[merge], rtol=1e-13)


@pytest.mark.parametrize(
    ("nodes", "options", "message"),
    [
        ({"a": (gru(), "b"), "b": (gru(), "a")}, {}, "a circle: (a -> b -> a|b -> a -> b)"),
        ({"a": (gru(), "X")}, {}, "node 'a' reads 'X', which is neither an input nor a node; there are x, a"),
        ({"left": gru(), "y": (gru(), "lift")}, {}, "did you mean 'left'"),
        ({"a": gru(), "b": (gru(), "x")}, {}, "nothing that leads to the output 'b' reads 'a'"),
        ({"a": gru()}, {"inputs": ("x", "z")}, "reads 'z'"),
        ({"a": gru()}, {"output": "b"}, "output is 'b', which is neither"),
        ({"x": gru()}, {}, "'x' is the name of an input and of a node"),
        ({"a.b": gru()}, {}, "'a.b' is no name"),
        ({"a": "gru"}, {}, "node 'a' is 'gru', expected a layer"),
        ({"a": (gru(), 3)}, {}, "expected a layer, or a tuple"),
        ({}, {}, "there must be an input and a node"),
        ({"e": seqkit.Embedding(3, 2), "y": (seqkit.Add(), "e", "x")}, {}, "input 'x' is read as ids and as numbers"),
        ({"h": gru(), "e": seqkit.Embedding(3, 2)}, {}, "node 'e' takes ids, which node 'h' does not give"),
        ({"a": seqkit.Bidirectional(seqkit.GRU(2), None)}, {}, "gives two outputs; choose a merge_mode"),
    ],
)
def test_wrong_graphs(nodes: Any, options: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        seqkit.Graph(nodes, **options)


def test_a_layer_is_in_one_node() -> None:
    layer = gru()
    with pytest.raises(ConfigError, match="node 'b' has the layer of another node"):
        seqkit.Graph({"a": layer, "b": layer})
    with pytest.raises(ConfigError, match="node 'b' has the layer of another node"):
        seqkit.Graph({"a": layer, "b": seqkit.Residual(layer)})
    with pytest.raises(ConfigError, match="is in the model already"):
        seqkit.Sequential([seqkit.Residual(layer), seqkit.Branch([layer, gru()])])
    with pytest.raises(ConfigError, match="is there twice"):
        seqkit.Masked([layer, layer])


def test_wrong_branches() -> None:
    with pytest.raises(ConfigError, match="at least two layers"):
        seqkit.Branch([gru()])
    with pytest.raises(ConfigError, match="branch: layers must be a sequence of layers"):
        seqkit.Branch(gru())  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="no branch merge named 'max'"):
        seqkit.Branch([gru(), gru()], merge="max")


def test_too_many_inputs_for_a_layer() -> None:
    with pytest.raises(ConfigError, match="graph: node 'y': gru: input_size must hold a size for each of x"):
        seqkit.Graph({"h": gru(), "y": (gru(), "h", "x")}).build(3)
    with pytest.raises(ShapeError, match=r"graph: state must hold 3 arrays, those of all layers; got 1\."):
        built(diamond(), 3)(numbers(4, 6, 3), state=(numbers(4, 4),))
