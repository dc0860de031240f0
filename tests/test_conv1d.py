"""Convolution over time: against plain loops on each sequence alone, PyTorch, and central differences.

Legend: B batch, T time, F input features, U filters, K taps of the kernel.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit.errors import ConfigError, ShapeError

LENGTHS = np.array([9, 1, 0, 14, 6, 14])
FORMS = tuple(product(("valid", "same", "causal"), (1, 2, 3), (1, 2, 4), (1, 2, 3)))  # padding, strides, K, dilation


def oracle(x: np.ndarray, weight: np.ndarray, padding: str, strides: int, dilation: int) -> np.ndarray:
    """The windows of one sequence (n, F), as Keras defines them, number by number."""
    taps, n = weight.shape[1], len(x)
    span = dilation * (taps - 1)
    if padding == "valid":
        count, before = (n - span - 1) // strides + 1 if n > span else 0, 0
    else:
        count = -(-n // strides)
        missing = max((count - 1) * strides + span + 1 - n, 0)
        before = span if padding == "causal" else missing // 2
    y = np.zeros((count, len(weight)))
    for t, j in product(range(count), range(taps)):
        place = t * strides + j * dilation - before
        if 0 <= place < n:
            y[t] += weight[:, j] @ x[place]
    return y


def case(padding: str, strides: int, taps: int, dilation: int, dtype: str = "float64") -> tuple[Any, np.ndarray]:
    """A layer with random parameters, and a batch with NaN behind its sequences."""
    rng = np.random.default_rng(strides + taps)
    layer = seqkit.Conv1D(5, taps, strides, padding, dilation).build(3, seed=1, dtype=dtype)
    layer.params["bias"] = rng.standard_normal(5)
    x = rng.standard_normal((6, 14, 3)).astype(dtype)
    for row, n in zip(x, LENGTHS, strict=True):
        row[n:] = np.nan
    return layer, x


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_each_sequence_alone(form: tuple[str, int, int, int]) -> None:
    layer, x = case(*form)
    padding, strides, _, dilation = form
    y, _ = layer.forward(x, LENGTHS)
    ends = layer.output_lengths(LENGTHS)
    for row, n, found, end in zip(x, LENGTHS, y, ends, strict=True):
        expected = oracle(row[:n], layer.params["weight"], padding, strides, dilation) + layer.params["bias"]
        assert end == len(expected)
        np.testing.assert_allclose(found[:end], expected, atol=1e-13)
        assert not found[end:].any()
        assert (layer(row[None, :n])[0] == found[:end]).all()  # the same bits alone


@pytest.mark.parametrize("form", FORMS[::4], ids=str)
def test_gradients(form: tuple[str, int, int, int]) -> None:
    """Of x and W along random directions; the layer is linear in each, so that differences are exact."""
    layer, x = case(*form)
    rng = np.random.default_rng(0)
    y, cache = layer.forward(x, LENGTHS)
    dy = rng.standard_normal(y.shape)
    dy[np.arange(y.shape[1]) >= layer.output_lengths(LENGTHS)[:, None]] = np.nan
    dx, _ = layer.backward(dy, cache)
    inside = np.arange(14) < LENGTHS[:, None]
    assert not dx[~inside].any()
    direction = np.where(inside[..., None], rng.standard_normal(x.shape), 0)
    along = np.nansum(dy * (layer.forward(np.nan_to_num(x) + direction, LENGTHS)[0] - y))
    np.testing.assert_allclose((dx * direction).sum(), along, atol=1e-11)
    weight, turned = layer.params["weight"].copy(), rng.standard_normal(layer.params["weight"].shape)
    layer.params["weight"] = weight + turned
    along = np.nansum(dy * (layer.forward(x, LENGTHS)[0] - y))
    np.testing.assert_allclose((layer.grads["weight"] * turned).sum(), along, atol=1e-11)
    np.testing.assert_allclose(layer.grads["bias"], np.nansum(dy, axis=(0, 1)), atol=1e-12)


@pytest.mark.peers
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-5)])
@pytest.mark.parametrize(("strides", "dilation"), [(1, 1), (2, 1), (1, 3), (3, 2)])
def test_against_pytorch(dtype: str, tolerance: float, strides: int, dilation: int) -> None:
    torch = pytest.importorskip("torch")
    layer, x = case("valid", strides, 3, dilation, dtype)
    x = np.nan_to_num(x)
    other = torch.nn.Conv1d(3, 5, 3, strides, dilation=dilation, dtype=getattr(torch, dtype))
    with torch.no_grad():
        other.weight.copy_(torch.tensor(layer.params["weight"].transpose(0, 2, 1)))
        other.bias.copy_(torch.tensor(layer.params["bias"]))
    given = torch.tensor(x.transpose(0, 2, 1), requires_grad=True)
    expected = other(given)
    y, cache = layer.forward(x)
    dy = np.random.default_rng(5).standard_normal(y.shape).astype(dtype)
    expected.backward(torch.tensor(dy.transpose(0, 2, 1)))
    dx, _ = layer.backward(dy, cache)
    pairs = [
        (y, expected.detach().numpy().transpose(0, 2, 1)),
        (dx, given.grad.numpy().transpose(0, 2, 1)),
        (layer.grads["weight"], other.weight.grad.numpy().transpose(0, 2, 1)),
        (layer.grads["bias"], other.bias.grad.numpy()),
    ]
    for found, wanted in pairs:
        np.testing.assert_allclose(found, wanted, atol=tolerance * max(1, np.abs(wanted).max()))


def test_a_model_knows_how_many_steps_are_left() -> None:
    """Behind a convolution, lengths are those of its windows."""
    model = seqkit.Sequential([seqkit.Conv1D(4, 3, 2), seqkit.MaxPool()], seed=0, dtype="float64")
    x = np.random.default_rng(0).standard_normal((2, 9, 3))
    y = model.predict(x, lengths=[9, 6])
    assert (y[1] == model.predict(x[1:, :6])[0]).all()


def test_streams_are_for_causal_layers() -> None:
    with pytest.raises(ConfigError, match="a stream needs padding='causal' and strides of 1, got 'same' and 1"):
        seqkit.Conv1D(2, 3, padding="same").build(1).step(np.zeros((1, 1)))


def test_wrong_options() -> None:
    with pytest.raises(ConfigError, match="padding must be one of valid, same, causal, got 'full'"):
        seqkit.Conv1D(2, padding="full")
    with pytest.raises(ConfigError, match="strides must be a positive integer, got 0"):
        seqkit.Conv1D(2, strides=0)
    with pytest.raises(ShapeError, match="x has 2 features but input_size is 1"):
        seqkit.Conv1D(2).build(1)(np.zeros((1, 4, 2)))
