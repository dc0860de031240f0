"""Initial values: ranges, moments and orthogonality of large samples."""

from __future__ import annotations

import numpy as np
import pytest

from seqkit import initializers
from seqkit.errors import ConfigError, ShapeError


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.mark.parametrize("name", sorted(initializers.INITIALIZERS))
def test_shape_dtype_and_seed(name: str) -> None:
    first, second = (initializers.get(name)((30, 20), rng()) for _ in range(2))
    assert first.shape == (30, 20)
    assert first.dtype == np.float64
    np.testing.assert_array_equal(first, second)


def test_constants() -> None:
    assert (initializers.get("zeros")((3,), rng()) == 0).all()
    assert (initializers.get("ones")((3,), rng()) == 1).all()


# Variances: of a uniform distribution on [-a, a] it is a^2 / 3.  O = 300, I = 100 are distinct
# so that a formula that uses one of them twice fails.
@pytest.mark.parametrize(
    ("name", "variance", "largest"),
    [
        ("glorot_uniform", 2 / 400, np.sqrt(6 / 400)),
        ("glorot_normal", 2 / 400, 2 * np.sqrt(2 / 400) / 0.8796),
        ("random_normal", 0.0025, np.inf),
        ("random_uniform", 0.0025 / 3, 0.05),
    ],
)
def test_moments(name: str, variance: float, largest: float) -> None:
    values = initializers.get(name)((300, 100), rng())
    assert abs(values.mean()) < 5 * np.sqrt(variance / values.size)
    assert values.var() == pytest.approx(variance, rel=0.05)
    assert np.abs(values).max() <= largest
    if np.isfinite(largest):
        assert np.abs(values).max() > 0.98 * largest  # the edge is where it should be


@pytest.mark.parametrize("shape", [(5, 5), (3, 7), (7, 3), (40, 70), (70, 40), (65, 65)])
def test_orthogonal(shape: tuple[int, int]) -> None:
    q = initializers.get("orthogonal")(shape, rng())
    small = q.T @ q if shape[0] > shape[1] else q @ q.T
    np.testing.assert_allclose(small, np.eye(min(shape)), atol=1e-14)


def test_orthogonal_is_uniform() -> None:
    # For the uniform distribution the mean of the trace is 0; the raw QR of LAPACK has a
    # negative diagonal more often than not.
    traces = [np.trace(initializers.get("orthogonal")((4, 4), np.random.default_rng(s))) for s in range(400)]
    assert abs(np.mean(traces)) < 4 / np.sqrt(400)


def test_errors_name_the_choices() -> None:
    with pytest.raises(ConfigError, match=r"no initializer named 'glorot'; did you mean.*glorot_normal.*orthogonal"):
        initializers.get("glorot")
    with pytest.raises(ShapeError, match=r"glorot_uniform: needs a matrix .* got shape \(3,\)"):
        initializers.get("glorot_uniform")((3,), rng())
