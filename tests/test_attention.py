"""Attention: each sequence against its formula, PyTorch, central differences of both inputs, and what must not matter.

Legend: B batch, Q steps of the query, M steps of the memory, H heads, K features of a head.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit.errors import ConfigError, ShapeError

Parameters = dict[str, np.ndarray]
QUERIES, MEMORIES = np.array([3, 5, 0, 2, 1]), np.array([6, 1, 4, 0, 7])
ENDS = (QUERIES, MEMORIES)


def softmax(scores: np.ndarray, causal: bool) -> np.ndarray:
    if causal:
        scores = np.where(np.tri(*scores.shape[-2:], dtype=bool), scores, -np.inf)
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def dot(q: np.ndarray, m: np.ndarray, p: Parameters, causal: bool, factor: float = 1.0) -> np.ndarray:
    return softmax(factor * q @ m.T, causal) @ m


def scaled(q: np.ndarray, m: np.ndarray, p: Parameters, causal: bool) -> np.ndarray:
    return dot(q, m, p, causal, 1 / np.sqrt(4))


def trained(q: np.ndarray, m: np.ndarray, p: Parameters, causal: bool) -> np.ndarray:
    return dot(q, m, p, causal, p["scale"][0])


def additive(q: np.ndarray, m: np.ndarray, p: Parameters, causal: bool) -> np.ndarray:
    hidden = np.tanh((q @ p["weight_query"].T)[:, None] + m @ p["weight_memory"].T + p["bias"])
    return softmax(hidden @ p["v"][0], causal) @ m


def several_heads(q: np.ndarray, m: np.ndarray, p: Parameters, causal: bool) -> np.ndarray:
    """By the loop over the heads of the paper."""
    read = []
    for h in range(2):
        rows = slice(3 * h, 3 * h + 3)
        one, two, three = (
            x @ p[f"weight_{name}"][rows].T + p.get(f"bias_{name}", np.zeros(6))[rows]
            for name, x in (("query", q), ("key", m), ("value", m))
        )
        read.append(softmax(one @ two.T / np.sqrt(3), causal) @ three)
    return np.concatenate(read, axis=1) @ p["weight_output"].T + p.get("bias_output", 0.0)


CASES: dict[str, tuple[Callable[..., Any], Callable[..., np.ndarray], tuple[int, int]]] = {
    "dot": (lambda **o: seqkit.Attention(**o), dot, (4, 4)),
    "scaled": (lambda **o: seqkit.Attention("sqrt", **o), scaled, (4, 4)),
    "trained": (lambda **o: seqkit.Attention("trained", **o), trained, (4, 4)),
    "additive": (lambda **o: seqkit.AdditiveAttention(5, **o), additive, (4, 3)),
    "heads": (lambda **o: seqkit.MultiHeadAttention(2, 3, **o), several_heads, (4, 5)),
    "heads without biases": (lambda **o: seqkit.MultiHeadAttention(2, 3, use_bias=False, **o), several_heads, (4, 5)),
}
each = pytest.mark.parametrize("name", CASES)


def case(name: str, dtype: str = "float64", **options: Any) -> tuple[Any, tuple[np.ndarray, np.ndarray]]:
    """A layer with random parameters, and a query and a memory with NaN behind their sequences."""
    make, _, sizes = CASES[name]
    rng = np.random.default_rng(len(name))
    layer = make(**options).build(sizes, seed=2, dtype=dtype)
    for key, value in layer.params.items():
        layer.params[key] = value + rng.normal(0, 0.5, value.shape)
    arrays = [rng.standard_normal((5, time, size)).astype(dtype) for time, size in zip((5, 7), sizes, strict=True)]
    for array, ends in zip(arrays, ENDS, strict=True):
        array[np.arange(array.shape[1]) >= ends[:, None]] = np.nan
    return layer, (arrays[0], arrays[1])


@each
@pytest.mark.parametrize("causal", [False, True])
def test_each_sequence_alone(name: str, causal: bool) -> None:
    layer, (query, memory) = case(name, causal=causal)
    params = {key: np.asarray(layer.params[key]) for key in layer.params}
    y, _ = layer.forward((query, memory), ENDS)
    for row, q, m in zip(range(5), QUERIES, MEMORIES, strict=True):
        if m:
            np.testing.assert_allclose(y[row, :q], CASES[name][1](query[row, :q], memory[row, :m], params, causal))
        assert not y[row, q:].any()


@each
def test_an_empty_memory_is_read_as_zeros(name: str) -> None:
    layer, given = case(name)
    y, cache = layer.forward(given, ENDS)
    bias = layer.params["bias_output"] if name == "heads" else np.zeros(layer.output_size)
    np.testing.assert_array_equal(y[3, :2], [bias, bias])
    dquery, dmemory = layer.backward(np.ones_like(y), cache)[0]
    assert not dquery[3].any()
    assert not dmemory[2].any()  # nobody asks
    assert np.isfinite(dmemory).all()


@each
@pytest.mark.parametrize("causal", [False, True])
def test_gradients_of_both_inputs(name: str, causal: bool) -> None:
    layer, given = case(name, causal=causal)
    rng = np.random.default_rng(8)
    y, cache = layer.forward(given, ENDS)
    dy = np.where(np.arange(5)[:, None] < QUERIES[:, None, None], rng.standard_normal(y.shape), np.nan)
    grads = layer.backward(dy, cache)[0]
    for place, (array, grad) in enumerate(zip(given, grads, strict=True)):
        assert not grad[np.isnan(array)].any()
        direction = rng.standard_normal(array.shape)

        def loss(step: float, place: int = place, direction: np.ndarray = direction) -> float:
            moved = tuple(a + step * direction if n == place else a for n, a in enumerate(given))
            return float(np.nansum(dy * layer.forward(moved, ENDS)[0]))

        slope = (8 * (loss(1e-4) - loss(-1e-4)) - (loss(2e-4) - loss(-2e-4))) / 12e-4
        np.testing.assert_allclose((grad * direction).sum(), slope, rtol=1e-9, atol=1e-9)


@each
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bits_of_a_query_do_not_depend_on_others(name: str, dtype: str) -> None:
    """One query, as a decoder asks, all of them, more of the same memory behind its end, other sequences."""
    layer, (query, memory) = case(name, dtype)
    y, _ = layer.forward((query, memory), ENDS, training=False)
    padded = np.concatenate([memory, np.full_like(memory, np.nan)], axis=1)
    for row, ends in enumerate(QUERIES):
        for t in range(ends):
            one, _ = layer.forward((query[[row], t : t + 1], padded[[row]]), (None, MEMORIES[[row]]), training=False)
            assert (one[0, 0] == y[row, t]).all()


@each
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bits_of_causal_attention_do_not_depend_on_what_follows(name: str, dtype: str) -> None:
    make, _, _ = CASES[name]
    layer = make(causal=True).build(4, seed=3, dtype=dtype)
    x = np.random.default_rng(0).standard_normal((2, 40, 4)).astype(dtype)
    y = layer(x)
    for cut in (1, 7, 16, 33):
        assert (layer(x[:, :cut]) == y[:, :cut]).all()


@each
def test_weights(name: str) -> None:
    """They add up to 1 over the memory, and nothing is read past its end."""
    layer, given = case(name)
    weights = layer.weights(given, ENDS)
    asked = (np.arange(5) < QUERIES[:, None]) & (MEMORIES > 0)[:, None]
    np.testing.assert_allclose(weights.sum(axis=-1), np.broadcast_to(asked[:, None], weights.shape[:3]), atol=1e-12)
    outside = np.arange(7) >= MEMORIES[:, None, None, None]
    assert not weights[np.broadcast_to(outside, weights.shape)].any()
    if name == "dot":
        y, _ = layer.forward(given, ENDS)
        np.testing.assert_allclose(np.einsum("bhqm,bmf->bqf", weights, np.nan_to_num(given[1])), y, atol=1e-12)


def test_self_attention_adds_both_gradients() -> None:
    layer = seqkit.MultiHeadAttention(2, 3).build(4, seed=0, dtype="float64")
    x = np.random.default_rng(1).standard_normal((2, 6, 4))
    y, cache = layer.forward(x, np.array([6, 3]))
    both, pair = layer.forward((x, x), (np.array([6, 3]), np.array([6, 3])))
    assert (y == both).all()
    dx, dpair = layer.backward(y, cache)[0], layer.backward(y, pair)[0]
    np.testing.assert_array_equal(dx, dpair[0] + dpair[1])


def test_wrong_inputs() -> None:
    with pytest.raises(ConfigError, match="the same number of features, got 3 and 4; put a Dense before one"):
        seqkit.Attention().build((3, 4))
    layer = seqkit.AdditiveAttention(2).build((3, 4))
    with pytest.raises(ShapeError, match="query has 2 sequences and memory 1, expected as many"):
        layer((np.zeros((2, 3, 3)), np.zeros((1, 3, 4))))
    with pytest.raises(ConfigError, match="attention reads whole sequences"):
        layer.step((np.zeros((2, 3)), np.zeros((2, 4))))
    with pytest.raises(ConfigError, match="no attention scale named 'squareroot'"):
        seqkit.Attention("squareroot")


# ---- PyTorch -------------------------------------------------------------------------------------


def torch_heads(torch: Any, layer: Any, dtype: str) -> Any:
    """PyTorch's layer with the parameters of ours, as the documentation maps them."""
    other = torch.nn.MultiheadAttention(
        8, 2, batch_first=True, add_bias_kv=False, dtype=getattr(torch, dtype), dropout=0.0
    )
    p = layer.params
    idle = np.random.default_rng(9).standard_normal(8).astype(dtype)  # a bias of the keys changes nothing
    arrays = {
        "in_proj_weight": np.concatenate([p[f"weight_{name}"] for name in ("query", "key", "value")]),
        "in_proj_bias": np.concatenate([p["bias_query"], idle, p["bias_value"]]),
    }
    arrays |= {"out_proj.weight": p["weight_output"], "out_proj.bias": p["bias_output"]}
    other.load_state_dict({key: torch.tensor(np.asarray(value)) for key, value in arrays.items()})
    return other


@pytest.mark.peers
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-5)])
@pytest.mark.parametrize("causal", [False, True])
def test_heads_against_pytorch(dtype: str, tolerance: float, causal: bool) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(4)
    layer = seqkit.MultiHeadAttention(2, 4, causal=causal).build((8, 8), seed=5, dtype=dtype)
    for key in ("bias_query", "bias_value", "bias_output"):
        layer.params[key] = rng.standard_normal(8)
    other = torch_heads(torch, layer, dtype)
    query, memory = (rng.standard_normal((3, t, 8)).astype(dtype) for t in (5, 7))
    ends = np.array([7, 2, 5])
    tq, tm = (torch.tensor(array, requires_grad=True) for array in (query, memory))
    mask = torch.tensor(np.arange(7) >= ends[:, None])
    later = torch.tensor(~np.tri(5, 7, dtype=bool)) if causal else None
    expected, _ = other(tq, tm, tm, key_padding_mask=mask, attn_mask=later, need_weights=False)
    y, cache = layer.forward((query, memory), (None, ends))
    dy = rng.standard_normal(y.shape).astype(dtype)
    expected.backward(torch.tensor(dy))
    dquery, dmemory = layer.backward(dy, cache)[0]
    g = layer.grads
    pairs = [(y, expected.detach()), (dquery, tq.grad), (dmemory, tm.grad)]
    joined = np.concatenate([g[f"weight_{name}"] for name in ("query", "key", "value")])
    pairs += [(joined, other.in_proj_weight.grad), (g["weight_output"], other.out_proj.weight.grad)]
    pairs += [(g["bias_query"], other.in_proj_bias.grad[:8]), (g["bias_value"], other.in_proj_bias.grad[16:])]
    pairs.append((g["bias_output"], other.out_proj.bias.grad))
    compare(pairs, tolerance)


@pytest.mark.peers
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-5)])
def test_additive_against_pytorch(dtype: str, tolerance: float) -> None:
    torch = pytest.importorskip("torch")
    layer, arrays = case("additive", dtype)
    query, memory = map(np.nan_to_num, arrays)
    params = {key: torch.tensor(np.asarray(layer.params[key]), requires_grad=True) for key in layer.params}
    tq, tm = (torch.tensor(array, requires_grad=True) for array in (query, memory))
    ends = np.array([6, 1, 4, 2, 7])
    hidden = (tq @ params["weight_query"].T)[:, :, None] + (tm @ params["weight_memory"].T)[:, None] + params["bias"]
    scores = torch.tanh(hidden) @ params["v"][0]
    outside = torch.tensor(np.arange(7) >= ends[:, None])[:, None]
    expected = torch.softmax(scores.masked_fill(outside, -torch.inf), dim=-1) @ tm
    y, cache = layer.forward((query, memory), (None, ends))
    dy = np.random.default_rng(6).standard_normal(y.shape).astype(dtype)
    expected.backward(torch.tensor(dy))
    dquery, dmemory = layer.backward(dy, cache)[0]
    pairs = [(y, expected.detach()), (dquery, tq.grad), (dmemory, tm.grad)]
    compare(pairs + [(layer.grads[key], params[key].grad) for key in params], tolerance)


def compare(pairs: list[tuple[np.ndarray, Any]], tolerance: float) -> None:
    for found, expected in pairs:
        wanted = expected.numpy()
        np.testing.assert_allclose(found, wanted, atol=tolerance * max(1.0, float(np.abs(wanted).max())))


def test_there_is_no_pool_of_streams() -> None:
    with pytest.raises(ConfigError, match="there is no stream of its steps"):
        seqkit.Attention().build(3).streams(2)


@pytest.mark.parametrize(
    "layer",
    [seqkit.Attention(causal=True), seqkit.AdditiveAttention(3, causal=True), seqkit.MultiHeadAttention(2, 3, True)],
)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_to_come_may_be_anything(layer: Any, value: float) -> None:
    layer = copy.deepcopy(layer).build(3, seed=0)
    x = np.random.default_rng(0).normal(size=(2, 6, 3)).astype(np.float32)
    y = layer(x)
    x[:, 4] = value
    with np.errstate(invalid="ignore"):
        found = layer(x)
    assert np.array_equal(found[:, :4], y[:, :4])
    assert np.isnan(found[:, 4]).all()
