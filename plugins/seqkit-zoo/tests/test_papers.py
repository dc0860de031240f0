"""What the papers say of their cells: other forms of the same states, bounds, sizes and limits.

Legend: B batch, T time, I input features, H units.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cells import CELLS, features_of

import seqkit
from seqkit.equations.reference import shapes_of
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
    weight = np.asarray(layer.params["weight_ih"])
    return {gate: x @ weight[rows].T for gate, rows in shapes_of(layer.cell, layer.params).input_gates.items()}


def biases(layer: Layer) -> dict[str, np.ndarray]:
    """The bias of every gate that has one."""
    bias = np.asarray(layer.params["bias"])
    return {gate: bias[rows] for gate, rows in shapes_of(layer.cell, layer.params).biases.items()}


def recurrent(layer: Layer) -> dict[str, np.ndarray]:
    """U of every gate that has one."""
    weight = np.asarray(layer.params["weight_hh"])
    return {gate: weight[rows] for gate, rows in shapes_of(layer.cell, layer.params).recurrent_gates.items()}


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
    U = recurrent(layer)["c"]
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
    U = recurrent(layer)
    seen = {
        gate: np.stack([(U[gate] @ np.diag(parts["m"][n]) @ U["m"]) @ h[n] for n in range(BATCH)])
        + parts[gate]
        + b[gate]
        for gate in "ifgo"
    }
    cell = sigmoid(seen["f"]) * c + sigmoid(seen["i"]) * seen["g"]
    close(layer(x, state=(h, c))[:, 0], np.tanh(cell * sigmoid(seen["o"])))


def test_lstmp_without_a_projection_is_an_lstm() -> None:
    """W_hr the identity."""
    lstmp, lstm = built("lstmp", projection=UNITS), seqkit.LSTM(UNITS, return_sequences=True)
    lstm.build(FEATURES, dtype="float64")
    lstmp.params["weight_hr"] = np.eye(UNITS)
    for name in ("weight_ih", "weight_hh", "bias"):
        lstm.params[name] = lstmp.params[name]
    close(lstmp(inputs()), lstm(inputs()))


@pytest.mark.parametrize("attention", [0.0, 1.0])
def test_augru_with_attention_is_a_gru_and_without_stands_still(attention: float) -> None:
    layer, gru = built("augru"), seqkit.GRU(UNITS, return_sequences=True)
    gru.build(FEATURES, dtype="float64")
    for name in ("weight_ih", "weight_hh", "bias"):
        r, u, n = np.split(np.asarray(layer.params[name]), 3)
        gru.params[name] = np.concatenate([r, -u, n])  # our GRU's z is the share of the old: 1 - u
    x, h = inputs(), np.random.default_rng(3).normal(size=(BATCH, UNITS))
    y = layer(np.concatenate([x, np.full((BATCH, TIME, 1), attention)], axis=-1), state=(h,))
    close(y, gru(x, state=(h,)) if attention else np.repeat(h[:, None], TIME, axis=1))


def test_gru_d_with_nothing_missing_and_no_gaps_is_a_gru() -> None:
    layer, gru = built("gru_d"), seqkit.GRU(UNITS, return_sequences=True, reset_after=False)
    gru.build(FEATURES, dtype="float64")
    set_params(layer, shift=np.vstack([layer.params["shift"][:3], np.full(UNITS, -1.0)]))  # b_gamma: no decay at gap 0
    p, x = layer.params, inputs()
    U, sign = recurrent(layer), {"r": 1, "z": -1, "n": 1}  # our GRU's z is the share of the old
    gru.params["weight_ih"] = np.concatenate([sign[g] * p[f"W_{g}"] for g in "rzn"])
    gru.params["weight_hh"] = np.concatenate([sign[g] * U[g] for g in "rzn"])
    mask_part = [sign[g] * (p["shift"][k] + p[f"V_{g}"].sum(axis=1)) for k, g in enumerate("rzn")]
    gru.params["bias"] = np.concatenate(mask_part)
    close(layer(np.concatenate([x, np.ones_like(x), np.zeros_like(x)], axis=-1)), gru(x))


def test_gru_d_never_looks_at_what_is_missing() -> None:
    layer, x = built("gru_d"), inputs()
    rng = np.random.default_rng(7)
    mask, gap = (rng.random(x.shape) < 0.5).astype(float), rng.exponential(size=x.shape)
    y = layer(np.concatenate([np.where(mask > 0, x, np.nan), mask, gap], axis=-1))
    assert np.isfinite(y).all()
    close(y, layer(np.concatenate([x, mask, gap], axis=-1)), 0.0)


def test_gru_d_forgets_a_value_over_a_long_gap() -> None:
    """With everything missing for long, the imputed value is the mean and the state has decayed."""
    layer = built("gru_d")
    set_params(layer, decay=[[1.0] * FEATURES, [0.0] * FEATURES], W_gap=1.0)
    x = np.concatenate([inputs(time=2), np.ones((BATCH, 2, FEATURES)), np.zeros((BATCH, 2, FEATURES))], axis=-1)
    x[:, 1, FEATURES : 2 * FEATURES], x[:, 1, 2 * FEATURES :] = 0.0, 1e3
    traced = layer.trace(x, ["value", "h"])
    close(traced["value"][:, 1], np.broadcast_to(layer.params["mean"], (BATCH, FEATURES)))
    other = x.copy()
    other[:, 0, :FEATURES] += 1.0
    close(layer(other)[:, 1], layer(x)[:, 1])


def test_phased_lstm_is_closed_but_for_a_share_of_its_period() -> None:
    """Without a leak, states change only at times when the phase is below r (the paper's figure 1)."""
    ratio, period = 0.25, 8.0
    layer = built("phased_lstm", open_ratio=ratio, leak=0.0)
    set_params(layer, log_period=np.log(period), shift=1.5)
    t = np.arange(TIME) + 0.25
    x = np.concatenate([inputs(), np.broadcast_to(t[:, None], (BATCH, TIME, 1))], axis=-1)
    phase = ((t - 1.5) % period) / period
    y = layer(x)
    changed = (np.diff(np.concatenate([np.zeros((BATCH, 1, UNITS)), y], axis=1), axis=1) != 0).all(axis=(0, 2))
    assert (changed == (phase < ratio)).all()
    rising = np.where(phase < ratio / 2, 2 * phase / ratio, 2 - 2 * phase / ratio)
    close(layer.trace(x, ["k"])["k"][0, :, 0], np.where(phase < ratio, rising, 0.0))


def test_phased_lstm_that_is_wide_open_is_an_lstm() -> None:
    layer, lstm = built("phased_lstm", open_ratio=2.0), seqkit.LSTM(UNITS, return_sequences=True)
    lstm.build(FEATURES, dtype="float64")
    for name in ("weight_ih", "weight_hh", "bias"):
        lstm.params[name] = layer.params[name]
    set_params(layer, log_period=40 * np.log(2), shift=-(2.0**40 - 1e-9 * 2.0**40))  # phase next to 1: k = 2 phase / r
    x = np.concatenate([inputs(), np.zeros((BATCH, TIME, 1))], axis=-1)
    close(layer(x), lstm(inputs()), 1e-7)


def test_fast_grnn_with_full_rank_factors_is_the_one_without() -> None:
    x, full = inputs(), built("fast_grnn")
    low = built("fast_grnn", rank_w=FEATURES, rank_u=UNITS)
    set_params(low, weight_ih=np.eye(FEATURES), W1=full.params["weight_ih"])
    set_params(low, U2=np.eye(UNITS), U1=full.params["weight_hh"])
    for name in ("zeta", "nu", "biases"):
        low.params[name] = full.params[name]
    close(low(x), full(x))


def test_fast_grnn_is_a_gated_residual_network_at_its_limits() -> None:
    """zeta = 1 and nu = 0: a network with one gate, whose update is 1 - z."""
    layer, ugrnn = built("fast_grnn"), seqkit.Recurrent(CELLS["ugrnn"], UNITS, return_sequences=True)
    ugrnn.build(FEATURES, dtype="float64")
    set_params(layer, zeta=1e3, nu=-1e3)
    for name in ("weight_ih", "weight_hh"):
        ugrnn.params[name] = np.concatenate([layer.params[name]] * 2)
    ugrnn.params["bias"] = np.asarray(layer.params["biases"])[::-1].ravel()
    close(layer(inputs()), ugrnn(inputs()))


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
    U = recurrent(layer)
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


def test_slstm_is_a_mean_of_inputs_with_exponential_weights() -> None:
    """Unstabilised, with log weights: h = o sum_j w_j z_j / sum_j w_j, w_j = exp(i_j) prod f_k (equations 8 to 10)."""
    layer, x = built("slstm"), inputs(scale=3.0)
    traced = layer.trace(x, ["log_i", "forget", "z", "o"])
    passed = np.cumsum(-np.logaddexp(0, -traced["forget"]), axis=1)  # sums of log sigmoid
    log_w = traced["log_i"] - passed
    weights = np.exp(log_w - log_w.max(axis=1, keepdims=True))
    close(layer(x), traced["o"] * np.cumsum(weights * traced["z"], axis=1) / np.cumsum(weights, axis=1), 1e-9)


def test_slstm_survives_gates_beyond_the_range_of_exp() -> None:
    layer, x = built("slstm"), inputs()
    for shift in (-2000.0, 2000.0):  # of log i: shifts all weights, and the result by nothing
        bias = np.array(layer.params["bias"])
        y = layer(x)
        layer.params["bias"] = bias + np.repeat([shift, 0, 0, 0], UNITS)
        close(layer(x), y, 1e-9)
        layer.params["bias"] = bias


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
    "fast_grnn": lambda: H * (I + H + 2) + 2,
    "lstmp": lambda: 4 * H * (I + 32 + 1) + 32 * H,
    "slstm": lambda: 4 * H * (I + H + 1),
    "group_norm_slstm": lambda: 4 * H * (I + H + 1) + 2 * H,
    "augru": lambda: 3 * H * (I + H + 1),  # a GRU's
    "phased_lstm": lambda: 4 * H * (I + H + 1) + 2 * H,
    "gru_d": lambda: 3 * H * (I + H + I + 1) + H * (I + 1) + 3 * I,
}


@pytest.mark.parametrize("name", CELLS)
def test_parameters_are_as_many_as_in_the_paper(name: str) -> None:
    layer = seqkit.Recurrent(CELLS[name], H)
    layer.build(features_of(layer.cell, I))
    assert sum(array.size for array in layer.params.values()) == COUNTS[name]()
