"""A reader that does what a file says: it is how the harness is tested."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seqkit.errors import LoadError


def read(path: Path) -> Any:
    """Behave as the file says."""
    return BEHAVIOURS[path.read_text()]()


def fine() -> str:
    return "a model"


def refuse() -> None:
    raise LoadError("no model, which is a fine answer.")


def fail() -> None:
    [][0]


def talk() -> None:
    raise LoadError("x" * 3000)


def mumble() -> None:
    raise LoadError("half a pair: \udfff")


def warn() -> None:
    warnings.warn("an overflow", RuntimeWarning, stacklevel=1)


def leave() -> None:
    sys.exit(0)


def recur() -> None:
    recur()


def take_much() -> None:
    bytearray(2 << 30)


def take_and_touch() -> int:
    return len(b"x" * (100 << 20))


def spin() -> None:
    start = time.process_time()
    while time.process_time() - start < 2.2:
        pass


def sleep() -> None:
    time.sleep(60)


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def vanish() -> None:
    os._exit(0)


def import_something() -> None:
    import colorsys  # noqa: F401


def look_elsewhere() -> str:
    return Path("/etc/hostname").read_text()


def look_upwards() -> str:
    return Path("../../model.txt").read_text()


def follow() -> str:
    return Path("link").read_text()


def write() -> None:
    Path("written").write_text("")


def remove() -> None:
    Path("model.txt").unlink()


def evaluate() -> None:
    eval("1 + 1")


def start() -> None:
    subprocess.run(["true"], check=True)


def connect() -> None:
    socket.socket().close()


def unpickle() -> None:
    pickle.loads(b"cos\ngetcwd\n(tR.")


def keep_open() -> None:
    os.dup(0)


def keep_running() -> None:
    threading.Thread(target=time.sleep, args=(5,), daemon=True).start()


def wander() -> None:
    os.chdir("/")


BEHAVIOURS: dict[str, Callable[[], Any]] = {
    name: value for name, value in globals().items() if callable(value) and getattr(value, "__module__", "") == __name__
}
