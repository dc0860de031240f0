"""Memory that layers leave is used again: a batch in a new process takes none from the system."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

import seqkit

FAULTS = """
import resource
import numpy as np
import seqkit

layer, x = seqkit.LayerNorm().build(256), np.ones((32, 100, 256), np.float32)

def faults():
    y, cache = layer.forward(x)
    layer.backward(y, cache)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

first, *_, last = [faults() for _ in range(13)][2:]
print(last - first)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="what other allocators do is theirs to know")
def test_batches_take_no_new_pages() -> None:
    """Ten batches: each would fill some 1,600 pages otherwise."""
    environment = os.environ | {"PYTHONPATH": str(Path(seqkit.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-P", "-c", FAULTS], env=environment, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 1000
