"""Every cell against its PyTorch module: outputs, final states and all gradients in float64.

Legend: B batch, T time, I input features, H units.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cells import CELLS, VARIANTS, features_of

import seqkit

torch = pytest.importorskip("torch")
torch_loops = pytest.importorskip("torch_loops")

pytestmark = pytest.mark.peers

LENGTHS = np.array([7, 1, 12, 0, 12, 4])
UNITS, FEATURES = 9, 5
TOLERANCE = 1e-9


def drawn(layer: Any) -> None:
    """Random parameters, so that nothing is hidden by one that starts at 0 or 1."""
    rng = np.random.default_rng(4)
    with layer.params.editing() as arrays:
        for array in arrays.values():
            array += rng.normal(0, 0.3, array.shape)


def drawn_inputs(layer: Any, rng: np.random.Generator) -> np.ndarray:
    """Random sequences; masks are 0 or 1, what is missing is 0."""
    x = rng.normal(size=(len(LENGTHS), LENGTHS.max(), layer.input_size))
    if "mask" in layer.cell.inputs:
        x[..., FEATURES : 2 * FEATURES] = rng.random((*x.shape[:2], FEATURES)) < 0.6
        x[..., :FEATURES] *= x[..., FEATURES : 2 * FEATURES]
        x[..., 2 * FEATURES :] = np.abs(x[..., 2 * FEATURES :])
    return x


def in_torch(loop: Any, x: np.ndarray, state: tuple[np.ndarray, ...], dy: np.ndarray, dstate: Any) -> dict[str, Any]:
    """Outputs, final states and gradients of the module, one sequence after the other."""
    x_, state_ = torch.tensor(x, requires_grad=True), [torch.tensor(s, requires_grad=True) for s in state]
    y, final, loss = torch.zeros(dy.shape, dtype=torch.float64), [s.clone() for s in state_], 0.0
    for row, length in enumerate(LENGTHS):
        if length:
            own = tuple(s[row : row + 1] for s in state_)
            outputs, last = loop(x_[row : row + 1, :length], own)
            y[row, :length] = outputs[0]
            for kept, s in zip(final, last, strict=True):
                kept[row] = s[0]
    loss = (y * torch.tensor(dy)).sum() + sum((f * torch.tensor(d)).sum() for f, d in zip(final, dstate, strict=True))
    loss.backward()
    found = {"y": y, "dx": x_.grad}
    found |= {f"final {n}": s for n, s in enumerate(final)}
    found |= {f"initial gradient {n}": s.grad for n, s in enumerate(state_)}
    found |= {f"gradient of {name}": p.grad for name, p in loop.named_parameters()}
    return {name: np.zeros(1) if value is None else value.detach().numpy() for name, value in found.items()}


def in_seqkit(layer: Any, x: np.ndarray, state: Any, dy: np.ndarray, dstate: Any) -> dict[str, np.ndarray]:
    """The same from the layer."""
    y, cache = layer.forward(x, LENGTHS, state)
    final = cache.state
    dx, initial = layer.backward(dy, cache, dstate)
    found = {"y": y, "dx": dx}
    found |= {f"final {n}": s for n, s in enumerate(final)}
    found |= {f"initial gradient {n}": s for n, s in enumerate(initial)}
    return found | {f"gradient of {name}": array for name, array in layer.grads.items()}


@pytest.mark.parametrize(("name", "options"), [*((name, {}) for name in CELLS), *VARIANTS])
def test_cell_is_its_paper(name: str, options: dict[str, Any]) -> None:
    layer = seqkit.Recurrent(CELLS[name], UNITS, return_sequences=True, **options)
    layer.build(features_of(layer.cell, FEATURES), seed=2, dtype="float64")
    drawn(layer)
    rng = np.random.default_rng(3)
    x, earlier = drawn_inputs(layer, rng), drawn_inputs(layer, rng)
    y, cache = layer.forward(earlier)
    state = cache.state  # one that the cell can be in
    dy = rng.normal(size=y.shape) * (np.arange(LENGTHS.max()) < LENGTHS[:, None])[..., None]
    dstate = tuple(rng.normal(size=s.shape) for s in state)
    loop = torch_loops.LOOPS[name](dict(layer.params), **options)
    expected, found = in_torch(loop, x, state, dy, dstate), in_seqkit(layer, x, state, dy, dstate)
    assert expected.keys() == found.keys()
    for what, value in expected.items():
        scale = max(1.0, float(np.abs(value).max(initial=0.0)))
        assert np.abs(found[what] - value).max(initial=0.0) <= TOLERANCE * scale, what
