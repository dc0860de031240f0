"""Made-up health records have the properties that their description claims."""

from __future__ import annotations

import numpy as np
import pytest

from seqkit.data.records import HOURS, RATES, _wandering, carried_forward, gaps, irregular_records
from seqkit.errors import ConfigError


def test_gaps_and_values_carried_forward_by_their_definitions() -> None:
    rng = np.random.default_rng(1)
    times, mask = np.sort(rng.uniform(0, 9, size=30)), rng.random((30, 4)) < 0.3
    values = rng.normal(size=(30, 4))
    found, carried = gaps(times, mask), carried_forward(values, mask)
    for variable in range(4):
        for step in range(30):
            before = [s for s in range(step) if mask[s, variable]]
            expected = times[step] - times[before[-1] if before else 0]
            assert found[step, variable] == pytest.approx(expected)
            upto = [s for s in range(step + 1) if mask[s, variable]]
            assert carried[step, variable] == (values[upto[-1], variable] if upto else 0)


def test_what_is_drawn() -> None:
    data = irregular_records(1500, informative=0.0, seed=2)
    inside = np.arange(data.x.shape[1]) < data.lengths[:, None]
    mask = data.x[..., 6:12][inside]
    assert np.allclose(mask.mean(axis=0), RATES, atol=0.01)
    assert data.lengths.mean() == pytest.approx(1 + HOURS / 2, abs=0.3)  # a Poisson process, and the first visit
    assert (data.x[~inside] == 0).all()
    # what is measured says nothing of the outcome, how often neither
    sick = data.y[:, 0] == 1
    assert abs(data.lengths[sick].mean() - data.lengths[~sick].mean()) < 0.7
    # P(y = 1), by a sum over the normal distribution of a + b
    s = np.linspace(-9, 9, 20001)
    density = np.exp(-(s**2) / 4) / np.sqrt(4 * np.pi)
    assert sick.mean() == pytest.approx(np.trapezoid(density / (1 + np.exp(-3 * (s - 1))), s), abs=0.025)
    # the variance of a measured value: w^2 Var(a + b t / 48) + 1, at the first visit w^2 + 1
    first = data.x[:, 0][data.x[:, 0, 6] == 1, 0]
    assert first.var() == pytest.approx(2.0, rel=0.08)


def test_what_wanders_keeps_its_variance_and_forgets_in_12_hours() -> None:
    drawn = _wandering(np.array([0.0, 6.0, 30.0]), 100_000, np.random.default_rng(4))
    assert np.allclose(np.cov(drawn), np.exp(-abs(np.subtract.outer([0, 6, 30], [0, 6, 30])) / 12), atol=0.02)


def test_missingness_is_informative() -> None:
    data = irregular_records(400, informative=1.0, seed=3)
    sick = data.y[:, 0] == 1
    assert data.lengths[sick].mean() > 1.4 * data.lengths[~sick].mean()
    measured = data.x[..., 6:12].sum(axis=(1, 2)) / data.lengths / 6
    assert measured[sick].mean() > measured[~sick].mean() + 0.1


def test_seeds_and_complaints() -> None:
    one, same, other = (irregular_records(5, seed=seed) for seed in (7, 7, 8))
    assert np.array_equal(one.x, same.x)
    assert not np.array_equal(one.lengths, other.lengths)
    assert irregular_records(0, seed=0).x.shape == (0, 0, 18)
    with pytest.raises(ConfigError, match="informative must be 0 or more"):
        irregular_records(1, informative=-1.0)
