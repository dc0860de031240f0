"""Optimizers against closed forms and against steps worked out value by value."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from seqkit.errors import ConfigError, LoadError, SeqkitError
from seqkit.parameters import JoinedParameters, Parameters
from seqkit.training import optimizers
from seqkit.training.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop

GRADS = [[0.5, -2.0, 0.0], [1.5, 0.25, 1e-4], [-3.0, 0.75, 2.0], [0.125, -1.0, -0.5]]
START = [1.0, -0.5, 0.25]


def run(optimizer: Optimizer, dtype: str = "float64", grads: list[list[float]] = GRADS) -> np.ndarray:
    params = Parameters({"w": np.array(START, dtype)}, "test")
    for grad in grads:
        optimizer.step(params, {"w": np.array(grad, dtype)})
    return params["w"]


# One weight, worked out with plain floats from the formulas of the papers and Keras' documentation.


def sgd(w: float, grads: list[float], momentum: float, nesterov: bool) -> float:
    v = 0.0
    for g in grads:
        v = momentum * v - 0.01 * g
        w = w + momentum * v - 0.01 * g if nesterov else w + v
    return w


def rmsprop(w: float, grads: list[float]) -> float:
    v = 0.0
    for g in grads:
        v = 0.9 * v + 0.1 * g**2
        w = w - 0.001 * g / math.sqrt(v + 1e-7)
    return w


def adam(w: float, grads: list[float], decay: float = 0.0) -> float:
    m = v = 0.0
    for t, g in enumerate(grads, start=1):
        w = w - 0.001 * decay * w
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g**2
        epsilon = 1e-7 / math.sqrt(1 - 0.999**t)  # "epsilon hat" of section 2
        w = w - 0.001 * (m / (1 - 0.9**t)) / (math.sqrt(v / (1 - 0.999**t)) + epsilon)
    return w


@pytest.mark.parametrize(
    ("optimizer", "oracle"),
    [
        (SGD(), lambda w, g: sgd(w, g, 0.0, False)),
        (SGD(nesterov=True), lambda w, g: sgd(w, g, 0.0, True)),
        (SGD(momentum=0.7), lambda w, g: sgd(w, g, 0.7, False)),
        (SGD(momentum=0.7, nesterov=True), lambda w, g: sgd(w, g, 0.7, True)),
        (RMSprop(), rmsprop),
        (Adam(), adam),
        (AdamW(), lambda w, g: adam(w, g, decay=0.004)),
    ],
    ids=repr,
)
def test_steps_by_hand(optimizer: Optimizer, oracle: Any) -> None:
    expected = [oracle(w, list(column)) for w, column in zip(START, zip(*GRADS, strict=True), strict=True)]
    np.testing.assert_allclose(run(optimizer), expected, rtol=1e-12, atol=1e-15)
    assert optimizer.iterations == len(GRADS)


def test_every_option_reaches_the_formula() -> None:
    # The first step in closed form: Adam's is lr g / (|g| + e), RMSprop's lr g / sqrt((1 - rho) g^2 + e).
    first = [GRADS[0]]
    w, g = np.array(START), np.array(GRADS[0])
    hat = 0.5 / math.sqrt(1 - 0.8)
    np.testing.assert_allclose(run(Adam(0.1, 0.5, 0.8, 0.5), grads=first), w - 0.1 * g / (abs(g) + hat), rtol=1e-12)
    np.testing.assert_allclose(
        run(AdamW(0.1, 0.3, 0.5, 0.8, 0.5), grads=first), w * (1 - 0.03) - 0.1 * g / (abs(g) + hat), rtol=1e-12
    )
    np.testing.assert_allclose(run(RMSprop(0.1, 0.6, 0.5), grads=first), w - 0.1 * g / np.sqrt(0.4 * g**2 + 0.5))
    # Adam's second step forgets the first with beta_1 and beta_2.
    one = Parameters({"w": np.zeros(1)}, "test")
    second = Adam(1.0, 0.5, 0.8, 0.0)
    for value in (1.0, 3.0):
        second.step(one, {"w": np.array([value])})
    mean, square = (0.25 * 1 + 0.5 * 3) / 0.75, (0.16 * 1 + 0.2 * 9) / 0.36
    np.testing.assert_allclose(one["w"], -1.0 - mean / math.sqrt(square))


@pytest.mark.parametrize("name", sorted(optimizers.OPTIMIZERS))
def test_float32_stays_and_gradients_are_only_read(name: str) -> None:
    optimizer = optimizers.get(name)
    params = Parameters({"w": np.array(START, np.float32)}, "test")
    grad = np.array(GRADS[0], np.float32)
    grad.flags.writeable = False
    optimizer.step(params, {"w": grad})
    assert params["w"].dtype == np.float32
    assert all(array.dtype == np.float32 for key, array in optimizer.state().items() if key != "iterations")
    np.testing.assert_allclose(run(optimizers.get(name), "float32"), run(optimizers.get(name)), rtol=1e-5)


def test_version_rises() -> None:
    params = Parameters({"w": np.zeros(1)}, "test")
    SGD().step(params, {"w": np.ones(1)})
    assert params.version == 1


class TestClipping:
    GRADS = MappingProxyType({"a": np.array([3.0, 0.0]), "b": np.array([[4.0]])})  # of norm 5

    def moved(self, limit: float | None) -> np.ndarray:
        params = Parameters({"a": np.zeros(2), "b": np.zeros((1, 1))}, "test")
        SGD(1.0, global_clipnorm=limit).step(params, self.GRADS)
        return -np.concatenate([params["a"], params["b"].ravel()])

    def test_norm_is_over_all_parameters(self) -> None:
        assert optimizers.global_norm(self.GRADS) == 5.0
        np.testing.assert_allclose(self.moved(1.0), [0.6, 0.0, 0.8])

    def test_small_gradients_are_left_alone(self) -> None:
        for limit in (5.0, 8.0):
            np.testing.assert_array_equal(self.moved(limit), [3.0, 0.0, 4.0])
        np.testing.assert_array_equal(self.moved(None), [3.0, 0.0, 4.0])

    def test_norm_of_large_float32(self) -> None:
        assert optimizers.global_norm({"a": np.array([3e30, 4e30], np.float32)}) == pytest.approx(5e30)


@pytest.mark.parametrize("name", sorted(optimizers.OPTIMIZERS))
def test_state_goes_on_where_it_stopped(name: str) -> None:
    def options() -> dict[str, Any]:
        return {"learning_rate": 0.05, **({"momentum": 0.9} if name == "sgd" else {})}

    whole = run(optimizers.OPTIMIZERS[name](**options()))
    first = optimizers.OPTIMIZERS[name](**options())
    params = Parameters({"w": np.array(START)}, "test")
    for grad in GRADS[:2]:
        first.step(params, {"w": np.array(grad)})
    second = type(first)(**first.config())
    assert second.config() == first.config()
    second.restore({key: array.copy() for key, array in first.state().items()}, params)
    for grad in GRADS[2:]:
        second.step(params, {"w": np.array(grad)})
    np.testing.assert_array_equal(params["w"], whole)


def test_restored_arrays_are_copies() -> None:
    params = Parameters({"w": np.zeros(1)}, "test")
    first, second = Adam(), Adam()
    first.step(params, {"w": np.ones(1)})
    second.restore(first.state(), params)
    first.step(params, {"w": np.ones(1)})
    assert second.iterations == 1
    assert second.state()["mean/w"] != first.state()["mean/w"]


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"iterations": np.array(1), "mean/w": np.zeros(1)},
        {"iterations": np.array(1), "mean/w": np.zeros(2), "mean_square/w": np.zeros(1)},
        {"iterations": np.array(1), "mean/v": np.zeros(1), "mean_square/v": np.zeros(1)},
        {"iterations": np.array(1), "velocity/w": np.zeros(1)},
    ],
)
def test_state_that_does_not_fit(state: dict[str, np.ndarray]) -> None:
    optimizer = Adam()
    with pytest.raises(LoadError, match="adam: the saved state does not fit"):
        optimizer.restore(state, Parameters({"w": np.zeros(1)}, "test"))
    assert optimizer.iterations == 0


def test_one_optimizer_serves_one_model() -> None:
    optimizer = Adam()
    optimizer.step(Parameters({"w": np.zeros(2)}, "one"), {"w": np.ones(2)})
    with pytest.raises(ConfigError, match="make a new optimizer for every model"):
        optimizer.step(Parameters({"w": np.zeros(3)}, "two"), {"w": np.ones(3)})


def test_errors() -> None:
    with pytest.raises(ConfigError, match=r"no optimizer named 'adaam'; did you mean 'adam'"):
        optimizers.get("adaam")
    with pytest.raises(ConfigError, match="sgd: learning_rate must be a positive number or 0, got -1"):
        SGD(-1)
    with pytest.raises(ConfigError, match=r"adam: beta_1 must be a number of at least 0 and below 1, got 1.0"):
        Adam(beta_1=1.0)
    with pytest.raises(ConfigError, match="rmsprop: global_clipnorm must be a positive number, got 0"):
        RMSprop(global_clipnorm=0)


class TestJoinedParameters:
    def test_reading_and_writing_go_to_the_parts(self) -> None:
        inner = Parameters({"weight": np.zeros((1, 2)), "bias": np.zeros(1)}, "inner")
        joined = JoinedParameters({"0": JoinedParameters({"forward": inner})})
        assert list(joined) == ["0.forward.weight", "0.forward.bias"]
        assert len(joined) == 2
        joined["0.forward.bias"] = [4.0]
        with joined.editing() as arrays:
            arrays["0.forward.weight"][...] = 7.0
        assert inner["bias"].tolist() == [4.0]
        assert inner["weight"].tolist() == [[7.0, 7.0]]
        assert inner.version == joined.version == 2
        assert not joined["0.forward.bias"].flags.writeable

    def test_version_rises_with_every_part(self) -> None:
        first, second = (Parameters({"w": np.zeros(1)}, "part") for _ in range(2))
        joined = JoinedParameters({"0": first, "1": second})
        seen = [joined.version]
        for part in (first, second, second, first):
            part["w"] = [1.0]
            seen.append(joined.version)
        assert len(set(seen)) == 5

    def test_errors(self) -> None:
        joined = JoinedParameters({"0": Parameters({"bias": np.zeros(1)}, "dense")})
        assert "1.bias" not in joined
        assert "0.weight" not in joined
        with pytest.raises(LookupError):
            joined["1.bias"]
        with pytest.raises(SeqkitError, match=r"no parameter '1\.bias'; there are 0\.bias"):
            joined["1.bias"] = [1.0]
        with pytest.raises(SeqkitError, match=r"dense: no parameter 'weight'"):
            joined["0.weight"] = [1.0]
        with pytest.raises(SeqkitError, match="cannot be removed"):
            del joined["0.bias"]
