"""Running checks in this process."""

from __future__ import annotations

import inspect
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from unittest import SkipTest

import numpy as np

from seqkit.options import by_name
from seqkit.testing.checks import CHECKS
from seqkit.testing.report import Report, Result
from seqkit.testing.subject import Subject, Target

BUILD = "check_build"
"""The check without which no other one can run."""


def check_layer(subject: Target, *, expected_failures: Mapping[str, str] | None = None) -> Report:
    """Run every check on a layer.

    Parameters
    ----------
    subject : str, Cell class, Layer class or Layer
        A registered name, a class, or an unbuilt layer such as ``Recurrent(MyCell, 17, option=1)``.
    expected_failures : mapping of str to str, optional
        Reasons by name of the check; one that passes all the same is a failure.

    Returns
    -------
    Report
        What came out; print it.

    Raises
    ------
    ConfigError
        If `expected_failures` names a check that does not exist, or the layer is built already.

    Notes
    -----
    The checks run in this process, which a compiled layer can crash;
    :func:`~seqkit.testing.check_isolated`, and with it ``seqkit plugins check``, runs them
    in another one.

    Examples
    --------
    >>> from seqkit.testing import check_layer
    >>> report = check_layer("simple_rnn")
    >>> report.passed, [result.name for result in report.failures]
    (True, [])
    """
    source, expected = Subject(subject), known(expected_failures)
    return Report(source.name, [expect(result, expected) for result in results_of(source, list(CHECKS))])


def results_of(subject: Subject, names: Sequence[str]) -> Iterator[Result]:
    """Run some checks, one after the other; none more where the layer cannot be built."""
    for number, name in enumerate(names):
        result = run_check(name, subject)
        yield result
        if result.outcome == "failed" and name == BUILD:
            yield from without_build(result, names[number + 1 :])
            return


def without_build(build: Result, names: Sequence[str]) -> Iterator[Result]:
    """What is said of the other checks where the first one failed: nothing can be said of them."""
    if build.name == BUILD:
        yield from (Result(name, "not applicable", f"{BUILD} failed") for name in names)


def run_check(name: str, subject: Subject) -> Result:
    """Run one check; whatever it raises becomes a result."""
    check, hint = CHECKS[name], hint_of(name)
    start = time.perf_counter()
    try:
        with np.errstate(all="ignore"):  # NaN is part of the checks
            check(subject)
        result = Result(name, "passed")
    except SkipTest as reason:
        result = Result(name, "not applicable", str(reason))
    except AssertionError as error:
        result = Result(name, "failed", first_line(error), hint)
    except (Exception, SystemExit) as error:
        result = Result(name, "failed", f"{type(error).__name__}: {first_line(error)} ({place_of(error)})", hint)
    return replace(result, seconds=time.perf_counter() - start)


def hint_of(name: str) -> str:
    """The property that a check is about, and what usually breaks it."""
    return inspect.getdoc(CHECKS[name]) or ""


def first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def place_of(error: BaseException) -> str:
    """The last line of Python that ran."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.filename}:{frame.lineno}"


def known(expected_failures: Mapping[str, str] | None) -> dict[str, str]:
    """Expected failures that are those of checks."""
    for name in expected_failures or ():
        by_name(CHECKS, name, "check")
    return dict(expected_failures or {})


def expect(result: Result, expected: Mapping[str, str]) -> Result:
    """A failure that was expected is one no more; a success that was not, is one."""
    if result.name not in expected or result.outcome == "not applicable":
        return result
    reason = expected[result.name]
    if result.outcome == "failed":
        return replace(result, outcome="expected", message=f"{reason} ({result.message})")
    return replace(result, outcome="failed", message=f"passes, but is expected to fail: {reason}")
