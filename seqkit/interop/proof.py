"""The proof that a model is the same here as there: both run on inputs drawn for it, and the outputs are compared.

The other side is the other library where it is installed, else float64 NumPy written from that library's equations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqkit.errors import CheckError, words
from seqkit.interop.imported import Arrays, Imported

TOLERANCES = {"float16": 1e-2, "float32": 1e-5, "float64": 1e-10}
"""Largest error that passes, by the less precise of the two sides."""

Run = Callable[[Arrays], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Difference:
    """The largest errors of one output over all inputs.

    Attributes
    ----------
    output : str
        Its name.
    absolute : float
        Largest difference of two numbers; infinite where only one side is NaN, infinite or of this shape.
    error : float
        The same, divided by the largest magnitude in the output where that is above 1.
    tolerance : float
        What `error` may be.
    """

    output: str
    absolute: float
    error: float
    tolerance: float

    def facts(self) -> dict[str, Any]:
        """As plain values; an infinite error, which JSON cannot hold, is None."""
        return {key: value if value != float("inf") else None for key, value in vars(self).items()}


@dataclass(frozen=True)
class Proof:
    """What a comparison has shown.

    Attributes
    ----------
    oracle : str
        Whom the model was compared with.
    cases : int
        Number of inputs that both sides have run.
    differences : tuple of Difference
        One for each output.
    remark : str or None
        Why it was not the other library, where that is installed.
    """

    oracle: str
    cases: int
    differences: tuple[Difference, ...]
    remark: str | None = None

    @property
    def error(self) -> float:
        """The largest error of all outputs."""
        return max(difference.error for difference in self.differences)

    @property
    def holds(self) -> bool:
        """Whether no error is above its tolerance."""
        return all(difference.error <= difference.tolerance for difference in self.differences)

    def facts(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        outputs = [difference.facts() for difference in self.differences]
        return {"compared_with": self.oracle, "inputs": self.cases, "remark": self.remark, "outputs": outputs}

    def require(self, owner: str) -> None:
        """Raise CheckError unless the proof holds."""
        if not self.holds:
            worst = max(self.differences, key=lambda difference: difference.error - difference.tolerance)
            raise CheckError(
                f"{owner}: not the same model: output {worst.output!r} differs from that of {self.oracle} by "
                f"{worst.error:.3g}, at most {worst.tolerance:.3g} is allowed."
            )


def prove(imported: Imported, cases: int = 16, seed: int = 0, tolerance: float | None = None) -> Proof:
    """Run a model here and there on the same random inputs.

    Parameters
    ----------
    imported : Imported
        What a reader gave.
    cases : int
        Number of inputs to draw.
    seed : int
        Of what is drawn.
    tolerance : float, optional
        Largest error that passes instead of `TOLERANCES`.

    Returns
    -------
    Proof
        With the largest errors, whether they pass or not; see :meth:`Proof.require`.

    Raises
    ------
    CheckError
        If the other side cannot run at all.

    Notes
    -----
    The error of a number is its difference from the other side's, divided by the largest magnitude of the output
    where that is above 1; NaN is equal to NaN.  Steps past the end of a sequence are not compared: what is there is a
    matter of taste, and 0 here.

    Examples
    --------
    >>> from seqkit.interop.imported import Imported, Oracle
    >>> run = lambda inputs: {"y": inputs["x"] * np.float32(0.1)}
    >>> reference = lambda: Oracle("arithmetic", lambda inputs: {"y": inputs["x"] / 10.0})
    >>> draw = lambda rng: {"x": rng.standard_normal(100).astype("float32")}
    >>> proof = prove(Imported(None, "a tenth", run, draw, reference, lambda: None))
    >>> proof.oracle, proof.cases, proof.holds, 0 < proof.error < 1e-7
    ('arithmetic', 16, True, True)
    """
    rng = np.random.default_rng(seed)
    inputs = [imported.draw(rng) for _ in range(cases)]
    oracle, theirs, remark = _other_side(imported, inputs)
    ours = [imported.run(case) for case in inputs]
    names = {name for outputs in (*ours, *theirs) for name in outputs}
    differences = tuple(_largest(name, inputs, ours, theirs, tolerance) for name in sorted(names))
    return Proof(oracle, cases, differences, remark)


def _other_side(imported: Imported, inputs: list[Any]) -> tuple[str, list[dict[str, np.ndarray]], str | None]:
    """Name and outputs of the other library, or of the reference where it is missing or cannot run the model."""
    remark = None
    peer = imported.peer()
    if peer is not None:
        try:
            return peer.name, [peer.run(case) for case in inputs], None
        except Exception as error:  # of whatever kind the other library has
            remark = f"{peer.name} cannot run it: {words(error)}"
    oracle = imported.reference()
    try:
        return oracle.name, [oracle.run(case) for case in inputs], remark
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise CheckError(f"{imported.source}: {oracle.name} cannot run it: {words(error).rstrip('.')}.") from error


def _largest(
    name: str, inputs: list[Any], ours: list[dict[str, np.ndarray]], theirs: list[dict[str, np.ndarray]],
    tolerance: float | None,
) -> Difference:  # fmt: skip
    absolute = error = allowed = 0.0
    for case, here, there in zip(inputs, ours, theirs, strict=True):
        if name not in here or name not in there:
            return Difference(name, float("inf"), float("inf"), tolerance or 0.0)
        a, b = _valid(here[name], case), _valid(there[name], case)
        difference = _difference(a, b)
        absolute, error = max(absolute, difference), max(error, difference / max(_magnitude(b), 1.0))
        allowed = max(allowed, _tolerance(a), _tolerance(b))
    return Difference(name, absolute, error, allowed if tolerance is None else tolerance)


def _valid(output: np.ndarray, inputs: Arrays) -> np.ndarray:
    """What of an output belongs to steps of sequences, where inputs are sequences with lengths."""
    array = np.asarray(output)
    if "lengths" not in inputs or array.shape[:2] != np.shape(inputs["x"])[:2] or array.ndim < 3:
        return array
    steps = np.arange(array.shape[1])
    return array[steps < np.asarray(inputs["lengths"])[:, None]]


def _difference(a: np.ndarray, b: np.ndarray) -> float:
    """The largest one of two arrays."""
    if a.shape != b.shape:
        return float("inf")
    if a.dtype.kind not in "fiu" or b.dtype.kind not in "fiu":
        return 0.0 if np.array_equal(a, b) else float("inf")
    a, b = a.astype(np.float64), b.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    if not (np.isfinite(a) & np.isfinite(b) | same).all():
        return float("inf")
    with np.errstate(invalid="ignore"):  # of infinities, which are the same
        return float(np.where(same, 0.0, np.abs(a - b)).max(initial=0.0))


def _magnitude(array: np.ndarray) -> float:
    if array.dtype.kind not in "fiu":
        return 0.0
    finite = array[np.isfinite(array)]
    return float(np.abs(finite).max(initial=0.0))


def _tolerance(array: np.ndarray) -> float:
    """What an array of this type is allowed to be off by; anything but floats is exact."""
    return TOLERANCES.get(str(array.dtype), 0.0)
