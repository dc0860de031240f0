"""What is wrong with this installation, and what to do about it: what ``seqkit doctor`` asks.

A check is a function that yields findings.  It may fail in any way: that is a finding, too.  No module here
imports the compiled core before a check does, so that a core that cannot be imported is found, not met.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib import import_module

from seqkit.doctor.finding import Finding, broken
from seqkit.errors import words

CHECKS = (
    "package.versions",
    "core.compiled",
    "core.instruction_sets",
    "core.kernels",
    "threads.own",
    "threads.others",
    "speed.multiply_adds",
    "speed.scaling",
    "results.cells",
    "surroundings.memory",
    "surroundings.files",
    "surroundings.text",
    "package.plugins",
    "package.optional",
)
"""All checks as "module.function", in the order of their findings."""
WITHOUT_CORE = ("package.versions", "core.compiled", "surroundings.memory", "surroundings.files", "surroundings.text")
"""Checks that are made where the compiled core cannot be imported."""


def examine() -> Iterator[Finding]:
    """Make all checks that can be made; findings come as they are found.

    Examples
    --------
    >>> from itertools import islice
    >>> [finding.check for finding in islice(examine(), 2)]
    ['package.versions', 'core.compiled']
    """
    usable = True
    for name in CHECKS:
        if usable or name in WITHOUT_CORE:
            for finding in guarded(name, function(name)):
                usable = usable and not (name == "core.compiled" and finding.status == "broken")
                yield finding


def function(name: str) -> Callable[[], Iterable[Finding]]:
    """The function of a check."""
    module, _, attribute = name.partition(".")
    check: Callable[[], Iterable[Finding]] = getattr(import_module(f"seqkit.doctor.{module}"), attribute)
    return check


def guarded(name: str, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """The findings of a check, whose failure is another one."""
    try:
        for finding in check():
            yield finding.named(name)
    except Exception as error:
        yield broken(f"the check itself failed: {words(error)}", "report this, with the whole output").named(name)
