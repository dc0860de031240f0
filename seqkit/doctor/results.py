"""Are results right?  The usual cells against their equations in float64."""

from __future__ import annotations

from collections.abc import Iterator

from seqkit.doctor.finding import Finding, broken, ok

CELLS = ("lstm", "gru")
REPORT = "do not use it; build it again, and report this with the whole output"


def cells() -> Iterator[Finding]:
    """Outputs and gradients of training, ragged lengths, with one thread and with two."""
    from seqkit import _core
    from seqkit.bench.cases import Case
    from seqkit.bench.check import TOLERANCE, verify
    from seqkit.bench.workload import Workload
    from seqkit.errors import CheckError

    for cell in CELLS:
        errors = []
        try:
            for threads in sorted({1, min(_core.num_threads(), 2)}):
                case = Case(cell, "train", 5, 12, features=7, units=19, ragged="uniform", threads=threads)
                workload = Workload(case)
                with _core.threads(threads):
                    errors.append(verify(workload, workload.results()))
        except CheckError as error:
            yield broken(str(error), REPORT, cell=cell)
        else:
            allowed = TOLERANCE["float32"]
            text = f"{cell}: outputs within {max(errors):.0e} of the equations, gradients within {allowed:.0e}"
            yield ok(text, cell=cell, output_error=max(errors), gradient_tolerance=allowed)
