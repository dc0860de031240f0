"""``zygote.py SCRIPT LIMITS PATH...``: reads files from its input, each in a fork that runs SCRIPT's own functions.

A file is its length in 8 bytes and its bytes; so is an answer.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import struct
import sys
from typing import Any

SECONDS = 20


def answer_of(script: Any, data: bytes, limits: dict[str, int]) -> bytes:
    """What a fork says of a file; what it wrote before, where it dies or is killed."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        os.dup2(writing, 1)
        os.closerange(3, 256)
        signal.alarm(SECONDS)
        out = open(1, "wb", closefd=False)  # noqa: SIM115 - nothing can be opened later
        script.confine(len(data), limits["ratio"])
        script.answer(data, limits, out)
        out.flush()
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        found = pipe.read()
    os.waitpid(process, 0)
    return found


def main() -> None:
    limits, sys.path[:] = json.loads(sys.argv[2]), sys.argv[3:]
    spec = importlib.util.spec_from_file_location("child", sys.argv[1])
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.rehearse(limits)
    while size := sys.stdin.buffer.read(8):
        found = answer_of(script, sys.stdin.buffer.read(*struct.unpack("<Q", size)), limits)
        sys.stdout.buffer.write(struct.pack("<Q", len(found)) + found)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
