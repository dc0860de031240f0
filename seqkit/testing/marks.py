"""The checks as tests of pytest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import numpy as np

from seqkit.testing.checks import CHECKS
from seqkit.testing.runner import known
from seqkit.testing.subject import Subject, Target

Test = TypeVar("Test", bound=Callable[..., Any])


def parametrize_layer_checks(
    *subjects: Target, expected_failures: Mapping[str, str] | None = None
) -> Callable[[Test], Test]:
    """Decorator: a test function with the argument `check` runs once for every check of every subject.

    Parameters
    ----------
    *subjects : str, Cell class, Layer class or Layer
        As for :func:`check_layer`.  Nothing is made of them before their first check runs.
    expected_failures : mapping of str to str, optional
        Reasons by name of the check.  pytest shows it as xfailed, and one that passes as failed.

    Examples
    --------
    In a test file of the package that has the layer::

        from seqkit.testing import parametrize_layer_checks

        @parametrize_layer_checks("my_cell")
        def test_conformance(check):
            check()
    """
    import pytest  # only here: the checks need no pytest

    reasons = known(expected_failures)
    cases = []
    for number, subject in enumerate(map(Subject, subjects)):
        name = (
            subject.name
            if [Subject(one).name for one in subjects].count(subject.name) == 1
            else f"{subject.name}{number}"
        )
        for check, function in CHECKS.items():
            marks = [pytest.mark.xfail(reason=reasons[check], strict=True)] if check in reasons else []
            cases.append(pytest.param(partial(quietly, function, subject), id=f"{name}-{check}", marks=marks))
    return pytest.mark.parametrize("check", cases)


def quietly(check: Callable[[Any], None], subject: Subject) -> None:
    """Run a check without NumPy's warnings: NaN is part of it."""
    with np.errstate(all="ignore"):
        check(subject)
