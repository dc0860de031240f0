"""What is done with a file: a model is read, and run."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from seqkit.errors import SeqkitError
from seqkit.interop import read


def run(path: Path) -> None:
    """Read a model and run it on inputs drawn for it, where it can be: what was read must not crash later."""
    imported = read(path)
    try:
        imported.run(imported.draw(np.random.default_rng(0)))
    except SeqkitError as error:
        print(error)
