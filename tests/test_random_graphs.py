"""Graphs of random layers in random order: gradients, padding, neighbours, states, streams, files.

What one layer does is tested where it is; here is what they do to each other.
"""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqkit

B, T = 4, 6


def _layer(rng: np.random.Generator, features: int, depth: int) -> seqkit.Layer:
    """A layer that gives a step for each step; inside another one it is small."""
    units = int(rng.integers(1, 5))
    kinds = [
        lambda: seqkit.GRU(units, return_sequences=True),
        lambda: seqkit.LSTM(units, return_sequences=True, go_backwards=bool(rng.integers(2))),
        lambda: seqkit.Dense(units, activation="tanh"),
        lambda: seqkit.Conv1D(units, 2, padding=str(rng.choice(["same", "causal"])), dilation_rate=2),
        lambda: seqkit.TimeDistributed(seqkit.Dense(units, activation="sigmoid")),
        lambda: seqkit.Bidirectional(seqkit.GRU(units, return_sequences=True), "mul"),
        lambda: seqkit.MultiHeadAttention(2, units, causal=bool(rng.integers(2))),
        lambda: seqkit.Residual(seqkit.GRU(features, return_sequences=True)),
        lambda: seqkit.Residual(_graph(rng, features, seqkit.Dense(features), depth + 1)),
        lambda: seqkit.Branch([_layer(rng, features, depth + 1), _layer(rng, features, depth + 1)]),
        lambda: seqkit.Masked([seqkit.LSTM(units, return_sequences=True), seqkit.Dense(units, activation="tanh")]),
    ]
    return kinds[rng.integers(len(kinds) if depth < 2 else 6)]()


def _graph(
    rng: np.random.Generator, features: int, end: seqkit.Layer, depth: int = 0, inputs: Any = ("x",)
) -> seqkit.Graph:
    """Up to four nodes, some of which read two; what nobody reads is joined."""
    sizes: dict[str, int] = dict.fromkeys(inputs, features)
    nodes: dict[str, Any] = {}
    unread = list(inputs)
    for number in range(rng.integers(1, 5)):
        name, source, other = f"n{number}", str(rng.choice(unread)), str(rng.choice(list(sizes)))
        if other != source and rng.random() < 0.4:
            layer: seqkit.Layer = seqkit.AdditiveAttention(3) if rng.random() < 0.5 else seqkit.Concatenate()
            sizes[name] = copy.deepcopy(layer).build((sizes[source], sizes[other])).output_size
            nodes[name], read = (layer, source, other), {source, other}
        else:
            layer = _layer(rng, sizes[source], depth)
            sizes[name] = copy.deepcopy(layer).build(sizes[source]).output_size
            nodes[name], read = (layer, source), {source}
        unread = [other for other in unread if other not in read] + [name]
    if len(unread) > 1:
        nodes["joined"] = (seqkit.Concatenate(), *unread)
    return seqkit.Graph(nodes | {"end": end}, inputs=inputs)


class Case:
    """A graph with random inputs, lengths and gradient of the output."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        features = int(rng.integers(1, 4))
        inputs = ("x", "z") if rng.random() < 0.4 else ("x",)
        around = seqkit.Residual(seqkit.LayerNorm())
        end = rng.choice(
            [around, seqkit.Dense(2), seqkit.MeanPool(), seqkit.MaxPool(), seqkit.LastStep(), seqkit.GRU(2)]
        )
        self.graph = _graph(rng, features, end, inputs=inputs)
        self.graph.build((features,) * len(inputs) if len(inputs) > 1 else features, seed, "float64")
        self.x = [rng.normal(size=(B, T, features)) for _ in inputs]
        self.ends = rng.integers(0, T + 1, B) if rng.random() < 0.7 else None
        self.rng = rng

    def given(self, arrays: list[np.ndarray], ends: Any = None) -> tuple[Any, Any]:
        """What the graph takes: arrays and lengths, as tuples where there are several."""
        return (tuple(arrays), (ends,) * len(arrays)) if len(arrays) > 1 else (arrays[0], ends)

    def y(self, arrays: list[np.ndarray] | None = None, graph: Any = None) -> np.ndarray:
        return (graph or self.graph).forward(*self.given(arrays or self.x, self.ends), training=False)[0]

    def backward(self, arrays: list[np.ndarray], dy: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """The output and all gradients."""
        self.graph.zero_grads()
        y, cache = self.graph.forward(*self.given(arrays, self.ends))
        dx, _ = self.graph.backward(dy, cache)
        return y, [*(dx if isinstance(dx, tuple) else (dx,)), *(grad.copy() for grad in self.graph.grads.values())]

    def outside(self, arrays: list[np.ndarray], value: float) -> list[np.ndarray]:
        """The same with other padding."""
        past = np.arange(T) >= (np.full(B, T) if self.ends is None else self.ends)[:, None]
        return [np.where(past[:, :, None], value, array) for array in arrays]


SEEDS = pytest.mark.parametrize("seed", range(24))


@SEEDS
def test_gradients_are_differences_whatever_the_padding_holds(seed: int) -> None:
    case = Case(seed)
    dy = case.rng.normal(size=case.y().shape)
    y, grads = case.backward(case.x, dy)
    ways = case.outside([case.rng.normal(size=array.shape) for array in case.x], 0.0)
    params = {name: value.copy() for name, value in case.graph.params.items()}
    turns = [case.rng.normal(size=value.shape) for value in params.values()]
    losses = []
    for step in (1e-6, -1e-6):
        for (name, value), turn in zip(params.items(), turns, strict=True):
            case.graph.params[name] = value + step * turn
        losses.append((case.y([array + step * way for array, way in zip(case.x, ways, strict=True)]) * dy).sum())
    for name, value in params.items():
        case.graph.params[name] = value
    slope = sum((grad * way).sum() for grad, way in zip(grads, [*ways, *turns], strict=True))
    assert (losses[0] - losses[1]) / 2e-6 == pytest.approx(slope, rel=2e-5, abs=2e-6)
    with np.errstate(all="raise"):
        past = case.outside([dy], np.nan)[0] if dy.ndim == 3 else dy
        again, others = case.backward(case.outside(case.x, np.nan), past)
    assert np.array_equal(again, y)
    dx = grads[: len(case.x)]
    assert all(np.array_equal(one, other) for one, other in zip(dx, case.outside(dx, 0.0), strict=True))
    assert all(np.array_equal(one, other) for one, other in zip(grads, others, strict=True))


@SEEDS
def test_a_sequence_alone_and_step_by_step(seed: int) -> None:
    case = Case(seed)
    y = case.y()
    for row, length in enumerate(np.full(B, T) if case.ends is None else case.ends):
        alone = case.graph.forward(*case.given([array[row : row + 1, :length] for array in case.x]), training=False)[0]
        assert np.array_equal(alone[0], y[row, :length] if y.ndim == 3 else y[row])
    if case.graph.reads_backwards:
        return
    case.ends, state = None, None
    for t in range(T):
        y_t, state = case.graph.step(case.given([array[:, t] for array in case.x])[0], state)
        whole = case.graph.forward(*case.given([array[:, : t + 1] for array in case.x]), training=False)[0]
        assert np.array_equal(y_t, whole[:, -1] if whole.ndim == 3 else whole)


@SEEDS
def test_files_and_copies(seed: int, tmp_path: Path) -> None:
    case = Case(seed)
    seqkit.Sequential([case.graph], dtype="float64").save(tmp_path / "m.safetensors")
    loaded = seqkit.load(tmp_path / "m.safetensors").layers[0]
    for other in (loaded, copy.deepcopy(case.graph), pickle.loads(pickle.dumps(case.graph))):
        assert np.array_equal(case.y(graph=other), case.y())
