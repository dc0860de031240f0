"""Summaries against numbers that are known beforehand: half-lives, saturation, dead units, what units follow."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

import seqkit
from seqkit import explain
from seqkit.equations import sigmoid, tanh
from seqkit.errors import ConfigError
from seqkit.explain import half_life, retention, summary, tape
from seqkit.explain.following import correlations

RNG = np.random.default_rng(0)


def clocks(biases: dict[str, list[float]], **options: Any) -> seqkit.LSTM:
    """An LSTM whose gates have these biases, and weights of 0 but for the input of g."""
    layer = seqkit.LSTM(len(biases["f"]), return_sequences=True, **options).build(2, seed=0, dtype="float64")
    units = layer.units
    weight = np.zeros((4, units, 2))
    weight[2, :, 0] = 0.5  # g reads the first feature
    bias = np.array([biases.get(gate, [0.0] * units) for gate in ("i", "f", "g", "o")])
    layer.params.update(weight_ih=weight.reshape(-1, 2), weight_hh=np.zeros((4 * units, units)), bias=bias.ravel())
    return layer


def logit(share: float) -> float:
    return math.log(share / (1 - share))


def test_half_lives_of_constant_forget_gates() -> None:
    """f = 2^(-1/k) halves a state in k steps."""
    layer = clocks({"f": [logit(2 ** (-1 / k)) for k in (1.5, 10.0, 200.0)]})
    found = summary(layer, RNG.standard_normal((3, 50, 2)), lags=False).layers[0]
    assert_allclose(found.half_life, [1.5, 10.0, 200.0], rtol=1e-9)
    assert (found.memory, found.kept_by) == ("c", "f")
    assert found.ranked().tolist() == [2, 1, 0]


def test_half_life_is_that_of_the_mean_logarithm() -> None:
    factors = RNG.uniform(0.2, 1.0, (40, 3))
    left = factors.prod(axis=0) ** (1 / 40)  # what is left of a state after a step, in the geometric mean
    assert_allclose(half_life(factors), np.log(0.5) / np.log(left))
    assert half_life(np.array([[0.0, 1.0, 1.2], [0.5, 1.0, 1.0]])).tolist() == [0.0, math.inf, math.inf]


def test_zoneout_keeps_a_share_in_any_case() -> None:
    plain, zoned = (clocks({"f": [0.0, 1.0]}, zoneout=share) for share in (0.0, {"c": 0.25}))
    x = RNG.standard_normal((2, 9, 2))
    f = 1 / (1 + np.exp([0.0, -1.0]))
    assert_allclose(summary(plain, x, lags=False).layers[0].half_life, np.log(0.5) / np.log(f))
    kept = 0.25 + 0.75 * f
    assert_allclose(summary(zoned, x, lags=False).layers[0].half_life, np.log(0.5) / np.log(kept))


def test_the_factor_of_a_state_is_read_from_the_equations() -> None:
    class Opposite(seqkit.Cell):
        gates, states = ("f", "n"), ("h",)

        def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
            f = sigmoid(x.f + U.f @ s.h)
            n = tanh(x.n + U.n @ (f * s.h))
            return {"h": f * n + s.h * (1 - f)}

    class Twice(seqkit.Cell):
        """The old state comes in two ways: no single value says what is kept."""

        gates, states = ("f", "n"), ("h",)

        def step(self, x: Any, U: Any, s: Any, p: Any) -> dict[str, Any]:
            f = sigmoid(x.f + U.f @ s.h)
            n = tanh(x.n)
            return {"h": f * s.h + (1 - f) * (n + s.h)}

    found = {cell: retention(seqkit.Recurrent(cell, 3)) for cell in (Opposite, Twice)}
    assert str(found[Opposite]) == "1 - f"
    assert found[Twice] is None
    assert str(retention(seqkit.PeepholeLSTM(3))) == "f"
    assert str(retention(seqkit.LSTM(3, forget_gate="coupled"))) == "f"
    assert retention(seqkit.SimpleRNN(3)) is None
    layer = seqkit.Recurrent(Twice, 3).build(2, seed=0)
    x = RNG.standard_normal((2, 20, 2))
    assert summary(layer, x, lags=False).layers[0].half_life is None
    f = tape(layer, x).steps("0.forward.f")
    told = summary(layer, x, gates="1 - f", lags=False).layers[0]
    assert_allclose(told.half_life, np.log(0.5) / np.log(1 - f).mean(axis=0), rtol=1e-5)
    by_layer = summary(layer, x, gates={"0.forward": "1 - f"}, lags=False).layers[0]
    assert_allclose(by_layer.half_life, told.half_life)
    with pytest.raises(ConfigError, match="no value named 'q'; there are f, n, h"):
        summary(layer, x, gates="q")


def test_saturation_counts_the_steps_at_either_end() -> None:
    layer = clocks({"f": [5.0, 0.0], "i": [-5.0, 0.0], "o": [0.0, 0.0]})
    layer.params["weight_ih"] = np.vstack([np.zeros((4, 2)), np.eye(2), 8 * np.eye(2)])
    x = RNG.standard_normal((4, 30, 2))
    lengths = np.array([30, 12, 1, 7])
    found = summary(layer, x, lengths=lengths, lags=False).layers[0].saturation
    valid = x[np.arange(30) < lengths[:, None]]
    o = 1 / (1 + np.exp(-8.0 * valid))
    assert_allclose(found["o"][0], (o < 0.1).mean(axis=0))
    assert_allclose(found["o"][1], (o > 0.9).mean(axis=0))
    assert [shares.tolist() for shares in found["f"]] == [[0, 0], [1, 0]]
    assert [shares.tolist() for shares in found["i"]] == [[1, 0], [0, 0]]
    assert "g" not in found  # no gate: it has a sign


def test_dead_units_are_found() -> None:
    layer = clocks({"f": [0.0, 0.0, 0.0], "o": [0.0, -9.0, 0.0]})
    found = summary(layer, RNG.standard_normal((2, 40, 2)), lags=False).layers[0]
    assert found.dead.tolist() == [False, True, False]
    assert "3 units, 1 dead" in str(found)
    assert found.to_dict()["dead"] == [1]


def test_what_units_follow() -> None:
    """Units that copy a feature, one of the step before, a sum, and the position."""

    x = RNG.standard_normal((40, 25, 2))
    lengths = RNG.integers(10, 26, 40)
    now = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    before = seqkit.SimpleRNN(3, activation="linear", return_sequences=True).build(2, seed=0, dtype="float64")
    before.params.update(weight_ih=now, weight_hh=np.array([[0, 0, 0], [0, 0, 0], [0, 1.0, 0]]), bias=[0, 0, 0])
    told = summary(before, x, lengths=lengths, features=["load", "speed"], lags=False).layers[0].follows
    assert [str(found[0]) for found in told] == ["load (+1.00)", "speed (+1.00)", "speed (1 step before, +1.00)"]
    both = seqkit.SimpleRNN(2, activation="linear").build(2, seed=0, dtype="float64")
    both.params.update(weight_ih=[[1.0, 0], [0, 0]], weight_hh=[[1.0, 0], [0, 1.0]], bias=[0, 0.1])
    sums = np.array([row[:length, 0].sum() for row, length in zip(x, lengths, strict=True)])
    told = summary(both, x, lengths=lengths, target=sums, lags=False).layers[0].follows
    assert str(told[0][0]) == "target (+1.00)"
    assert str(told[1][0]) == "position (+1.00)"
    back = seqkit.SimpleRNN(1, activation="linear", go_backwards=True).build(2, seed=0, dtype="float64")
    back.params.update(weight_ih=[[1.0, 0]], weight_hh=[[1.0]])
    told = summary(back, x, lengths=lengths, target=sums, lags=False).layers[0].follows
    assert str(told[0][0]) == "target (+1.00)"  # at the step that it reads last


def test_what_follows_ids_and_what_comes_after() -> None:
    ids = RNG.integers(0, 3, (20, 30))
    embedding, layer = seqkit.Embedding(3, 3), seqkit.Bidirectional(seqkit.SimpleRNN(2, activation="linear"))
    model = seqkit.Sequential([embedding, layer], seed=0, dtype="float64").build()
    embedding.params["weight"] = np.eye(3)
    for direction in (layer.forward_layer, layer.backward_layer):
        direction.params.update(weight_ih=[[0, 1.0, 0], [0, 0, 0]], weight_hh=[[0, 0], [1.0, 0]], bias=[0, 0])
    forward, backward = summary(model, ids, features=["a", "b", "c"], lags=False).layers
    assert [str(found[0]) for found in forward.follows] == ["b (+1.00)", "b (1 step before, +1.00)"]
    assert [str(found[0]) for found in backward.follows] == ["b (+1.00)", "b (1 step after, +1.00)"]


def test_correlations_are_those_of_numpy() -> None:
    a, b = RNG.standard_normal((50, 3)), RNG.standard_normal((50, 2)) + 100
    b[:, 0] += a[:, 1]
    assert_allclose(correlations(a, b), np.corrcoef(a.T, b.T)[:3, 3:], atol=1e-12)
    assert not correlations(a, np.ones((50, 1)) * 0.1).any()
    assert not correlations(a[:3], b[:3]).any()  # three points are no evidence


def test_of_many_outputs_the_largest_have_their_gradients() -> None:
    model = seqkit.Sequential([seqkit.GRU(5), seqkit.Dense(40)], seed=0).build(3)
    x = RNG.standard_normal((4, 9, 3))
    largest = np.argsort(model.predict(x).mean(axis=0))[-16:]
    expected = explain.gradient_by_lag(model, x, targets=largest)
    found = summary(model, x).lags
    assert found.outputs == 16
    assert_allclose(found.norm, expected.norm, rtol=1e-5)
    both = explain.gradient_by_lag(model, x[:1], targets=[3, 4]).norm ** 2
    each = [explain.gradient_by_lag(model, x[:1], targets=[k]).norm ** 2 for k in (3, 4)]
    assert_allclose(both, sum(each), rtol=1e-5)


def test_the_whole_as_text_and_json() -> None:
    model = seqkit.Sequential([seqkit.Bidirectional(seqkit.LSTM(10)), seqkit.Dense(2)], seed=0).build(3)
    found = summary(model, [RNG.standard_normal((n, 3)) for n in (12, 5, 1)])
    text = str(found)
    assert text.count("10 units") == 2
    assert "and 2 more units" in text
    assert "gradient of 2 outputs by lag: half of it within" in text
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert [layer["layer"] for layer in document["layers"]] == ["0.forward", "0.backward"]
    assert_allclose(document["layers"][1]["half_life"], found.layers[1].half_life)
    assert len(document["gradient_by_lag"]["norm"]) == 12
    assert document["gradient_by_lag"]["count"] == [3] + [2] * 4 + [1] * 7
