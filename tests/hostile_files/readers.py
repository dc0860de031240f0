"""What is done with a file: a model is read, and run."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from seqkit.errors import SeqkitError
from seqkit.interop import read

LARGEST = 100_000
"""Numbers of inputs that a model is run on here: what a run of honest sizes costs is not what files are read for."""


def run(path: Path) -> None:
    """Read a model and run it on inputs drawn for it, where it can be: what was read must not crash later."""
    imported = read(path)
    try:
        inputs = imported.draw(np.random.default_rng(0))
        if sum(array.size for array in inputs.values()) < LARGEST:
            imported.run(inputs)
    except SeqkitError as error:
        print(error)
