"""What came out of the checks, for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Outcome = Literal["passed", "failed", "expected", "not applicable"]


@dataclass(frozen=True)
class Result:
    """One check on one layer.

    Attributes
    ----------
    name : str
        Of the check.
    outcome : {"passed", "failed", "expected", "not applicable"}
        "expected" is a failure that was expected.
    message : str
        What went wrong, with numbers; or why it was expected or does not apply.
    hint : str
        The property that was checked, and what usually breaks it.
    seconds : float
        How long it took.
    """

    name: str
    outcome: Outcome
    message: str = ""
    hint: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Report:
    """The results of all checks on one layer; printed, it is a text for people.

    Attributes
    ----------
    subject : str
        What was checked.
    results : list of Result
    """

    subject: str
    results: list[Result] = field(default_factory=list)

    @property
    def failures(self) -> list[Result]:
        """The checks that failed and were not expected to."""
        return [result for result in self.results if result.outcome == "failed"]

    @property
    def passed(self) -> bool:
        """Whether nothing failed that was not expected to."""
        return not self.failures

    def as_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        results = [asdict(result) for result in self.results]
        return {"subject": self.subject, "passed": self.passed, "results": results}

    def __str__(self) -> str:
        told = [result for outcome in ("failed", "expected") for result in self.results if result.outcome == outcome]
        return "\n".join([self.summary, *(line for result in told for line in lines_of(result)), *self._others()])

    def _others(self) -> Iterator[str]:
        """Checks that do not apply, by reason."""
        others = [result for result in self.results if result.outcome == "not applicable"]
        for reason in dict.fromkeys(result.message for result in others):
            names = ", ".join(result.name for result in others if result.message == reason)
            yield f"  not applicable, {reason}: {names}"

    @property
    def summary(self) -> str:
        """How many checks had which outcome, in one line."""
        counts = Counter(result.outcome for result in self.results)
        words = ", ".join(
            f"{counts[outcome]} {outcome}" for outcome in ("passed", "failed", "expected") if counts[outcome]
        )
        apart = counts["not applicable"]
        rest = f", {apart} not applicable" if apart else ""
        return f"{self.subject}: {words or 'no checks'}{rest} in {sum(r.seconds for r in self.results):.1f} s"


def lines_of(result: Result) -> list[str]:
    """A result in words: what went wrong, what the property is."""
    label = result.outcome.upper() if result.outcome == "failed" else result.outcome
    lines = [f"  {label} {result.name}: {result.message}"]
    return lines + [f"      {line}" for line in result.hint.splitlines()] if result.outcome == "failed" else lines
