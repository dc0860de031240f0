"""The process that measures one version: it answers its parent until that hangs up.

Started as ``python -I worker.py FILE_DESCRIPTOR`` by the interpreter that has the version
installed.  What is measured and how time is taken comes from this checkout; ``import seqkit``
finds the installed package.
"""

from __future__ import annotations

import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seqkit.bench.workload import Arrays

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # -I leaves it out; it holds no seqkit

import seqkit
from benchmarks.bench import make, take_turn


def serve(parent: Connection) -> None:
    """Say where seqkit was found; then answer ``(method, *arguments)`` with a result or a text that says why not."""
    parent.send(seqkit.__file__)
    worker = Worker()
    while True:
        try:
            method, *arguments = parent.recv()
        except EOFError:
            return
        try:
            parent.send((getattr(worker, method)(*arguments), None))
        except Exception as error:  # one case that fails says so; the next may work
            parent.send((None, f"{type(error).__name__}: {error}"))


class Worker:
    """What can be asked."""

    def prepare(self, case: str) -> Arrays:
        """Make a case such as "lstm infer B32 T100 H64" ready; its results as arrays by name."""
        cell, mode, shape = case.split(maxsplit=2)
        self.workload = make(cell, mode, shape)
        return self.workload.results()

    def turn(self, seconds: float) -> list[float]:
        """Seconds per call in one turn."""
        return take_turn(self.workload.run, seconds)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which hangs up
    serve(Connection(int(sys.argv[1])))
