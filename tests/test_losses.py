"""Losses and metrics against plain loops over the definitions, in high precision where it matters.

Legend: B batch, T time, K outputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from seqkit.errors import ConfigError, DataError, DTypeError, ShapeError
from seqkit.training import losses, metrics
from seqkit.training.losses import Loss

B, T, K = 4, 5, 3
LENGTHS = np.array([3, 0, 5, 1])
INSIDE = np.arange(T) < LENGTHS[:, None]

Slope = Callable[[Callable[[], float], np.ndarray], np.ndarray]


def softmax(z: np.ndarray) -> np.ndarray:
    return np.exp(z) / np.exp(z).sum()


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def huber(e: float, delta: float) -> float:
    return e * e / 2 if abs(e) <= delta else delta * (abs(e) - delta / 2)


def pinball(true: np.ndarray, pred: np.ndarray, quantiles: list[float]) -> float:
    errors = [
        (t - p, q)
        for t, row in zip(true, pred.reshape(len(true), -1), strict=True)
        for p, q in zip(row, quantiles, strict=True)
    ]
    return sum(q * e if e > 0 else (q - 1) * e for e, q in errors) / len(errors)


def cross_entropy(true: np.ndarray, p: np.ndarray) -> float:
    return -sum(t * math.log(q) for t, q in zip(true, p, strict=True))


def binary(true: np.ndarray, p: np.ndarray) -> float:
    terms = [t * math.log(q) + (1 - t) * math.log(1 - q) for t, q in zip(true, p, strict=True)]
    return -sum(terms) / len(terms)


# Every loss: (object, its definition for one row, what its predictions are)
CASES: dict[str, tuple[Loss, Callable[[Any, np.ndarray], float], str]] = {
    "mse": (losses.get("mse"), lambda t, p: sum((a - b) ** 2 for a, b in zip(t, p, strict=True)) / K, "numbers"),
    "mae": (losses.get("mae"), lambda t, p: sum(abs(a - b) for a, b in zip(t, p, strict=True)) / K, "numbers"),
    "huber": (losses.get("huber"), lambda t, p: sum(huber(e, 1.0) for e in p - t) / K, "numbers"),
    "huber 0.3": (losses.Huber(0.3), lambda t, p: sum(huber(e, 0.3) for e in p - t) / K, "numbers"),
    "pinball": (losses.get("pinball"), lambda t, p: pinball(t, p, [0.5]), "numbers"),
    "pinball 0.1": (losses.Pinball(0.1), lambda t, p: pinball(t, p, [0.1]), "numbers"),
    "categorical": (losses.get("categorical_crossentropy"), cross_entropy, "distribution"),
    "categorical logits": (
        losses.CategoricalCrossentropy(from_logits=True),
        lambda t, z: cross_entropy(t, softmax(z)),
        "logits of a distribution",
    ),
    "sparse": (losses.get("sparse_categorical_crossentropy"), lambda t, p: -math.log(p[t]), "classes"),
    "sparse logits": (
        losses.SparseCategoricalCrossentropy(from_logits=True),
        lambda t, z: -math.log(softmax(z)[t]),
        "logits of classes",
    ),
    "binary": (losses.get("binary_crossentropy"), binary, "probabilities"),
    "binary logits": (
        losses.BinaryCrossentropy(from_logits=True),
        lambda t, z: binary(t, sigmoid(z)),
        "logits of probabilities",
    ),
}


def data(kind: str, leading: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Random targets and predictions of a kind."""
    rng = np.random.default_rng(11)
    raw = rng.normal(size=(*leading, K))
    true = rng.normal(size=(*leading, K))
    if "class" in kind:
        true = rng.integers(0, K, size=leading)
    elif "distribution" in kind:
        true = rng.dirichlet(np.ones(K), size=leading)
    elif "probabilities" in kind:
        true = rng.uniform(size=(*leading, K))
    if kind in ("classes", "distribution"):
        return true, np.apply_along_axis(softmax, -1, raw)
    return true, sigmoid(raw) if kind == "probabilities" else raw


@pytest.mark.parametrize("case", CASES)
class TestEveryLoss:
    def test_vectors(self, case: str, slope: Slope) -> None:
        loss, row, kind = CASES[case]
        true, pred = data(kind, (B,))
        value, dy = loss(true, pred)
        assert value == pytest.approx(sum(row(true[b], pred[b]) for b in range(B)) / B, rel=1e-12)
        np.testing.assert_allclose(dy, slope(lambda: loss(true, pred)[0], pred), atol=1e-8)

    def test_ragged_sequences_with_weights(self, case: str, slope: Slope) -> None:
        loss, row, kind = CASES[case]
        true, pred = data(kind, (B, T))
        pred[~INSIDE] = np.nan
        true[~INSIDE] = -99 if true.dtype.kind == "i" else np.nan
        weight = np.random.default_rng(2).uniform(0.1, 3, size=(B, T))
        weight[~INSIDE] = np.nan
        value, dy = loss(true, pred, weight, LENGTHS)
        steps = list(zip(*np.nonzero(INSIDE), strict=True))
        assert value == pytest.approx(sum(weight[s] * row(true[s], pred[s]) for s in steps) / len(steps), rel=1e-12)
        assert (dy[~INSIDE] == 0).all()
        numeric = slope(lambda: loss(true, pred, weight, LENGTHS)[0], pred)
        np.testing.assert_allclose(dy[INSIDE], numeric[INSIDE], atol=1e-8)

    def test_weight_per_sequence(self, case: str) -> None:
        loss, _, kind = CASES[case]
        true, pred = data(kind, (B, T))
        weight = np.array([0.5, 2.0, 0.0, 1.0])
        expected = loss(true, pred, np.repeat(weight[:, None], T, axis=1), LENGTHS)
        value, dy = loss(true, pred, weight, LENGTHS)
        assert value == expected[0]
        np.testing.assert_array_equal(dy, expected[1])

    def test_full_lengths_are_no_lengths(self, case: str) -> None:
        loss, _, kind = CASES[case]
        true, pred = data(kind, (B, T))
        value, dy = loss(true, pred, lengths=np.full(B, T))
        assert value == loss(true, pred)[0]
        np.testing.assert_array_equal(dy, loss(true, pred)[1])

    def test_nothing_valid(self, case: str) -> None:
        loss, _, kind = CASES[case]
        true, pred = data(kind, (B, T))
        value, dy = loss(true, pred, lengths=np.zeros(B, int))
        assert value == 0.0
        assert (dy == 0).all()

    def test_float32_stays(self, case: str) -> None:
        loss, _, kind = CASES[case]
        true, pred = data(kind, (B,))
        value, dy = loss(true, pred.astype(np.float32), np.ones(B))
        assert dy.dtype == np.float32
        assert value == pytest.approx(loss(true, pred)[0], rel=1e-5)

    def test_config(self, case: str) -> None:
        loss = CASES[case][0]
        again = type(loss)(**loss.config())
        true, pred = data(CASES[case][2], (B,))
        assert again(true, pred)[0] == loss(true, pred)[0]

    def test_wrong_shapes_are_never_broadcast(self, case: str) -> None:
        loss, _, kind = CASES[case]
        true, pred = data(kind, (B,))
        for wrong in (true[:1], true[0], np.repeat(true[None], B, axis=0)):
            with pytest.raises(ShapeError, match=rf"{loss.name}: y has shape"):
                loss(wrong, pred)
        for weight in (np.ones(1), np.ones((B, 1)), np.ones(B + 1)):
            with pytest.raises(ShapeError, match="sample_weight has shape"):
                loss(true, pred, weight)


@pytest.mark.parametrize("name", ["mse", "mae", "huber", "binary_crossentropy"])
def test_one_output_takes_targets_without_its_axis(name: str) -> None:
    loss, rng = losses.get(name), np.random.default_rng(0)
    for leading in [(B,), (B, T)]:
        true, pred = rng.uniform(size=leading), rng.uniform(size=(*leading, 1))
        value, dy = loss(true, pred)
        assert value == loss(true[..., None], pred)[0]
        assert dy.shape == pred.shape


class TestPinball:
    """Several quantiles: more predictions than targets."""

    QUANTILES = (0.05, 0.5, 0.8)

    def test_quantiles_of_a_target_adjoin(self, slope: Slope) -> None:
        loss, rng = losses.Pinball(self.QUANTILES), np.random.default_rng(3)
        true, pred = rng.normal(size=(B, T, 2)), rng.normal(size=(B, T, 2 * 3))
        pred[~INSIDE] = np.nan
        value, dy = loss(true, pred, lengths=LENGTHS)
        expected = [pinball(true[b, t], pred[b, t], list(self.QUANTILES)) for b, t in np.argwhere(INSIDE)]
        assert value == pytest.approx(np.mean(expected), rel=1e-12)
        numeric = slope(lambda: loss(true, pred, lengths=LENGTHS)[0], pred)
        np.testing.assert_allclose(dy[INSIDE], numeric[INSIDE], atol=1e-8)

    def test_the_least_loss_is_at_the_quantile(self) -> None:
        values = np.random.default_rng(4).exponential(size=999)
        for quantile in self.QUANTILES:
            loss = losses.Pinball(quantile)
            at = [loss(values, np.full((999, 1), guess))[0] for guess in np.sort(values)]
            assert np.sort(values)[np.argmin(at)] == np.quantile(values, quantile, method="inverted_cdf")

    def test_a_hit_has_no_gradient(self) -> None:
        value, dy = losses.Pinball(0.2)([1.0, 2.0], np.array([[1.0], [1.0]]))
        assert (value, dy.tolist()) == (0.1, [[0.0], [-0.1]])

    @pytest.mark.peers
    def test_gradient_is_that_of_pytorch(self) -> None:
        torch = pytest.importorskip("torch", reason="PyTorch is not installed")
        loss, rng = losses.Pinball(self.QUANTILES), np.random.default_rng(5)
        true, pred = rng.normal(size=(B, 2)), rng.normal(size=(B, 6))
        theirs = torch.tensor(pred, requires_grad=True)
        error = torch.tensor(true)[:, :, None] - theirs.reshape(B, 2, 3)
        q = torch.tensor(self.QUANTILES, dtype=torch.float64)
        expected = torch.maximum(q * error, (q - 1) * error).mean()
        expected.backward()
        value, dy = loss(true, pred)
        assert value == pytest.approx(expected.item(), rel=1e-12)
        np.testing.assert_allclose(dy, theirs.grad.numpy(), rtol=1e-12)

    def test_wrong(self) -> None:
        for wrong in (0, 1, [0.5, 1.5], []):
            with pytest.raises(ConfigError, match="pinball: quantiles must lie between 0 and 1"):
                losses.Pinball(wrong)
        with pytest.raises(ShapeError, match="4 columns, expected 3 for every target"):
            losses.Pinball(self.QUANTILES)(np.ones((B, 1)), np.ones((B, 4)))
        with pytest.raises(ShapeError, match="y has shape"):
            losses.Pinball(self.QUANTILES)(np.ones((B, 3)), np.ones((B, 3)))


def test_class_ids_may_have_a_last_axis_or_be_whole_floats() -> None:
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    pred = np.random.default_rng(0).normal(size=(2, 3))
    expected = loss([2, 0], pred)[0]
    assert loss([[2], [0]], pred)[0] == expected
    assert loss([2.0, 0.0], pred)[0] == expected


def test_wrong_class_ids() -> None:
    loss, pred = losses.get("sparse_categorical_crossentropy"), np.full((2, 3), 1 / 3)
    for wrong in (3, -1):
        with pytest.raises(DataError, match=rf"y holds the class id {wrong}, expected 0 to 2"):
            loss([0, wrong], pred)
    with pytest.raises(DTypeError, match="integer class ids"):
        loss([0.0, 0.5], pred)


def test_logits_are_stable() -> None:
    far = np.array([[1e4, 0.0]], dtype=np.float32)
    sparse = losses.SparseCategoricalCrossentropy(from_logits=True)
    assert sparse([1], far)[0] == 1e4
    np.testing.assert_array_equal(sparse([1], far)[1], [[1.0, -1.0]])
    assert sparse([0], far)[0] == 0.0
    both = losses.BinaryCrossentropy(from_logits=True)
    value, dy = both([[0.0, 1.0]], np.array([[1e4, -1e4]], dtype=np.float32))
    assert value == 1e4
    np.testing.assert_array_equal(dy, [[0.5, -0.5]])
    # log(1 + exp(-40)) is exp(-40), which 1 + exp(-40) would lose
    assert both([[1.0]], np.array([[40.0]]))[0] == pytest.approx(math.exp(-40), rel=1e-12, abs=0)


def test_confidently_wrong_probabilities_keep_their_gradient() -> None:
    p = np.array([[1e-30, 1.0]], dtype=np.float32)
    value, dy = losses.get("categorical_crossentropy")([[1.0, 0.0]], p)
    assert value == pytest.approx(30 * math.log(10), rel=1e-6)
    dz = p * (dy - (p * dy).sum())  # through a softmax
    np.testing.assert_allclose(dz, [[-1.0, 1.0]], rtol=1e-5)
    value, dy = losses.get("binary_crossentropy")([[1.0, 0.0]], np.array([[0.0, 1.0]], dtype=np.float32))
    assert np.isfinite(value)
    assert np.isfinite(dy).all()


@pytest.mark.parametrize("name", ["binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy"])
def test_logits_taken_for_probabilities(name: str) -> None:
    true = [0] if name.startswith("sparse") else [[1.0, 0.0]]
    for wrong in (1.5, -0.5):
        with pytest.raises(ConfigError, match=r"holds -?\d.5, expected probabilities .*from_logits=True"):
            losses.get(name)(true, np.array([[wrong, 0.5]]))


def test_nan_reaches_the_value() -> None:
    for loss, _, kind in CASES.values():
        true, pred = data(kind, (B,))
        pred[1] = np.nan
        assert math.isnan(loss(true, pred)[0])


def test_predictions_need_an_axis_of_outputs() -> None:
    with pytest.raises(ShapeError, match="1 dimensions"):
        losses.get("mse")(np.ones(3), np.ones(3))
    with pytest.raises(ShapeError, match="return_sequences=False"):
        losses.get("mse")(np.ones((2, 1)), np.ones((2, 3, 1)))


def test_unknown_names() -> None:
    with pytest.raises(ConfigError, match="no loss named 'msr'; did you mean 'mse'"):
        losses.get("msr")
    with pytest.raises(ConfigError, match=r"no metric named 'f2'.*accuracy"):
        metrics.get("f2")
    with pytest.raises(ConfigError, match="huber: delta must be a positive number, got 0"):
        losses.Huber(0)
