"""What a worker says and hears: one JSON document in a line, on standard output and input.

* It begins with ``{"version": "PyTorch 2.13.0"}``, or with ``{"missing": reason}`` and ends.
* ``{"prepare": case, "inputs": file, "results": file}`` makes a case ready: the worker loads the
  arrays, runs the case once, writes its results under seqkit's names (see
  ``seqkit.bench.workload``), and answers ``{}``, ``{"unsupported": reason}`` or ``{"error": reason}``.
* ``{"seconds": 0.1}`` times the case; the answer is ``{"samples": [seconds per call, ...]}``.

Nothing else reaches standard output: what a library prints goes to standard error.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, TextIO

import numpy as np

from seqkit.bench.ticks import play
from seqkit.bench.timing import take_turn

Arrays = dict[str, np.ndarray]
Run = Callable[[], object]
Prepare = Callable[[dict[str, Any], Arrays], tuple[Arrays, Run]]
"""Takes a case and its arrays; gives results and the call that is timed, or raises NotImplementedError."""


def serve(load: Callable[[int], tuple[str, Prepare]]) -> None:
    """Answer requests until standard input ends.

    Parameters
    ----------
    load : callable
        Imports the library, to use the given number of threads; gives its name with its version,
        and what prepares a case.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asks
    replies = _only_for_replies()
    try:
        version, prepare = load(int(sys.argv[1]))
    except Exception as error:  # a library that is broken is not there either
        _reply(replies, missing=str(error))
        return
    _reply(replies, version=version)
    run: Run = _nothing
    single = False
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "seconds" in request:
                _reply(replies, samples=take_turn(run, request["seconds"], single))
                continue
            single = request["prepare"]["mode"] == "streams"
            with np.load(request["inputs"]) as arrays:
                results, run = prepare(request["prepare"], dict(arrays))
            np.savez(request["results"], allow_pickle=False, **results)
            _reply(replies)
        except NotImplementedError as reason:
            _reply(replies, unsupported=str(reason))
        except Exception as error:  # one case that fails says so; the next may work
            _reply(replies, error=f"{type(error).__name__}: {error}")


def play_streams(
    advance: Callable[[Any, Any], Any], arrays: Arrays, convert: Callable[[np.ndarray], Any] = np.asarray
) -> tuple[Arrays, Run]:
    """Results of a case of streams, and the tick to time, from what advances some of them by a step."""
    y = np.zeros_like(arrays["dy"])
    run = play(advance, arrays["ticks"], arrays["x"], y, convert)
    return {"y": y}, run


def full_precision(case: dict[str, Any]) -> None:
    """Raise NotImplementedError where a case is of low precision."""
    if case["precision"] not in ("float32", "float64"):
        raise NotImplementedError(f"its recurrent layers have no {case['precision']} here")


def by_direction(arrays: Arrays) -> dict[str, Arrays]:
    """Parameters (or gradients) of each direction that there is, by name.

    Examples
    --------
    >>> by_direction({"x": np.ones(2), "forward.bias": np.ones(1)})
    {'forward': {'bias': array([1.])}}
    """
    found: dict[str, Arrays] = {}
    for path, array in arrays.items():
        direction, _, name = path.rpartition(".")
        if direction:
            found.setdefault(direction, {})[name] = array
    return found


def _only_for_replies() -> TextIO:
    """The standard output under another number; the old one becomes standard error."""
    own = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return own


def _reply(replies: TextIO, **answer: Any) -> None:
    replies.write(json.dumps(answer) + "\n")
    replies.flush()


def _nothing() -> None:
    raise RuntimeError("no case has been prepared")
