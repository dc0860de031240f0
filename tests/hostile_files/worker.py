"""Reads hostile files: ``python -m hostile_files.worker READER`` with a path in each line of its input.

For each it writes a line of JSON: what became of the file and what was wrong with that.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import importlib
import json
import os
import pkgutil
import resource
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hostile_files.watch import Watch

SECONDS, CHILD_SECONDS = 2.0, 3.0
"""Of processor time for a file; a child that reads it gives itself two, in whole seconds as the system counts them."""
MEMORY = 64 << 20
"""Bytes above the size of a file."""
NET = 1 << 30
"""Bytes of address space above what is there: what takes more fails, touched or not."""
MESSAGE = 2000
"""Characters of an error."""


def main(reader: str, warm: int) -> None:
    """Read files until the input ends; the first `warm` of them are read without a watch."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a reader prints is no answer
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("error")
    read = prepared(reader)
    watch = Watch(children())
    for number, line in enumerate(sys.stdin):
        path = Path(line.rstrip("\n"))
        os.chdir(path.parent)
        answers.write(json.dumps(judged(read, path) if number < warm else watched(read, path, watch)) + "\n")
        answers.flush()


def prepared(reader: str) -> Callable[[Path], Any]:
    """The function called ``module:function``; what seqkit itself imports and looks up is there before any file."""
    import seqkit
    from seqkit import discovery

    for module in pkgutil.walk_packages(seqkit.__path__, "seqkit."):
        if module.name.split(".")[1] not in ("cli", "bench", "build", "__main__", "templates"):
            with contextlib.suppress(ImportError):
                importlib.import_module(module.name)
    discovery.installed()  # reads the metadata of packages, which tell who provides a layer
    module_name, _, name = reader.partition(":")
    function: Callable[[Path], Any] = getattr(importlib.import_module(module_name), name)
    return function


def children() -> tuple[str, ...]:
    """Scripts that readers start."""
    try:
        from seqkit.interop.keras.hdf5 import CHILD
    except ImportError:
        return ()
    return (str(CHILD),)


def judged(read: Callable[[Path], Any], path: Path) -> dict[str, Any]:
    """What became of a file, and "problems" where it was neither read nor refused as it should be."""
    from seqkit.errors import SeqkitError

    try:
        read(path)
    except SeqkitError as error:
        text = str(error)
        bad = [f"an error of {len(text)} characters"] if len(text) > MESSAGE else []
        bad += ["an error that cannot be printed"] if any("\ud800" <= letter <= "\udfff" for letter in text) else []
        return {"refused": f"{type(error).__name__}: {text[:MESSAGE]!a}", "problems": bad}
    except BaseException as error:
        return {
            "refused": type(error).__name__,
            "problems": [f"{type(error).__name__}: {str(error)[:500]!a}", _place(error)],
        }
    return {"refused": "", "problems": []}


def watched(read: Callable[[Path], Any], path: Path, watch: Watch) -> dict[str, Any]:
    """The same, with all that was done, and what it cost."""
    status = path.lstat()
    room = MEMORY + status.st_size + sum(other.lstat().st_size for other in path.parent.iterdir() if other.is_file())
    before = state()
    with address_space(NET):
        start, children, base = time.process_time(), cpu_of_children(), reset_peak()
        watch.begin(path.parent)
        answer = judged(read, path)
        problems = watch.end()
        seconds, peak = time.process_time() - start, peak_memory() - base
        children = cpu_of_children() - children
    if seconds > SECONDS or children > CHILD_SECONDS:
        problems.append(f"took {seconds:.1f} s of processor time, and {children:.1f} s in a child")
    if peak > room:
        problems.append(f"took {peak >> 20} MiB of memory, allowed were {room >> 20}")
    if before != state():
        gc.collect()
        problems += [f"left behind: {kind} {was!r:.200} -> {now!r:.200}" for kind, was, now in changed(before, state())]
    return answer | {"problems": [*answer["problems"], *problems], "seconds": seconds, "memory": peak}


# ---- what is measured ----------------------------------------------------------------------------


def state() -> dict[str, Any]:
    """What must be the same after a file."""
    return {
        "modules": len(sys.modules),
        "open files": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "folder": os.getcwd(),
        "depth": sys.getrecursionlimit(),
        "path": list(sys.path),
    }


def changed(before: dict[str, Any], after: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for kind, was in before.items():
        if after[kind] != was:
            yield kind, was, after[kind]


def cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def reset_peak() -> int:
    """Forget the highest point of memory; gives what is used now."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def peak_memory() -> int:
    return _status("VmHWM")


def _status(name: str) -> int:
    text = Path("/proc/self/status").read_text()
    return int(text.split(f"{name}:", 1)[1].split(None, 1)[0]) << 10


@contextlib.contextmanager
def address_space(more: int) -> Iterator[None]:
    """A net under everything: no more than `more` bytes beside what is there."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_status("VmSize") + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _place(error: BaseException) -> str:
    """Where an error comes from, the innermost places last."""
    places, step = [], error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        places.append(f"{Path(code.co_filename).name}:{step.tb_lineno} {code.co_name}")
        step = step.tb_next
    return " > ".join(places[-4:])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
