"""Reads cases in worker processes and finds what goes wrong; a worker that dies or hangs is one more finding."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Timer
from typing import Any

from hostile_files.cases import Case, Format

PATIENCE = 30.0
"""Seconds of a clock until a worker hangs; the machine may be busy with other things."""
KEPT = Path(os.environ.get("SEQKIT_FINDINGS", Path(tempfile.gettempdir()) / "seqkit-findings"))
"""Where files with findings are left."""
TESTS = Path(__file__).parents[1]


@dataclass(frozen=True)
class Finding:
    """A file that did harm, and what it did."""

    format: str
    case: str
    problems: tuple[str, ...]
    path: Path | None

    def __str__(self) -> str:
        return f"{self.format} {self.case}: {'; '.join(self.problems[:5])}\n    kept as {self.path}"


@dataclass
class Summary:
    """What came of many files."""

    read: int = 0
    refused: int = 0
    findings: list[Finding] = field(default_factory=list)
    seconds: float = 0.0
    memory: int = 0
    errors: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        worst = f"at most {self.seconds:.2f} s and {self.memory >> 20} MiB for one"
        return f"{self.read} read, {self.refused} refused, {len(self.findings)} findings, {worst}; {self.errors}"


def run(
    kind: Format, cases: Iterable[Case], *, running: bool = False, most: int = 20, patience: float = PATIENCE
) -> Summary:
    """Read all cases, or as many as it takes to find `most` that go wrong.

    Parameters
    ----------
    kind : Format
        Whose reader, ending and seeds are used; the seeds are read first, and must be readable.
    cases : iterable of Case
        The files.
    running : bool
        Whether models that are read are run, too.
    most : int
        Findings after which it is enough.
    patience : float
        Seconds of a clock until a worker hangs.
    """
    summary = Summary()
    kind = replace(kind, reader=kind.runner) if running else kind
    warm = list(kind.valid())
    with (
        tempfile.TemporaryDirectory(prefix="seqkit-hostile-") as folder,
        Workers(kind, Path(folder), warm, patience) as workers,
    ):
        for case in cases:
            _note(summary, kind, case, workers.read(case))
            if len(summary.findings) >= most:
                break
    return summary


def _note(summary: Summary, kind: Format, case: Case, answer: dict[str, Any]) -> None:
    problems = list(answer["problems"])
    if case.refused and not answer["refused"] and not problems:
        problems.append("was read, although it must be refused")
    error = answer["refused"].partition(":")[0]
    summary.errors[error] = summary.errors.get(error, 0) + 1
    summary.refused += bool(answer["refused"])
    summary.read += not answer["refused"] and not problems
    summary.seconds = max(summary.seconds, answer.get("seconds", 0.0))
    summary.memory = max(summary.memory, answer.get("memory", 0))
    if problems:
        summary.findings.append(Finding(kind.name, case.name, tuple(problems), keep(kind, case)))


def keep(kind: Format, case: Case) -> Path | None:
    """A copy of a case for people to look at."""
    folder = KEPT / f"{kind.name} {case.name}".replace("/", "_")[:120]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return case.write(folder, kind.ending)


class Workers:
    """One worker at a time, begun anew where it has died.

    Parameters
    ----------
    kind : Format
        What is read.
    folder : Path
        An empty folder for the files.
    warm : sequence of Case
        Files that must be readable, which a new worker reads before it is watched.
    """

    def __init__(self, kind: Format, folder: Path, warm: Sequence[Case], patience: float = PATIENCE) -> None:
        self._kind, self._folder, self._warm, self.patience = kind, folder, warm, patience
        self._number, self._complaints = 0, folder / "complaints"
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *error: object) -> None:
        self._end()

    def read(self, case: Case) -> dict[str, Any]:
        """What the worker says of a case, or of what the case did to the worker."""
        if self._process is None:
            self._begin()
        return self._ask(case, self.patience)

    def _begin(self) -> None:
        paths = {"PYTHONPATH": os.pathsep.join([str(TESTS), *map(os.path.abspath, filter(None, sys.path))])}
        command = [sys.executable, "-P", "-m", "hostile_files.worker", self._kind.reader, str(len(self._warm))]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        environment = os.environ | paths | {"OMP_NUM_THREADS": "1"}
        with self._complaints.open("w") as complaints:
            self._process = subprocess.Popen(command, stderr=complaints, env=environment, **pipes)
        for case in self._warm:
            answer = self._ask(case, PATIENCE)
            if answer["refused"] or answer["problems"]:
                raise AssertionError(f"{self._kind.name} {case.name} is a valid file and must be read: {answer}")

    def _ask(self, case: Case, patience: float) -> dict[str, Any]:
        place = self._folder / str(self._number)
        self._number += 1
        place.mkdir()
        path = case.write(place, self._kind.ending)
        try:
            line = self._line(path, patience)
        finally:
            shutil.rmtree(place)
        answer: dict[str, Any] = json.loads(line) if line else {"refused": "", "problems": [self._after_death()]}
        return answer

    def _line(self, path: Path, patience: float) -> str:
        """The answer about a file; nothing where the worker dies of it, as it must where it takes too long."""
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError):
            process.stdin.write(f"{path}\n")
            process.stdin.flush()
        timer = Timer(patience, process.send_signal, [signal.SIGABRT])  # faulthandler says where it is
        timer.start()
        try:
            return process.stdout.readline()
        finally:
            timer.cancel()

    def _after_death(self) -> str:
        """What ended a worker, which is gone."""
        process, self._process = self._process, None
        assert process is not None
        with process:
            code = process.wait()
        text = self._complaints.read_text(errors="replace")
        fatal = text.find("Fatal Python error")
        text = " ".join((text[-1500:] if fatal < 0 else text[fatal : fatal + 1500]).split())
        return f"the worker {'hangs' if code == -signal.SIGABRT else f'ended with {code}'}: {text}"

    def _end(self) -> None:
        if self._process is not None:
            with suppress(BrokenPipeError), self._process as process:
                process.kill()
            self._process = None
