"""Attribution against finite differences, closed forms, PyTorch and planted causes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

import seqkit
from seqkit.data.synthetic import adding_problem
from seqkit.errors import ConfigError
from seqkit.explain import gradient_by_lag, integrated_gradients, saliency

LENGTHS = np.array([6, 9, 3])


def data(features: int = 2) -> np.ndarray:
    x = np.random.default_rng(5).standard_normal((3, 9, features))
    x[np.arange(9) >= LENGTHS[:, None]] = np.nan
    return x


def model(sequences: bool = False, **options: Any) -> seqkit.Sequential:
    layers = [
        seqkit.Bidirectional(seqkit.LSTM(4, return_sequences=True, **options)),
        seqkit.Dropout(0.5),
        seqkit.GRU(3, return_sequences=sequences, recurrent_dropout=options.get("recurrent_dropout", 0.0)),
        seqkit.Dense(2, activation="tanh"),
    ]
    return seqkit.Sequential(layers, seed=2, dtype="float64").build(2)


def differences(f: Any, x: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Central differences of the sum of f over the sequences, at the valid steps."""
    gradient, step = np.zeros_like(x), 1e-5
    for place in np.ndindex(x.shape):
        if valid[place[:2]]:
            up, down = x.copy(), x.copy()
            up[place] += step
            down[place] -= step
            gradient[place] = (f(up) - f(down)).sum() / (2 * step)
    return gradient


VALID = np.arange(9) < LENGTHS[:, None]


@pytest.mark.parametrize(
    "options", [{}, {"dropout": 0.4, "recurrent_dropout": 0.4, "zoneout": 0.2, "weight_dropout": 0.3}]
)
def test_saliency_is_the_derivative_of_what_predict_gives(options: dict[str, float]) -> None:
    """Also of a model that drops things in training: zoneout stays, in the mean."""
    net, x = model(**options), data()
    found = saliency(net, x, 1, lengths=LENGTHS)
    expected = differences(lambda at: net.predict(at, lengths=LENGTHS)[:, 1], x, VALID)
    assert_allclose(found.values, expected, atol=1e-8)
    assert np.abs(expected).max() > 1e-3
    assert_allclose(found.output, net.predict(x, lengths=LENGTHS)[:, 1])
    times = saliency(net, x, 1, lengths=LENGTHS, times_input=True)
    assert_allclose(times.values, np.where(VALID[..., None], expected * x, 0), atol=1e-8)


def test_an_output_of_a_step() -> None:
    net, x = model(sequences=True), data()
    for step, at in ((2, [2, 2, 2]), (None, [5, 8, 2]), ([4, 0, 1], [4, 0, 1])):
        found = saliency(net, x, 0, step=step, lengths=LENGTHS)
        expected = differences(lambda x: net.predict(x, lengths=LENGTHS)[np.arange(3), at, 0], x, VALID)  # noqa: B023
        assert_allclose(found.values, expected, atol=1e-8)


def test_the_largest_output_is_explained_unless_another_is_asked_for() -> None:
    net, x = model(), data()
    y = net.predict(x, lengths=LENGTHS)
    found = saliency(net, x, lengths=LENGTHS)
    assert found.target.tolist() == y.argmax(axis=1).tolist()
    assert_allclose(found.output, y.max(axis=1))
    each = saliency(net, x, [0, 1, 0], lengths=LENGTHS)
    for row, target in enumerate((0, 1, 0)):
        assert_allclose(each.values[row], saliency(net, x, target, lengths=LENGTHS).values[row])


def test_ids_are_explained_through_their_vectors() -> None:
    layers = [seqkit.Embedding(6, 3), seqkit.LSTM(4), seqkit.Dense(2)]
    net = seqkit.Sequential(layers, seed=4, dtype="float64").build()
    ids = np.random.default_rng(3).integers(0, 6, (3, 9))
    rest = seqkit.Sequential(layers[1:], dtype="float64")
    vectors = net.layers[0](ids)
    found = saliency(net, ids, 1, lengths=LENGTHS)
    expected = differences(lambda x: rest.predict(x, lengths=LENGTHS)[:, 1], vectors, VALID)
    assert_allclose(found.values, expected, atol=1e-8)
    paths = integrated_gradients(net, ids, 1, lengths=LENGTHS)
    nothing = rest.predict(np.zeros_like(vectors), lengths=LENGTHS)[:, 1]
    assert_allclose(paths.values.sum(axis=(1, 2)), net.predict(ids, lengths=LENGTHS)[:, 1] - nothing, atol=1e-10)
    assert_allclose(paths.baseline_output, nothing)
    masked = seqkit.Sequential([seqkit.Masked([seqkit.Embedding(6, 3), seqkit.LSTM(4)])], seed=0).build()
    assert not saliency(masked, ids).values[ids == 0].any()


@pytest.mark.parametrize("baseline", ["zeros", "mean", "own"])
def test_integrated_gradients_are_complete(baseline: str) -> None:
    net, x = model(), data()
    start = {"zeros": np.zeros(2), "mean": x[VALID].mean(axis=0), "own": np.array([0.3, -2.0])}[baseline]
    found = integrated_gradients(net, x, 1, lengths=LENGTHS, baseline=start if baseline == "own" else baseline)
    change = net.predict(x, lengths=LENGTHS) - net.predict(np.broadcast_to(start, x.shape), lengths=LENGTHS)
    assert_allclose(found.values.sum(axis=(1, 2)), change[:, 1], atol=1e-9)
    assert_allclose(found.gap, 0, atol=1e-9)
    assert not found.values[~VALID].any()


def test_of_a_linear_model_all_is_known() -> None:
    """h_t = a h_{t-1} + w x_t, y = v h_T: the gradient is v a^(T-t) w, and its integral times x is that times x."""
    layer = seqkit.SimpleRNN(1, activation="linear", use_bias=False)
    net = seqkit.Sequential([layer, seqkit.Dense(1)], dtype="float64").build(2)
    layer.params.update(weight_ih=[[0.5, -2.0]], weight_hh=[[0.8]])
    net.layers[1].params["weight"] = [[3.0]]
    x = np.where(VALID[..., None], data(), 0.0)
    ages = np.where(VALID, LENGTHS[:, None] - 1.0 - np.arange(9), np.inf)
    expected = 3.0 * 0.8 ** ages[..., None] * np.array([0.5, -2.0])
    assert_allclose(saliency(net, x, lengths=LENGTHS).values, expected, atol=1e-12)
    assert_allclose(saliency(net, x, lengths=LENGTHS, noise=0.5, samples=3).values, expected, atol=1e-12)
    assert_allclose(integrated_gradients(net, x, lengths=LENGTHS, points=1).values, expected * x, atol=1e-12)
    lags = gradient_by_lag(net, x, lengths=LENGTHS)
    assert_allclose(lags.norm, 3.0 * np.hypot(0.5, 2.0) * 0.8 ** np.arange(9), atol=1e-12)
    assert lags.count.tolist() == [3, 3, 3, 2, 2, 2, 1, 1, 1]
    assert lags.outputs == 1


def test_lags_are_the_norms_of_jacobians() -> None:
    net, x = model(), data()
    squares = [differences(lambda at: net.predict(at, lengths=LENGTHS)[:, k], x, VALID) ** 2 for k in (0, 1)]  # noqa: B023
    norms = np.sqrt(sum(squares).sum(axis=2))
    lags = gradient_by_lag(net, x, lengths=LENGTHS)
    for lag in range(9):
        true = [norms[b, length - 1 - lag] for b, length in enumerate(LENGTHS) if lag < length]
        assert lags.norm[lag] == pytest.approx(np.mean(true), abs=1e-7)
    total = np.cumsum(lags.norm)
    assert lags.reach(0.5) == next(k for k in range(9) if total[k] >= 0.5 * total[-1])


def test_smoothgrad_is_the_mean_over_noise() -> None:
    net, x = model(), np.where(VALID[..., None], data(), 0.0)
    found = saliency(net, x, 0, lengths=LENGTHS, noise=0.3, samples=4, seed=9)
    rng, spread = np.random.default_rng(9), 0.3 * x[VALID].std(axis=0)
    each = [saliency(net, x + spread * rng.standard_normal(x.shape), 0, lengths=LENGTHS).values for _ in range(4)]
    assert_allclose(found.values, np.mean(each, axis=0), atol=1e-12)


def test_planted_causes_are_found() -> None:
    """In the adding problem the numbers at two marked steps are the causes, and nothing else."""
    train, test = adding_problem(3000, 30, seed=0), adding_problem(40, 30, seed=1)
    lstm = seqkit.LSTM(12, input_shape=(None, 2))
    net = seqkit.Sequential([lstm, seqkit.Dense(1)], seed=0)
    bias = lstm.params["bias"].reshape(4, 12).copy()
    bias[1], bias[0] = 3.0, -3.0
    lstm.params["bias"] = bias.ravel()
    net.compile(seqkit.Adam(0.01, global_clipnorm=1.0), "mse")
    net.fit(train.x, train.y, lengths=train.lengths, epochs=6, verbose=0)
    assert np.abs(net.predict(test.x, lengths=test.lengths) - test.y).mean() < 0.05
    found = integrated_gradients(net, test.x, lengths=test.lengths)
    valid = np.arange(test.x.shape[1]) < test.lengths[:, None]
    marked = test.x[..., 1] == 1
    telling = valid & (np.abs(test.x[..., 0]) > 0.1) & (test.x[..., 1] >= 0)
    size = np.abs(found.values[..., 0])
    assert area_under_the_curve(size[telling], marked[telling]) > 0.97


def area_under_the_curve(scores: np.ndarray, positive: np.ndarray) -> float:
    """The share of pairs of a positive and a negative that are in the right order."""
    return float((scores[positive][:, None] > scores[~positive]).mean())


@pytest.mark.peers
def test_gradients_are_those_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    layer = seqkit.LSTM(6).build(2, seed=0, dtype="float64")
    lstm = torch.nn.LSTM(2, 6, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        for name in ("weight_ih", "weight_hh", "bias"):
            target = {"bias": "bias_ih"}.get(name, name)
            getattr(lstm, f"{target}_l0").copy_(torch.tensor(np.array(layer.params[name])))
        lstm.bias_hh_l0.zero_()
    x = np.random.default_rng(0).standard_normal((3, 9, 2))
    there = torch.tensor(x, requires_grad=True)
    lstm(there)[0][:, -1, 4].sum().backward()
    assert_allclose(saliency(layer, x, 4).values, there.grad.numpy(), atol=1e-12)


def test_the_model_stays_as_it_is() -> None:
    net, x = model(dropout=0.4), data()
    net.grads["3.weight"][...] = 7.0
    drawn, y = net.random_state(), net.predict(x, lengths=LENGTHS)
    integrated_gradients(net, x, lengths=LENGTHS, points=2)
    gradient_by_lag(net, x, lengths=LENGTHS)
    assert (net.grads["3.weight"] == 7.0).all()
    assert not net.grads["2.weight_ih"].any()
    assert net.random_state() == drawn
    np.testing.assert_array_equal(net.predict(x, lengths=LENGTHS), y)


def test_wrong_calls() -> None:
    net, x = model(), data()
    with pytest.raises(ConfigError, match="target 2 does not exist; the model has outputs 0 to 1"):
        saliency(net, x, 2)
    with pytest.raises(ConfigError, match="gives one vector per sequence; leave out step"):
        saliency(net, x, step=3)
    with pytest.raises(ConfigError, match="step 3 is outside of a sequence; the shortest has 3"):
        saliency(model(sequences=True), x, step=3, lengths=LENGTHS)
    with pytest.raises(ConfigError, match="baseline is 'ones', expected zeros, mean or an array"):
        integrated_gradients(net, x, baseline="ones")
    with pytest.raises(ConfigError, match=r"baseline has shape \(3,\), expected one that broadcasts to \(3, 9, 2\)"):
        integrated_gradients(net, x, baseline=np.zeros(3))
