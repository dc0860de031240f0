"""CRF against all tag sequences and finite differences, forbidden transitions included.

Legend: B batch, T time, K tags.
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest

import seqkit
from seqkit.errors import ConfigError, DataError, SeqkitError, ShapeError
from seqkit.training.crf import CRF
from seqkit.training.losses import get
from seqkit.training.optimizers import Adam

B, T, K = 5, 5, 3
LENGTHS = [5, 2, 0, 1, 4]
WEIGHTS = [1.0, 0.5, 3.0, 2.0, 0.25]
STEPS = sum(LENGTHS)
FORBIDDEN = -10_000.0


@pytest.fixture
def emissions() -> np.ndarray:
    """Random emissions (B, T, K), NaN past the end."""
    e = np.random.default_rng(0).normal(scale=2, size=(B, T, K))
    e[np.arange(T) >= np.array(LENGTHS)[:, None]] = np.nan
    return e


@pytest.fixture
def tags() -> np.ndarray:
    """Random tags (B, T), no tag past the end."""
    y = np.random.default_rng(1).integers(K, size=(B, T))
    y[np.arange(T) >= np.array(LENGTHS)[:, None]] = -7
    return y


@pytest.fixture
def crf() -> CRF:
    """A float64 CRF with random parameters."""
    made, rng = CRF(K, "float64"), np.random.default_rng(2)
    for key, array in made.params.items():
        made.params[key] = rng.normal(size=array.shape)
    return made


def score(crf: CRF, path: tuple[int, ...], e: np.ndarray) -> float:
    p = crf.params
    inner = sum(e[t, k] for t, k in enumerate(path)) + sum(p["transitions"][a, b] for a, b in itertools.pairwise(path))
    return float(p["start"][path[0]] + inner + p["end"][path[-1]])


def negative_log_p(crf: CRF, tags: np.ndarray, e: np.ndarray) -> float:
    """Over all tag sequences; shifted, so that large scores are possible."""
    if len(e) == 0:
        return 0.0
    scores = np.array([score(crf, path, e) for path in itertools.product(range(crf.tags), repeat=len(e))])
    return float(scores.max() + math.log(np.exp(scores - scores.max()).sum()) - score(crf, tuple(tags), e))


def expected_value(crf: CRF, tags: np.ndarray, emissions: np.ndarray) -> float:
    rows = zip(emissions, tags, LENGTHS, WEIGHTS, strict=True)
    return sum(w * negative_log_p(crf, y[:n], e[:n]) for e, y, n, w in rows) / STEPS


def check_gradients(crf: CRF, tags: np.ndarray, emissions: np.ndarray, step: float = 1e-6) -> None:
    def value(e: np.ndarray = emissions) -> float:
        return crf(tags, e, WEIGHTS, LENGTHS)[0]

    for grad in crf.grads.values():
        grad.fill(0.0)
    _, slopes = crf(tags, emissions, WEIGHTS, LENGTHS)
    grads = {key: grad.copy() for key, grad in crf.grads.items()}
    for at in np.ndindex(emissions.shape):
        up, down = emissions.copy(), emissions.copy()
        up[at] += step
        down[at] -= step
        assert slopes[at] == pytest.approx((value(up) - value(down)) / (2 * step), abs=1e-8)
    for key in list(crf.params):
        own = crf.params[key].copy()
        for at in np.ndindex(own.shape):
            values = []
            for moved in (own[at] + step, own[at] - step):
                changed = own.copy()
                changed[at] = moved
                crf.params[key] = changed
                values.append(value())
            assert grads[key][at] == pytest.approx((values[0] - values[1]) / (2 * step), abs=1e-8)
        crf.params[key] = own
    assert not slopes[np.isnan(emissions)].any()


def test_value_is_that_of_all_sequences(crf: CRF, tags: np.ndarray, emissions: np.ndarray) -> None:
    value, _ = crf(tags, emissions, WEIGHTS, LENGTHS)
    assert value == pytest.approx(expected_value(crf, tags, emissions), rel=1e-12)


def test_gradients(crf: CRF, tags: np.ndarray, emissions: np.ndarray) -> None:
    check_gradients(crf, tags, emissions)


@pytest.mark.parametrize("size", [1e4, np.inf])
def test_forbidden_transitions(crf: CRF, tags: np.ndarray, emissions: np.ndarray, size: float) -> None:
    """Only 0 -> 1, 1 -> 2, 2 -> 2 and 2 -> 0 are allowed: sums that underflow are taken as logarithms."""
    transitions = crf.params["transitions"].copy()
    transitions[[0, 0, 1, 1, 2], [0, 2, 0, 1, 1]] = -size
    crf.params["transitions"] = transitions
    tags[0], tags[1, :2], tags[4, :4] = [0, 1, 2, 2, 0], [1, 2], [2, 0, 1, 2]
    emissions[0, 1] = [900.0, -900.0, 900.0]  # the allowed tag is by far the least likely here
    emissions[4, 0] = [2000.0, 0.0, -1000.0]
    value, slopes = crf(tags, emissions, WEIGHTS, LENGTHS)
    assert value == pytest.approx(expected_value(crf, tags, emissions), rel=1e-12)
    assert np.isfinite(slopes).all()
    assert all(np.isfinite(grad).all() for grad in crf.grads.values())
    if size < np.inf:
        check_gradients(crf, tags, emissions, step=1e-5)


def test_forbidden_everywhere(crf: CRF) -> None:
    """Every sequence has forbidden transitions: their sums underflow in both directions."""
    crf.params["transitions"] = np.array([[0, -5000, -9000], [-9000, 0, -5000], [-5000, -9000, 0]]) - 2000.0
    e = np.full((1, 4, 3), -20_000.0)
    e[0, [0, 1, 2, 3], [0, 1, 2, 0]] = 0.0
    value, slopes = crf([[0, 1, 2, 0]], e)
    assert value == pytest.approx(negative_log_p(crf, np.array([0, 1, 2, 0]), e[0]) / 4, abs=1e-9)
    np.testing.assert_allclose(slopes, 0.0, atol=1e-9)  # the tags are certain
    np.testing.assert_allclose(crf.grads["transitions"], 0.0, atol=1e-9)


def test_gradients_accumulate(crf: CRF, tags: np.ndarray, emissions: np.ndarray) -> None:
    crf(tags, emissions, None, LENGTHS)
    once = {key: grad.copy() for key, grad in crf.grads.items()}
    crf(tags, emissions, None, LENGTHS)
    for key, grad in crf.grads.items():
        np.testing.assert_allclose(grad, 2 * once[key], rtol=1e-12)
        assert once[key].any()


def test_long_sequences_do_not_underflow() -> None:
    crf = CRF(2)
    value, slopes = crf(np.zeros((1, 50_000), int), np.zeros((1, 50_000, 2)))
    assert value == pytest.approx(math.log(2), rel=1e-12)
    np.testing.assert_allclose(slopes[0, :, 0] * 50_000, -0.5, rtol=1e-6)


def test_bits_depend_on_neither_batch_nor_threads() -> None:
    rng = np.random.default_rng(3)
    e, lengths = rng.normal(size=(30, 80, 9)).astype(np.float32), rng.integers(0, 81, size=30)
    y, crf = rng.integers(9, size=(30, 80)), CRF(9)
    crf.params["transitions"] = rng.normal(size=(9, 9))
    results = []
    for threads in (1, 3):
        crf.grads["transitions"][...] = 0
        with seqkit.threads(threads):
            results.append((*crf(y, e, None, lengths), crf.grads["transitions"].copy(), crf.decode(e, lengths)))
    assert results[0][0] == results[1][0]
    np.testing.assert_array_equal(results[0][1], results[1][1])
    np.testing.assert_array_equal(results[0][2], results[1][2])
    for n in (0, 7, 29):
        total, length = int(lengths.sum()), int(lengths[n])
        _, alone = crf(y[n : n + 1, :length], e[n : n + 1, :length], [length / total])
        np.testing.assert_array_equal(alone[0], results[0][1][n, :length])
        np.testing.assert_array_equal(results[0][3][n], crf.decode([e[n, :length]])[0])


@pytest.mark.parametrize("seed", range(20))
def test_decode(crf: CRF, seed: int) -> None:
    emissions = np.random.default_rng(seed).normal(size=(B, T, K))
    found = crf.decode(emissions, LENGTHS)
    assert found[2].tolist() == []
    for e, n, path in zip(emissions, LENGTHS, found, strict=True):
        if n:
            paths = list(itertools.product(range(K), repeat=n))
            assert tuple(path) == max(paths, key=lambda path: score(crf, path, e))
    rows = [e[:n] for e, n in zip(emissions, LENGTHS, strict=True)]
    assert [path.tolist() for path in crf.decode(rows)] == [path.tolist() for path in found]


def test_nan_is_seen(crf: CRF, tags: np.ndarray, emissions: np.ndarray) -> None:
    emissions[0, 2] = np.nan
    assert math.isnan(crf(tags, emissions, None, LENGTHS)[0])


@pytest.mark.parametrize(
    ("tags", "scores", "weights", "error", "says"),
    [
        ([[0, 1]], np.zeros((1, 2, 4)), None, ShapeError, "has 4 features, expected 3, one for every tag"),
        ([[0, 3]], np.zeros((1, 2, 3)), None, DataError, "class id 3, expected 0 to 2"),
        ([[0]], np.zeros((1, 2, 3)), None, ShapeError, r"y has shape \(1, 1\)"),
        ([[0, 1]], np.zeros((1, 2, 3)), [[1, 1]], ShapeError, "one per sequence"),
        ([0], np.zeros((1, 3)), None, ShapeError, "return_sequences=True"),
    ],
)
def test_wrong_calls(tags: object, scores: np.ndarray, weights: object, error: type[SeqkitError], says: str) -> None:
    with pytest.raises(error, match=says):
        CRF(3)(tags, scores, weights)


def test_wrong_options() -> None:
    with pytest.raises(ConfigError, match=r"seqkit.CRF\(tags\)"):
        get("crf")
    with pytest.raises(ConfigError, match="tags must be a positive integer"):
        CRF(0)
    with pytest.raises(ConfigError, match="dtype must be"):
        CRF(2, "int8")
    assert CRF(4, "float64").config() == {"tags": 4, "dtype": "float64"}


def drunken_walk(count: int, seed: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Tags that go round, 0 1 2 0 ..., or stay with probability 0.1; half of the inputs say nothing."""
    rng = np.random.default_rng(seed)
    tags = [(rng.integers(3) + np.cumsum(rng.random(n) > 0.1)) % 3 for n in rng.integers(5, 15, size=count)]
    return [np.eye(3)[row] * (rng.random((len(row), 1)) > 0.5) for row in tags], tags


def test_a_tagger_learns_transitions(tmp_path: Path) -> None:
    """A model that sees one step at a time knows half of the tags; its neighbours tell the others."""
    x, y = drunken_walk(60, 4)
    crf = CRF(3)
    model = seqkit.Sequential([seqkit.Dense(3)], seed=0)
    model.compile(Adam(0.1), crf)
    losses = model.fit(x, y, epochs=30, batch_size=16).history["loss"]
    assert losses[-1] < 0.5 * losses[0]
    transitions = crf.params["transitions"]
    assert (transitions.argmax(axis=1) == [1, 2, 0]).all()
    test, true = drunken_walk(60, 5)
    emissions = model.predict(test)
    alone = np.concatenate([row.argmax(axis=1) for row in emissions])
    found, expected = np.concatenate(crf.decode(emissions)), np.concatenate(true)
    assert (alone == expected).mean() < 0.75
    assert (found == expected).mean() > 0.9
    model.save(tmp_path / "tagger")
    again = seqkit.load(tmp_path / "tagger")
    assert again.evaluate(test, true) == model.evaluate(test, true)
    total = sum(crf(tags[None], row[None])[0] * len(tags) for tags, row in zip(true, emissions, strict=True))
    assert model.evaluate(test, true, batch_size=7) == pytest.approx(total / len(expected), rel=1e-6)
