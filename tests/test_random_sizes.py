"""Random cells whose vectors have four sizes."""

from __future__ import annotations

import pytest
from checks import CHECKS
from checks.random_cells import RandomSizes
from checks.subjects import maker

from seqkit.errors import EquationError


def check_random_sizes(seeds: range) -> None:
    for seed in seeds:
        units, features = ((1, 1), (5, 3), (17, 2), (33, 5))[seed % 4]
        fixed = {"seed": seed, "width": (7, 19, 40)[seed % 3]}
        raw = RandomSizes(**fixed).inputs.values()
        size = features + sum({"features": features, "units": units}.get(str(one), one) for one in raw)  # type: ignore[misc]
        make = maker(RandomSizes, units, size, go_backwards=seed % 2 == 1, **fixed)
        try:
            make("float64")
        except EquationError as error:  # of some twenty vectors that wait for others, many go back and forth
            if "vector_count are more than the engine's 64" not in str(error):
                raise
            continue
        for check in ("check_reference", "check_gradients", "check_nan_in_padding", "check_split_in_time"):
            try:
                CHECKS[check](make)
            except AssertionError as error:
                raise AssertionError(f"seed {seed}, {check}: {error}") from error


@pytest.mark.parametrize("fives", range(3))
def test_random_sizes(fives: int) -> None:
    check_random_sizes(range(5 * fives, 5 * fives + 5))


@pytest.mark.slow
@pytest.mark.parametrize("fifties", range(1, 7))
def test_many_random_sizes(fifties: int) -> None:
    check_random_sizes(range(50 * fifties, 50 * fifties + 50))
