"""What the papers say of their cells: other forms of the same states, bounds, sizes and limits.

Legend: B batch, T time, I input features, H units.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import seqkit
from cells import CELLS, features_of
from seqkit.layer import Layer

BATCH, TIME, FEATURES, UNITS = 3, 20, 4, 6


def built(name: str, units: int = UNITS, seed: int = 1, **options: Any) -> Layer:
    """A layer in float64 whose parameters are all random."""
    layer = seqkit.Recurrent(CELLS[name], units, return_sequences=True, **options)
    layer.build(features_of(layer.cell, FEATURES), seed=seed, dtype="float64")
    rng = np.random.default_rng(seed)
    with layer.params.editing() as arrays:
        for array in arrays.values():
            array += rng.normal(0, 0.3, array.shape)
    return layer


def set_params(layer: Layer, **arrays: Any) -> None:
    """Give parameters new values; a number fills the whole array."""
    for name, value in arrays.items():
        layer.params[name] = np.broadcast_to(value, layer.params[name].shape)


def inputs(seed: int = 2, scale: float = 1.0, time: int = TIME) -> np.ndarray:
    return scale * np.random.default_rng(seed).normal(size=(BATCH, time, FEATURES))


def sigmoid(v: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-v))


def projected(layer: Layer, x: np.ndarray) -> dict[str, np.ndarray]:
    """W x of every gate that reads the input, without bias."""
    gates = layer.execution.input_gates
    return dict(zip(gates, np.split(x @ np.asarray(layer.params["weight_ih"]).T, len(gates), axis=-1), strict=True))


def biases(layer: Layer) -> dict[str, np.ndarray]:
    """The bias of every gate that has one."""
    gates = [gate for gate in layer.execution.input_gates if layer.cell.has_bias(gate)]
    return dict(zip(gates, np.split(np.asarray(layer.params["bias"]), len(gates)), strict=True))


def close(found: np.ndarray, expected: np.ndarray, tolerance: float = 1e-12) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * max(1.0, np.abs(expected).max()))


# ---- other forms of the same states --------------------------------------------------------------


def test_additive_state_is_a_weighted_sum_of_inputs() -> None:
    layer, x = built("ran"), inputs()
    content, traced = projected(layer, x)["c"], layer.trace(x, ["i", "f", "c"])
    for t in range(TIME):
        weights = [traced["i"][:, j] * np.prod(traced["f"][:, j + 1 : t + 1], axis=1) for j in range(t + 1)]
        close(traced["c"][:, t], sum(w * content[:, j] for j, w in enumerate(weights)))
    close(layer(x), np.tanh(traced["c"]))


@pytest.mark.parametrize("log_space", [False, True])
def test_min_gru_is_its_parallel_form(log_space: bool) -> None:
    layer, x = built("min_gru", log_space=log_space), inputs()
    parts, b = projected(layer, x), biases(layer)
    z, candidate = sigmoid(parts["z"] + b["z"]), parts["h"] + b["h"]
    if log_space:
        candidate = np.where(candidate >= 0, candidate + 0.5, sigmoid(candidate))
    kept = np.cumprod(1 - z, axis=1)  # a*_t: h_t = a*_t (h_0 + sum_j b_j / a*_j)
    close(layer(x), kept * np.cumsum(z * candidate / kept, axis=1), 1e-9)


def test_min_gru_in_log_space_is_the_papers_scan() -> None:
    """Appendix B: log-sum-exp of log z + log g(h) and of minus the sums of log(1 - z)."""
    layer, x = built("min_gru", log_space=True), inputs()
    parts, b = projected(layer, x), biases(layer)
    k, v = parts["z"] + b["z"], parts["h"] + b["h"]
    log_g = np.where(v >= 0, np.log(np.maximum(v, 0) + 0.5), -np.logaddexp(0, -v))
    a_star = np.cumsum(-np.logaddexp(0, k), axis=1)
    log_h = a_star + np.logaddexp.accumulate(-np.logaddexp(0, -k) + log_g - a_star, axis=1)
    close(layer(x), np.exp(log_h))


def test_min_lstm_is_its_parallel_form() -> None:
    layer, x = built("min_lstm"), inputs()
    parts, b = projected(layer, x), biases(layer)
    f, i = (sigmoid(parts[gate] + b[gate]) for gate in "fi")
    kept = np.cumprod(f / (f + i), axis=1)
    close(layer(x), kept * np.cumsum(i / (f + i) * (parts["h"] + b["h"]) / kept, axis=1), 1e-9)


def test_qrnn_pools_a_convolution() -> None:
    layer, x = built("qrnn"), inputs()
    now, before = np.split(np.asarray(layer.params["weight_ih"]), 2)
    bias = np.asarray(layer.params["bias"])
    padded = np.concatenate([np.zeros((BATCH, 1, FEATURES)), x], axis=1)
    gates = np.stack(
        [
            [np.convolve(padded[n, :, i], [now[u, i], before[u, i]], "valid") for i in range(FEATURES)]
            for n in range(BATCH)
            for u in range(3 * UNITS)
        ]
    ).sum(axis=1)  # (B * 3 H, T)
    z, f, o = np.split(gates.reshape(BATCH, 3 * UNITS, TIME).transpose(0, 2, 1) + bias, 3, axis=-1)
    c, expected = np.zeros((BATCH, UNITS)), np.zeros((BATCH, TIME, UNITS))
    for t in range(TIME):
        c = sigmoid(f[:, t]) * c + (1 - sigmoid(f[:, t])) * np.tanh(z[:, t])
        expected[:, t] = sigmoid(o[:, t]) * c
    close(layer(x), expected)


def test_sru_is_a_highway_network_where_nothing_is_reset() -> None:
    """With the reset gate shut and W_h the identity, the output is the input."""
    layer, x = built("sru", units=FEATURES), inputs()
    weight = np.array(layer.params["weight_ih"])
    weight[3 * FEATURES :] = np.eye(FEATURES)
    set_params(layer, weight_ih=weight, bias=np.repeat([0.0, -1e3], FEATURES))
    assert np.array_equal(layer(x), x)


def test_sru_without_v_is_the_first_version() -> None:
    """Gates that see the input only: the states are those of a minimal GRU with gate 1 - f."""
    layer, x = built("sru"), inputs()
    set_params(layer, v=0.0)
    parts, b = projected(layer, x), biases(layer)
    f, r = (sigmoid(parts[gate] + b[gate]) for gate in "fr")
    kept = np.cumprod(f, axis=1)
    c = kept * np.cumsum((1 - f) * parts["c"] / kept, axis=1)
    close(layer(x), r * c + (1 - r) * parts["h"], 1e-9)


def test_janet_is_an_lstm_with_nothing_but_the_forget_gate() -> None:
    """With i = 1 - f there is no beta; the output gate is open and h = c."""
    layer, x = built("janet", beta=0.0), inputs()
    f, c = layer.trace(x, ["kept"])["kept"], None
    before = np.zeros((BATCH, UNITS))
    U = np.split(np.asarray(layer.params["weight_hh"]), 2)[1]
    part = projected(layer, x)["c"] + biases(layer)["c"]
    for t in range(TIME):
        c = f[:, t] * before + (1 - f[:, t]) * np.tanh(part[:, t] + before @ U.T)
        close(layer(x)[:, t], c)
        before = c


def test_gru_whose_gates_are_one_is_the_minimal_gated_unit() -> None:
    mgu, gru = built("mgu"), seqkit.GRU(UNITS, return_sequences=True, reset_after=False)
    gru.build(FEATURES, dtype="float64")
    for name in ("weight_ih", "weight_hh", "bias"):
        f, n = np.split(np.asarray(mgu.params[name]), 2)
        gru.params[name] = np.concatenate([f, -f, n])  # our GRU's z is the share of the old: 1 - f
    close(gru(inputs()), mgu(inputs()))


def test_ugrnn_is_a_gru_that_never_resets() -> None:
    ugrnn, gru = built("ugrnn"), seqkit.GRU(UNITS, return_sequences=True)
    gru.build(FEATURES, dtype="float64")
    for name, open_gate in (("weight_ih", 0.0), ("weight_hh", 0.0), ("bias", 1e3)):
        c, g = np.split(np.asarray(ugrnn.params[name]), 2)
        gru.params[name] = np.concatenate([np.full_like(c, open_gate), g, c])
    close(gru(inputs()), ugrnn(inputs()))


def test_multiplicative_lstm_has_a_recurrent_matrix_for_every_input() -> None:
    """U_g diag(W_m x) U_m for the input x: shown by one step from a carried state."""
    layer, x = built("multiplicative_lstm"), inputs(time=1)
    h, c = np.random.default_rng(5).normal(size=(2, BATCH, UNITS))
    parts, b = projected(layer, x[:, 0]), biases(layer)
    U = dict(zip(layer.execution.recurrent_gates, np.split(np.asarray(layer.params["weight_hh"]), 5), strict=True))
    seen = {
        gate: np.stack([(U[gate] @ np.diag(parts["m"][n]) @ U["m"]) @ h[n] for n in range(BATCH)]) + parts[gate] + b[gate]
        for gate in "ifgo"
    }
    cell = sigmoid(seen["f"]) * c + sigmoid(seen["i"]) * seen["g"]
    close(layer(x, state=(h, c))[:, 0], np.tanh(cell * sigmoid(seen["o"])))


# ---- bounds and limits ---------------------------------------------------------------------------


def test_minimal_rnn_stays_among_encoded_inputs() -> None:
    layer, x = built("minimal_rnn"), inputs(scale=10.0)
    z = np.tanh(projected(layer, x)["z"] + biases(layer)["z"])
    y = layer(x)
    above, below = np.maximum.accumulate(z, axis=1), np.minimum.accumulate(z, axis=1)
    assert (y <= np.maximum(above, 0) + 1e-15).all()
    assert (y >= np.minimum(below, 0) - 1e-15).all()


def test_indrnn_gradient_is_a_power_of_its_weight() -> None:
    """With active units the derivative of h_T by h_0 is u^T, by itself (the paper's equation 4)."""
    layer = built("indrnn")
    u = np.random.default_rng(3).uniform(0.8, 1.1, UNITS)
    set_params(layer, u=u, bias=5.0, weight_ih=0.1)
    h0 = (np.ones((BATCH, UNITS)),)
    y, cache = layer.forward(inputs(), state=h0)
    assert (y > 0).all()
    dy = np.zeros_like(y)
    dy[:, -1] = 1.0
    _, (dh0,) = layer.backward(dy, cache)
    close(dh0, np.broadcast_to(u**TIME, dh0.shape), 1e-10)


def test_indrnn_starts_within_its_bound() -> None:
    layer = seqkit.Recurrent(CELLS["indrnn"], 2000, longest=5).build(1, seed=0)
    u = np.asarray(layer.params["u"])
    assert u.min() >= 0
    assert 0.98 * 2 ** (1 / 5) < u.max() <= np.float32(2 ** (1 / 5))


def test_lem_stays_within_one_and_within_its_time() -> None:
    layer, x = built("lem", dt=0.25), inputs(scale=20.0)
    y = layer(x)
    n = np.arange(1, TIME + 1)[None, :, None]
    assert (np.abs(y) <= np.minimum(1.0, 0.25 * n)).all()
    assert np.abs(y).max() > 0.5


def test_lem_with_shut_gates_stands_still_and_with_open_ones_is_a_simple_network() -> None:
    layer, x = built("lem"), inputs()
    state = tuple(np.random.default_rng(4).uniform(-1, 1, (2, BATCH, UNITS)))
    bias = np.array(layer.params["bias"]).reshape(4, UNITS)
    bias[:2] = -1e3
    set_params(layer, bias=bias.ravel())
    assert np.array_equal(layer(x, state=state), np.repeat(state[0][:, None], TIME, axis=1))
    bias[:2] = 1e3
    set_params(layer, bias=bias.ravel())
    parts = projected(layer, x)
    U = dict(zip(layer.execution.recurrent_gates, np.split(np.asarray(layer.params["weight_hh"]), 4), strict=True))
    y = state[0]
    for t in range(TIME):
        z = np.tanh(parts["z"][:, t] + bias[2] + y @ U["z"].T)
        y = np.tanh(parts["y"][:, t] + bias[3] + z @ U["y"].T)
        close(layer(x, state=state)[:, t], y)


@pytest.mark.parametrize("scale", [1.0, 50.0])
def test_cornn_energy_grows_at_most_linearly(scale: float) -> None:
    dt = 0.5
    layer, x = built("cornn", dt=dt, gamma=1.0, epsilon=1.0, implicit=True), inputs(scale=scale, time=200)
    traced = layer.trace(x, ["y", "z"])
    energy = (traced["y"] ** 2 + traced["z"] ** 2).sum(axis=-1)
    assert (energy <= UNITS * dt * np.arange(1, 201)).all()
    assert energy.max() > 0.1


def test_cornn_without_force_is_a_damped_oscillator() -> None:
    """With no products left, y'' = -gamma y - epsilon y', whose amplitude falls as exp(-epsilon t / 2)."""
    dt, gamma, epsilon = 1e-3, 40.0, 0.8
    layer = seqkit.Recurrent(CELLS["cornn"], 1, return_sequences=True, dt=dt, gamma=gamma, epsilon=epsilon)
    layer.build(1, dtype="float64")
    set_params(layer, weight_ih=0.0, weight_hh=0.0, bias=0.0)
    y = layer(np.zeros((1, 3000, 1)), state=(np.ones((1, 1)), np.zeros((1, 1))))[0, :, 0]
    t, frequency = dt * np.arange(1, 3001), np.sqrt(gamma - epsilon**2 / 4)
    exact = np.exp(-epsilon * t / 2) * (np.cos(frequency * t) + epsilon / (2 * frequency) * np.sin(frequency * t))
    assert np.abs(y - exact).max() < 0.02


@pytest.mark.parametrize("name", ["janet", "chrono_lstm"])
def test_chrono_units_forget_within_the_longest_time(name: str) -> None:
    """With nothing coming in, a unit's memory falls by the factor f a step: 1 / (1 - f) lies in [2, T_max]."""
    longest = 50
    layer = seqkit.Recurrent(CELLS[name], 1000, longest=longest).build(1, seed=0, dtype="float64")
    scales = 1 / (1 - sigmoid(biases(layer)["f"]))
    assert 2 <= scales.min() < 3
    assert 0.95 * longest < scales.max() <= longest
    assert abs(scales.mean() - (2 + longest) / 2) < 2


def test_layer_norm_does_not_see_the_scale_of_weights() -> None:
    """Ba et al., section 5.1: the output does not change where all of W, or all of U, is multiplied by a number."""
    for name in ("layer_norm_lstm", "layer_norm_gru"):
        layer, x = built(name), inputs()
        set_params(layer, weight_ih=30 * layer.params["weight_ih"], weight_hh=30 * layer.params["weight_hh"])
        state = tuple(np.random.default_rng(6).normal(size=(len(layer.cell.states), BATCH, UNITS)))
        y = layer(x, state=state)  # of a state that is not 0, where epsilon would count
        set_params(layer, weight_ih=7 * layer.params["weight_ih"], weight_hh=5 * layer.params["weight_hh"])
        np.testing.assert_allclose(layer(x, state=state), y, atol=1e-5)


def test_nas_has_twice_the_matrices_of_an_lstm() -> None:
    lstm = seqkit.LSTM(UNITS).build(FEATURES).params
    nas = built("nas").params
    for key in ("weight_ih", "weight_hh", "bias"):
        assert nas[key].size == 2 * lstm[key].size


# ---- sizes ---------------------------------------------------------------------------------------

H, I = 7, 3  # noqa: E741
COUNTS: dict[str, Callable[[], int]] = {
    "mgu": lambda: 2 * H * (I + H + 1),  # two thirds of a GRU's
    "minimal_rnn": lambda: H * (I + 1) + H * (2 * H + 1),
    "ugrnn": lambda: 2 * H * (I + H + 1),
    "ran": lambda: H * I + 2 * H * (I + H + 1),
    "indrnn": lambda: H * (I + 2),
    "sru": lambda: H * (4 * I + 2 + 2),
    "qrnn": lambda: 3 * H * (2 * I + 1),
    "min_gru": lambda: 2 * H * (I + 1),
    "min_lstm": lambda: 3 * H * (I + 1),
    "li_gru": lambda: 2 * H * (I + H + 2),
    "layer_norm_lstm": lambda: 4 * H * (I + H + 3) + 2 * H,
    "layer_norm_gru": lambda: 3 * H * (I + H + 3) + H,
    "multiplicative_lstm": lambda: 5 * H * (I + H) + 4 * H,
    "nas": lambda: 8 * H * (I + H + 1),
    "janet": lambda: 2 * H * (I + H + 1),  # half of an LSTM's
    "chrono_lstm": lambda: 4 * H * (I + H + 1),
    "lem": lambda: 4 * H * (I + H + 1),  # an LSTM's
    "cornn": lambda: H * (I + 2 * H + 1),
}


@pytest.mark.parametrize("name", CELLS)
def test_parameters_are_as_many_as_in_the_paper(name: str) -> None:
    layer = seqkit.Recurrent(CELLS[name], H)
    layer.build(features_of(layer.cell, I))
    assert sum(array.size for array in layer.params.values()) == COUNTS[name]()
