"""Processes that measure, one for each version; they are idle whenever they aren't asked."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from comparing.builds import python

if TYPE_CHECKING:
    from seqkit.bench.workload import Arrays

SCRIPT = Path(__file__).with_name("worker.py")


class CaseFailed(Exception):
    """A version cannot run a case."""


class WorkerLost(Exception):
    """A process has ended, or measures another package than it should."""


class Worker:
    """A process that measures the seqkit that is installed in an environment.

    Parameters
    ----------
    environment : Path
        The virtual environment.
    threads : int
        Threads of every call.
    """

    def __init__(self, environment: Path, threads: int) -> None:
        self.environment = environment
        self._connection, theirs = Pipe()
        self._process = subprocess.Popen(
            [python(environment), "-I", SCRIPT, str(theirs.fileno())],
            env=os.environ | {"SEQKIT_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)},
            pass_fds=[theirs.fileno()],
        )
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def greet(self) -> None:
        """Wait until the process is ready, and see that it has the package of its environment."""
        found = Path(self._hear())
        if not found.is_relative_to(self.environment):
            raise WorkerLost(f"{self.environment} must have seqkit installed, but imports it from {found}.")

    def prepare(self, case: str) -> Arrays:
        """Make a case such as "lstm infer B32 T100 H64" ready; its results."""
        arrays: Arrays = self._ask("prepare", case)
        return arrays

    def turn(self, seconds: float) -> list[float]:
        """Seconds per call in one turn."""
        samples: list[float] = self._ask("turn", seconds)
        return samples

    def _ask(self, *request: Any) -> Any:
        with suppress(BrokenPipeError):  # it has ended: what is heard says so
            self._connection.send(request)
        result, reason = self._hear()
        if reason is not None:
            raise CaseFailed(reason)
        return result

    def _hear(self) -> Any:
        try:
            return self._connection.recv()
        except (EOFError, ConnectionResetError):
            code = self._process.wait()
            raise WorkerLost(f"the process of {self.environment} ended with exit code {code}.") from None


@contextmanager
def start(environments: tuple[Path, Path], threads: int) -> Iterator[tuple[Worker, Worker]]:
    """Two processes, ready."""
    with Worker(environments[0], threads) as old, Worker(environments[1], threads) as new:
        old.greet()
        new.greet()
        yield old, new
