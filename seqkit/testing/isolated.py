"""Running checks in a process of their own, which a layer may crash or keep busy for ever.

The child writes one JSON document in a line for every check that has come to its end.  Where it dies,
the check that it was at has failed, and another child goes on with the next one.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from seqkit.options import positive_number
from seqkit.testing.checks import CHECKS
from seqkit.testing.report import Report, Result
from seqkit.testing.runner import expect, hint_of, known, without_build

GRACE = 5.0
"""Seconds after its time that a check has, beside the traceback of where it is."""


def check_isolated(
    subject: str,
    *,
    expected_failures: Mapping[str, str] | None = None,
    time_limit: float = 60.0,
    on_result: Callable[[Result], Any] = lambda result: None,
) -> Report:
    """Run every check on a layer in a child process; a crash or an endless loop is a failure of one check.

    Parameters
    ----------
    subject : str
        A registered name, or ``module:attribute`` of a class or an unbuilt layer.
    expected_failures : mapping of str to str, optional
        As for :func:`seqkit.testing.check_layer`.
    time_limit : float
        Seconds that one check may take.
    on_result : callable
        Called with every result as it comes.

    Returns
    -------
    Report

    Examples
    --------
    >>> from seqkit.testing import check_isolated
    >>> check_isolated("simple_rnn").passed
    True
    """
    limit, expected = positive_number(time_limit, "time_limit"), known(expected_failures)
    results: list[Result] = []
    while len(results) < len(CHECKS):
        for result in _results(subject, list(CHECKS)[len(results) :], limit):
            results.append(expect(result, expected))
            on_result(results[-1])
    return Report(subject, results)


def _results(subject: str, names: Sequence[str], limit: float) -> Iterator[Result]:
    """The results of one child, to the end or to its death."""
    paths = {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
    command = [sys.executable, "-P", "-m", "seqkit.testing.worker", subject, str(limit), *names]
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "text": True}
    with (
        tempfile.TemporaryFile("w+", errors="replace") as complaints,
        subprocess.Popen(command, stderr=complaints, env=os.environ | paths, **pipes) as process,
    ):
        try:
            done = 0
            for line in _lines(process, limit + GRACE):
                yield Result(**json.loads(line))
                done += 1
            code = process.wait()
        finally:
            process.kill()
        if done < len(names):
            complaints.seek(0)
            yield from _after_death(names[done:], _cause(code, complaints.read(), limit))


def _lines(process: subprocess.Popen[str], patience: float) -> Iterator[str]:
    """What a child writes; it is killed where it writes nothing for long."""
    assert process.stdout is not None
    while True:
        timer = threading.Timer(patience, process.kill)
        timer.start()
        try:
            line = process.stdout.readline()
        finally:
            timer.cancel()
        if not line:
            return
        yield line


def _after_death(names: Sequence[str], cause: str) -> Iterator[Result]:
    """The check that the child was at; all others too where the layer cannot be built."""
    result = Result(names[0], "failed", cause, hint_of(names[0]))
    yield result
    yield from without_build(result, names[1:])


def _cause(code: int, complaints: str, limit: float) -> str:
    """What ended a child, and where it was."""
    frames = re.findall(r'^  File "(.+)", line (\d+) in (\S+)', complaints, flags=re.MULTILINE)[:3]
    place = " < ".join(f"{name} ({path}:{line})" for path, line, name in frames)
    if "Timeout (" in complaints:
        what = f"takes more than {limit:g} s"
    elif code < 0:
        what = f"its process was killed by {signal.Signals(-code).name}"
    else:
        what = f"its process ended with exit code {code}"
    return f"{what}, in {place}" if place else what
