"""Reading HDF5 files by the thousand: the reader's child process, begun by a fork of one that has imported h5py.

A child of the reader takes a fifth of a second to begin, all of it imports.  Here ``zygote`` imports once and then
forks for every file; the fork runs the same functions of the same script (`confine`, `answer`), one process for each
file, under the same limits.  What the parent does with the answer is the reader's own code, too.  The long tests read
the cases made by hand through the real child.
"""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import IO, Any

from hostile_files.readers import run
from seqkit.interop.keras import hdf5
from seqkit.limits import LIMITS, Limits

__all__ = ["run"]


@cache
def _zygote() -> subprocess.Popen[bytes]:
    script = Path(__file__).with_name("zygote.py")
    command = [sys.executable, "-P", str(script), str(hdf5.CHILD), json.dumps(asdict(LIMITS)), *filter(None, sys.path)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=hdf5.ENVIRONMENT)


@contextmanager
def _child(data: bytes, limits: Limits) -> Iterator[IO[bytes]]:
    """What a fork writes about a file."""
    assert limits == LIMITS
    process: Any = _zygote()
    process.stdin.write(struct.pack("<Q", len(data)))
    process.stdin.write(data)
    process.stdin.flush()
    (size,) = struct.unpack("<Q", process.stdout.read(8))
    yield io.BytesIO(process.stdout.read(size))


hdf5._child = _child
_zygote()
