"""Other libraries, each in a process of its own.

A peer is a module that ``python -m`` runs as a worker (see ``protocol``).  It gets the weights
and the data of a case as an ``.npz`` file, writes its own results into another one, and is timed
when it is its turn.  Two thread pools in one process would disturb each other; here a peer is
idle whenever it isn't asked.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:  # workers import this package too, and must not load seqkit's engine beside their own
    from seqkit.bench.cases import Case

WORKERS = {
    "torch": "seqkit.bench.peers.torch_worker",
    "onnxruntime": "seqkit.bench.peers.onnxruntime_worker",
    "openvino": "seqkit.bench.peers.openvino_worker",
    "jax": "seqkit.bench.peers.jax_worker",
    "keras": "seqkit.bench.peers.keras_worker",
}
"""Modules that serve, by the name of the peer."""


class Peer:
    """A worker process of one peer.

    Parameters
    ----------
    name : str
        A name of ``WORKERS``.
    threads : int
        Threads that the peer is to use.
    """

    def __init__(self, name: str, threads: int) -> None:
        self.name = name
        self.version = ""
        # The worker finds modules where this process does, and only there (-P).
        paths = {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path)), "OMP_NUM_THREADS": str(threads)}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", WORKERS[name], str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | paths,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def greet(self) -> str | None:
        """Wait until the peer is ready; why it can't take part, or None."""
        answer = self._hear()
        self.version = answer.get("version", "")
        return answer.get("missing") or answer.get("error")

    def prepare(self, case: Case, inputs: Path, results: Path) -> dict[str, Any]:
        """Let the peer build a case and write its results; {}, or why not: "unsupported" or "error"."""
        return self._ask(prepare=asdict(case), inputs=str(inputs), results=str(results))

    def turn(self, seconds: float) -> list[float]:
        """Seconds per call in one turn; none if the peer fails."""
        samples: list[float] = self._ask(seconds=seconds).get("samples", [])
        return samples

    def _ask(self, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended: what is heard says so
        return self._hear()

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer
        return {"error": f"its process ended with exit code {self._process.wait()}"}


@contextmanager
def start(names: Iterable[str], threads: int) -> Iterator[tuple[list[Peer], dict[str, str]]]:
    """Start peers; gives those that can take part and why the others cannot, by name.

    Examples
    --------
    >>> with start([], threads=1) as (peers, missing):
    ...     peers, missing
    ([], {})
    """
    with ExitStack() as stack:
        started = [stack.enter_context(Peer(name, threads)) for name in names]
        missing = {peer.name: reason for peer in started if (reason := peer.greet()) is not None}
        yield [peer for peer in started if peer.name not in missing], missing
