"""The compiled step of optimizers against NumPy in float64 and against PyTorch, over many blocks and threads."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit import _core
from seqkit.errors import ConfigError, ShapeError
from seqkit.parameters import Parameters
from seqkit.training.optimizers import SGD, Adam, AdamW, Optimizer, RMSprop

SHAPES = {"weight": (37, 149), "bias": (4097,), "one": (1,), "none": (0, 3), "block": (4096,)}
MANY = {"weight": (900, 1000), "bias": (70_001,)}  # enough for threads
STEPS = 4


def draw(shapes: dict[str, tuple[int, ...]], dtype: str = "float64", seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=shape).astype(dtype) for name, shape in shapes.items()}


def run(optimizer: Optimizer, dtype: str = "float64", shapes: dict[str, tuple[int, ...]] = SHAPES) -> Parameters:
    """The weights after some steps by random gradients."""
    params = Parameters(draw(shapes, dtype), "test")
    for step in range(STEPS):
        optimizer.step(params, draw(shapes, dtype, seed=step + 1))
    return params


# ---- NumPy, in float64 --------------------------------------------------------------------------


def effective(grads: dict[str, np.ndarray], weights: dict[str, np.ndarray], options: dict[str, float]) -> Any:
    """What clipping and the penalty make of gradients, from their definitions."""
    penalty = options.get("l2", 0.0)
    found = {k: g + 2 * penalty * weights[k] * (g.ndim == 2) for k, g in grads.items()}
    if "clipvalue" in options:
        return {k: np.minimum(np.maximum(g, -options["clipvalue"]), options["clipvalue"]) for k, g in found.items()}
    norms = {k: np.linalg.norm(g) for k, g in found.items()}
    if "global_clipnorm" in options:
        norms = dict.fromkeys(norms, np.linalg.norm(list(norms.values())))
    limit = options.get("clipnorm", options.get("global_clipnorm", np.inf))
    return {k: g * limit / norms[k] if norms[k] > limit else g for k, g in found.items()}


def descend(options: dict[str, float]) -> dict[str, np.ndarray]:
    weights = draw(SHAPES)
    for step in range(STEPS):
        grads = effective(draw(SHAPES, seed=step + 1), weights, options)
        weights = {k: w - 0.01 * grads[k] for k, w in weights.items()}
    return weights


def clipped_by_hand() -> list[dict[str, float]]:
    return [{}, {"clipvalue": 0.7}, {"clipnorm": 50.0}, {"clipnorm": 0.3}, {"global_clipnorm": 60.0}, {"l2": 0.3}]


@pytest.mark.parametrize(
    "options", [*clipped_by_hand(), *({**clip, "l2": 0.3} for clip in clipped_by_hand()[1:5])], ids=str
)
def test_clipping_and_penalty(options: dict[str, float]) -> None:
    expected = descend(options)
    found = run(SGD(0.01, **options))
    for name in SHAPES:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-12, atol=1e-15)


class InNumPy(Optimizer):
    """Gradient descent as somebody would write it."""

    name = "numpy"
    slots = ("seen",)

    def _update(self, weight: np.ndarray, grad: np.ndarray, memory: dict[str, np.ndarray]) -> None:
        memory["seen"] += grad
        weight -= self.learning_rate * grad


@pytest.mark.parametrize("options", [*clipped_by_hand(), {"clipvalue": 0.7, "l2": 0.3}], ids=str)
def test_an_optimizer_of_your_own(options: dict[str, float]) -> None:
    expected, optimizer = descend(options), InNumPy(0.01, **options)
    found = run(optimizer)
    for name, weight in draw(SHAPES).items():
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(
            weight - 0.01 * optimizer.state()[f"seen/{name}"], found[name], rtol=1e-9, atol=1e-12
        )


def test_an_update_on_top_of_a_compiled_one() -> None:
    class Halved(Adam):
        def _update(self, weight: np.ndarray, grad: np.ndarray, memory: dict[str, np.ndarray]) -> None:
            super()._update(weight, grad / 2, memory)

    params, halved = Parameters(draw(SHAPES), "test"), Adam(0.1)
    for step in range(STEPS):
        halved.step(params, {name: grad / 2 for name, grad in draw(SHAPES, seed=step + 1).items()})
    found = run(Halved(0.1))
    for name in SHAPES:
        np.testing.assert_array_equal(found[name], params[name])


def test_neither_rule_nor_update() -> None:
    class Nothing(Optimizer):
        name = "nothing"

    with pytest.raises(ConfigError, match="nothing: an optimizer needs a method _update"):
        run(Nothing(0.1))


# ---- PyTorch ------------------------------------------------------------------------------------

PAIRS: dict[str, tuple[Optimizer, str, dict[str, Any]]] = {
    "sgd": (SGD(0.1), "SGD", {"lr": 0.1}),
    "momentum": (SGD(0.1, 0.9), "SGD", {"lr": 0.1, "momentum": 0.9}),
    "nesterov": (SGD(0.1, 0.9, nesterov=True), "SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    "rmsprop": (RMSprop(0.1, 0.8, 1e-30), "RMSprop", {"lr": 0.1, "alpha": 0.8, "eps": 1e-15}),
    "adam": (Adam(0.1, 0.8, 0.9, 1e-30), "Adam", {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-30}),
    "amsgrad": (
        Adam(0.1, 0.8, 0.5, 1e-30, amsgrad=True),
        "Adam",
        {"lr": 0.1, "betas": (0.8, 0.5), "eps": 1e-30, "amsgrad": True},
    ),
    "adamw": (
        AdamW(0.1, 0.2, 0.8, 0.9, 1e-30),
        "AdamW",
        {"lr": 0.1, "weight_decay": 0.2, "betas": (0.8, 0.9), "eps": 1e-30},
    ),
}


@pytest.mark.peers
@pytest.mark.parametrize("clip", [None, 20.0])
@pytest.mark.parametrize("name", PAIRS)
def test_like_pytorch(name: str, clip: float | None) -> None:
    """PyTorch places epsilon elsewhere, and adds 1e-6 to a norm: both are too small to matter here."""
    torch = pytest.importorskip("torch")
    ours, theirs, options = PAIRS[name]
    ours = type(ours)(**ours.config() | {"global_clipnorm": clip})
    tensors = {key: torch.tensor(value, requires_grad=True) for key, value in draw(SHAPES).items()}
    optimizer = getattr(torch.optim, theirs)(tensors.values(), **options)
    for step in range(STEPS):
        for key, grad in draw(SHAPES, seed=step + 1).items():
            tensors[key].grad = torch.tensor(grad)
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(tensors.values(), clip)
        optimizer.step()
    found = run(ours)
    for key, tensor in tensors.items():
        np.testing.assert_allclose(
            found[key], tensor.detach().numpy(), rtol=1e-10, atol=1e-7 if clip else 0, err_msg=key
        )


# ---- threads, layout ----------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"clipnorm": 3.0}, {"global_clipnorm": 3.0, "l2": 0.1}], ids=str)
def test_bits_do_not_depend_on_threads(options: dict[str, float]) -> None:
    def weights(threads: int) -> Parameters:
        with seqkit.threads(threads):
            return run(AdamW(0.1, **options), "float32", MANY)

    one, two = weights(1), weights(2)
    for name in MANY:
        np.testing.assert_array_equal(one[name], two[name])


def test_the_norm_does_not_depend_on_threads_and_is_exact() -> None:
    arrays = draw(MANY, "float32")

    def sums(threads: int) -> list[float]:
        with seqkit.threads(threads):
            return _core.Update(arrays, arrays).square_sums()

    assert sums(1) == sums(2)
    exact = [float(np.sum(np.square(array, dtype=np.longdouble))) for array in arrays.values()]
    np.testing.assert_allclose(sums(1), exact, rtol=1e-13)


def test_any_gradient_that_fits() -> None:
    """Other types and strides are converted; what has another size is refused."""
    weights = draw(SHAPES)
    expected, found = Parameters(copy.deepcopy(weights), "one"), Parameters(weights, "two")
    grads = draw(SHAPES, "float32", 1)
    Adam().step(expected, {name: grad.astype("float64") for name, grad in grads.items()})
    Adam().step(found, {name: np.asfortranarray(grad) for name, grad in grads.items()})
    for name in SHAPES:
        np.testing.assert_array_equal(found[name], expected[name])
    with pytest.raises(ShapeError, match=r"gradient of 'bias' has shape \(3,\), its parameter \(4097,\)"):
        Adam().step(found, grads | {"bias": np.ones(3)})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_finite(dtype: str) -> None:
    for count in (1, 7, 8, 100, 5000):
        array = np.full(count, np.finfo(dtype).max, dtype)
        array[0] = -0.0
        assert _core.first_non_finite({"good": array}) is None
        for wrong in (np.nan, np.inf, -np.inf, -np.nan):
            for place in (0, count // 2, count - 1):
                spoilt = array.copy()
                spoilt[place] = wrong
                assert _core.first_non_finite({"good": array, "bad": spoilt}) == "bad"
                assert _core.first_non_finite({"good": array, "bad": np.stack([spoilt, array], axis=1)[:, :1]}) == "bad"
    assert _core.first_non_finite({"good": np.zeros((0, 3), dtype)}) is None
    assert _core.first_non_finite({"good": np.arange(3)}) is None


def test_one_kind_of_clipping() -> None:
    with pytest.raises(ConfigError, match="adam: expected one kind of clipping, got global_clipnorm and clipvalue"):
        Adam(global_clipnorm=1.0, clipvalue=1.0)
    with pytest.raises(ConfigError, match="sgd: l2 must be a positive number or 0, got -1"):
        SGD(l2=-1)
