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
