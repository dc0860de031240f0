"""What the literature's cells need beyond one state and one stage, each against an oracle that is not the equations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checks.language import LANGUAGE

import seqkit
from seqkit.equations import Cell, relu, sigmoid, tanh, vector
from seqkit.recurrent import Recurrent
from seqkit.testing.data import Data, assert_close, fill

# ---- exponential gates with a running maximum ----------------------------------------------------


def plain_exponential(layer: Any, x: np.ndarray, forget: str) -> np.ndarray:
    """The equations of Beck et al. (2024) without the maximum, i = exp(i~), in long double: h = o c / n."""
    params = {name: np.asarray(value, np.longdouble) for name, value in layer.params.items()}
    units = layer.units
    h, c, n = (np.zeros((len(x), units), np.longdouble) for _ in range(3))
    found = []
    for t in range(x.shape[1]):
        a = x[:, t].astype(np.longdouble) @ params["weight_ih"].T + params["bias"] + h @ params["weight_hh"].T
        i, f, z, o = np.split(a, 4, axis=1)
        kept = np.exp(f) if forget == "exp" else 1 / (1 + np.exp(-f))
        c, n = kept * c + np.exp(i) * np.tanh(z), kept * n + np.exp(i)
        h = c / n / (1 + np.exp(-o))
        found.append(h)
    return np.stack(found, axis=1).astype(np.float64)


@pytest.mark.parametrize("forget", ["sigmoid", "exp"])
@pytest.mark.parametrize("scale", [1.0, 40.0])
def test_a_running_maximum_that_starts_from_zero_changes_nothing(scale: float, forget: str) -> None:
    """Long double holds exp(10000): the plain equations do not overflow there, those of the layer nowhere."""
    layer = fill(Recurrent(LANGUAGE["Exponential"], 7, return_sequences=True, forget=forget).build(3, dtype="float64"))
    x = scale * np.random.default_rng(0).normal(size=(4, 12, 3))
    assert_close(layer(x), plain_exponential(layer, x, forget), 1e-11, "h")


def test_a_running_maximum_that_starts_from_minus_infinity_gives_the_same() -> None:
    layer = fill(Recurrent(LANGUAGE["Exponential"], 7, return_sequences=True).build(3, dtype="float64"))
    x = np.random.default_rng(0).normal(size=(4, 12, 3))
    zeros = np.zeros((4, 7))
    found = []
    for first in (zeros, zeros - np.inf):
        layer.zero_grads()
        y, cache = layer.forward(x, state=(zeros, zeros, zeros, first))
        dx, _ = layer.backward(np.cos(y), cache)
        found.append([y, dx, *layer.grads.values()])
    for zero, infinite in zip(*found, strict=True):
        assert_close(infinite, zero, 1e-12, "from minus infinity")


# ---- several layers in one cell ------------------------------------------------------------------


def test_two_layers_in_a_cell_are_two_layers() -> None:
    """Outputs and every gradient are those of two LSTM layers with the same weights."""
    units = 9
    layer = fill(Recurrent(LANGUAGE["TwoLayers"], units, return_sequences=True).build(3, dtype="float64"))
    stack = [seqkit.LSTM(units, return_sequences=True).build(size, dtype="float64") for size in (3, units)]
    for name in ("weight_ih", "weight_hh", "bias"):
        stack[0].params[name] = layer.params[name]
    stack[1].params["weight_ih"] = np.concatenate([layer.params[f"W_{gate}"] for gate in "ifgo"])
    stack[1].params["weight_hh"] = np.concatenate([layer.params[f"R_{gate}"] for gate in "ifgo"])
    stack[1].params["bias"] = layer.params["b"].ravel()
    data = Data.draw(layer)
    h, c, below, c_below = data.state
    y, cache = layer.forward(data.x, data.lengths, data.state)
    dx, dstate = layer.backward(data.dy, cache)
    middle, first = stack[0].forward(data.x, data.lengths, (below, c_below))
    expected, second = stack[1].forward(middle, data.lengths, (h, c))
    dmiddle, (dh, dc) = stack[1].backward(data.dy, second)
    expected_dx, (dbelow, dc_below) = stack[0].backward(dmiddle, first)
    assert_close(y, expected, 1e-13, "y")
    assert dx is not None
    assert_close(dx, expected_dx, 1e-13, "dx")
    for found, wanted in zip(dstate, (dh, dc, dbelow, dc_below), strict=True):
        assert_close(found, wanted, 1e-13, "gradient of a state")
    for name in ("weight_ih", "weight_hh", "bias"):
        assert_close(layer.grads[name], stack[0].grads[name], 1e-13, name)
    for kind, name in (("W", "weight_ih"), ("R", "weight_hh")):
        grads = np.concatenate([layer.grads[f"{kind}_{gate}"] for gate in "ifgo"])
        assert_close(grads, stack[1].grads[name], 1e-13, name)
    assert_close(layer.grads["b"].ravel(), stack[1].grads["bias"], 1e-13, "bias of the second layer")


# ---- diagonal recurrence -------------------------------------------------------------------------


class Independent(Cell):
    """Units that see themselves only, starting from a spread of time constants (Li et al., 2018)."""

    gates, states = ("h",), ("h",)

    def parameters(self) -> Any:
        return {"u": vector(initializer=seqkit.initializers.uniform(0.2, 0.9))}

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Any:
        return {"h": relu(x.h + p.u * s.h)}


def test_a_diagonal_matrix_is_a_matrix_with_zeros() -> None:
    layer = Recurrent(Independent, 6, return_sequences=True).build(2, seed=1, dtype="float64")
    assert 0.2 <= layer.params["u"].min() < layer.params["u"].max() < 0.9
    full = seqkit.SimpleRNN(6, activation="relu", return_sequences=True).build(2, dtype="float64")
    full.params["weight_ih"], full.params["bias"] = layer.params["weight_ih"], layer.params["bias"]
    full.params["weight_hh"] = np.diag(layer.params["u"])
    data = Data.draw(layer)
    (y, cache), (expected, other) = (one.forward(data.x, data.lengths, data.state) for one in (layer, full))
    dx, _ = layer.backward(data.dy, cache, data.dstate)
    expected_dx, _ = full.backward(data.dy, other, data.dstate)
    assert dx is not None
    assert expected_dx is not None
    assert_close(y, expected, 1e-14, "y")
    assert_close(dx, expected_dx, 1e-13, "dx")
    assert_close(layer.grads["u"], np.diag(full.grads["weight_hh"]), 1e-13, "u")


# ---- options -------------------------------------------------------------------------------------


@seqkit.register("test_with_options")
class WithOptions(Cell):
    """Numbers, strings and booleans that decide which equations there are."""

    gates, states = ("f", "n"), ("h",)

    def __init__(
        self, dt: float = 0.1, steps: int = 1, mode: str = "euler", coupled: bool = True, **options: Any
    ) -> None:
        super().__init__(**options)
        self.dt, self.steps, self.mode, self.coupled = dt, steps, mode, coupled

    def step(self, x: Any, U: Any, s: Any, p: Any) -> Any:
        f, h = sigmoid(x.f + U.f @ s.h), s.h
        n = tanh(x.n + U.n @ s.h)
        for _ in range(self.steps):
            change = f * n - (f * h if self.coupled else h)
            h = h + self.dt * change if self.mode == "euler" else h + self.dt * tanh(change)
        return {"h": h}


def test_options_are_saved_with_a_model(tmp_path: Path) -> None:
    options = {"dt": 0.25, "steps": 3, "mode": "bounded", "coupled": False}
    model = seqkit.Sequential([seqkit.create("test_with_options", 5, **options), seqkit.Dense(1)], seed=0).build(2)
    x = np.random.default_rng(0).normal(size=(3, 6, 2)).astype("float32")
    expected = model.predict(x)
    model.save(tmp_path / "model.safetensors")
    loaded = seqkit.Sequential.load(tmp_path / "model.safetensors")
    assert {name: loaded.layers[0].config()[name] for name in options} == options  # type: ignore[attr-defined]
    np.testing.assert_array_equal(loaded.predict(x), expected)
    for name, value in {"dt": 0.2, "steps": 2, "mode": "euler", "coupled": True}.items():
        other = seqkit.create("test_with_options", 5, **{**options, name: value}).build(2, seed=0)
        for key in other.params:
            other.params[key] = model.layers[0].params[key]
        assert np.abs(other(x) - model.layers[0](x)).max() > 1e-3, f"{name} makes no difference"
