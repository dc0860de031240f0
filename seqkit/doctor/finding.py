"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Finding:
    """One thing about an installation.

    Attributes
    ----------
    status : {"ok", "remark", "broken"}
        A remark may cost time and no results; what is broken does not work.
    text : str
        What was found.
    advice : str
        What to do; empty if nothing.
    facts : dict
        The same as plain values, for programs.
    check : str
        Who found it.
    """

    status: str
    text: str
    advice: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    check: str = ""

    def named(self, check: str) -> Finding:
        """The same, with the name of the check."""
        return replace(self, check=check)


def ok(text: str, **facts: Any) -> Finding:
    """All is well."""
    return Finding("ok", text, facts=facts)


def remark(text: str, advice: str, **facts: Any) -> Finding:
    """It works, and could be better."""
    return Finding("remark", text, advice, facts)


def broken(text: str, advice: str, **facts: Any) -> Finding:
    """It does not work."""
    return Finding("broken", text, advice, facts)
