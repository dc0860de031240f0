"""Layer normalization against its formula and PyTorch; what the kit checks of every layer is in test_conformance.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit.errors import ConfigError

LENGTHS = np.array([4, 0, 7])


def case(dtype: str, **options: Any) -> tuple[Any, np.ndarray]:
    rng = np.random.default_rng(3)
    layer = seqkit.LayerNorm(1e-5, **options).build(6, dtype=dtype)
    for key in layer.params:
        layer.params[key] = rng.standard_normal(6)
    return layer, rng.normal(3, 2, (3, 7, 6)).astype(dtype)


@pytest.mark.parametrize("options", [{}, {"center": False}, {"scale": False}, {"center": False, "scale": False}])
def test_every_valid_step(options: dict[str, bool]) -> None:
    layer, x = case("float64", **options)
    y = layer(x, lengths=LENGTHS)
    for row, n, found in zip(x, LENGTHS, y, strict=True):
        expected = (row - row.mean(axis=1, keepdims=True)) / np.sqrt(row.var(axis=1, keepdims=True) + 1e-5)
        expected = expected * layer.params.get("gamma", 1.0) + layer.params.get("beta", 0.0)
        np.testing.assert_allclose(found[:n], expected[:n], rtol=1e-12)
        assert not found[n:].any()


def reference(
    x: np.ndarray, dy: np.ndarray, params: Any, epsilon: float = 1e-5
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """y, dx, dgamma and dbeta of rows, in twice the precision of float64 where there is one."""
    x, dy, gamma, beta = (np.asarray(a, np.longdouble) for a in (x, dy, params["gamma"], params["beta"]))
    centred = x - x.mean(axis=1, keepdims=True)
    inverse = 1 / np.sqrt((centred * centred).mean(axis=1, keepdims=True) + epsilon)
    normal, d = centred * inverse, dy * gamma
    along = (d * normal).mean(axis=1, keepdims=True)
    dx = inverse * (d - d.mean(axis=1, keepdims=True) - normal * along)
    return normal * gamma + beta, dx, (dy * normal).sum(axis=0), dy.sum(axis=0)


@pytest.mark.parametrize("mean", [0.0, 1e4])
@pytest.mark.parametrize("features", [1, 3, 8, 17, 63, 64, 100])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_beside_a_finer_reference(dtype: str, features: int, mean: float) -> None:
    """A mean that is large beside the deviation costs nothing; no number of features is special."""
    rng = np.random.default_rng(features)
    layer = seqkit.LayerNorm(1e-5).build(features, dtype=dtype)
    for key in layer.params:
        layer.params[key] = rng.standard_normal(features)
    x = rng.normal(mean, 1, (150, features)).astype(dtype)  # more than two blocks of rows
    dy = rng.standard_normal(x.shape).astype(dtype)
    y, cache = layer.forward(x)
    dx, _ = layer.backward(dy, cache)
    found = y, dx, layer.grads["gamma"], layer.grads["beta"]
    for one, wanted in zip(found, reference(x, dy, layer.params), strict=True):
        scale = max(1.0, float(np.abs(wanted).max()))
        np.testing.assert_allclose(one, wanted, rtol=0, atol=40 * np.finfo(dtype).eps * scale)


def test_neither_padding_nor_threads_nor_neighbours() -> None:
    """Enough rows for several threads and many blocks; sequences end anywhere in them."""
    rng = np.random.default_rng(1)
    layer = seqkit.LayerNorm().build(67)
    lengths = rng.integers(0, 200, 64)
    x = rng.standard_normal((64, 200, 67), dtype=np.float32)
    dy = rng.standard_normal(x.shape, dtype=np.float32)
    for row, n in enumerate(lengths):
        x[row, n:] = np.nan

    def run(x: np.ndarray, dy: np.ndarray, lengths: np.ndarray) -> list[np.ndarray]:
        layer.zero_grads()
        y, cache = layer.forward(x, lengths)
        dx, _ = layer.backward(dy, cache)
        assert dx is not None
        return [y, dx, layer.grads["gamma"].copy(), layer.grads["beta"].copy()]

    with seqkit.threads(1):
        expected = run(x, dy, lengths)
    assert all(np.isfinite(one).all() for one in expected)
    longer = [np.pad(a, ((0, 0), (0, 7), (0, 0)), constant_values=np.nan) for a in (x, dy)]
    for count in (2, 3):
        with seqkit.threads(count):
            found = run(*longer, lengths)
        for one, wanted in zip([found[0][:, :200], found[1][:, :200], *found[2:]], expected, strict=True):
            np.testing.assert_array_equal(one, wanted)
    row = int(lengths.argmax())
    alone = run(x[[row], : lengths[row]], dy[[row], : lengths[row]], lengths[[row]])
    for one, wanted in zip(alone[:2], expected[:2], strict=True):
        np.testing.assert_array_equal(one[0], wanted[row, : lengths[row]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_steps_of_a_stream(dtype: str) -> None:
    """Rows with any strides, of another type too, and numbers so small that the deviation is subnormal."""
    layer, x = case(dtype)
    x[0] *= np.finfo(dtype).smallest_normal / 3
    whole = layer(x)
    for t in range(x.shape[1]):
        for given in (x[:, t], x[:, t].astype("float64"), np.asfortranarray(x[:, t]), x[::-1, t][::-1]):
            np.testing.assert_array_equal(layer.step(given)[0], whole[:, t])


def test_epsilon() -> None:
    with pytest.raises(ConfigError, match="layer_norm: epsilon must be a positive number, got 0"):
        seqkit.LayerNorm(0)


@pytest.mark.peers
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-5)])
def test_against_pytorch(dtype: str, tolerance: float) -> None:
    torch = pytest.importorskip("torch")
    layer, x = case(dtype)
    other = torch.nn.LayerNorm(6, 1e-5, dtype=getattr(torch, dtype))
    names = {"weight": "gamma", "bias": "beta"}
    other.load_state_dict({name: torch.tensor(np.asarray(layer.params[key])) for name, key in names.items()})
    given = torch.tensor(x, requires_grad=True)
    y, cache = layer.forward(x)
    dy = np.random.default_rng(4).standard_normal(y.shape).astype(dtype)
    expected = other(given)
    expected.backward(torch.tensor(dy))
    dx, _ = layer.backward(dy, cache)
    pairs = [(y, expected.detach()), (dx, given.grad)]
    pairs += [(layer.grads[key], getattr(other, name).grad) for name, key in names.items()]
    for found, wanted in pairs:
        np.testing.assert_allclose(found, wanted.numpy(), atol=tolerance * float(wanted.abs().max()))
