"""Freeze what PyTorch, Keras and ONNX Runtime compute for random layers, as ``tests/vectors/foreign/*.npz``.

Run by hand, in the folder ``tests``, where torch, keras, onnx and onnxruntime are installed::

    python -m vectors.make_foreign

``foreign_peers.py`` draws the cases and runs the libraries, ``foreign_cases.py`` says what a file holds.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
from foreign_cases import save
from vectors.foreign_peers import ASK, KINDS

HERE = Path(__file__).parent / "foreign"
TIMES = {"torch": 6, "keras": 2, "onnx": 4}
"""Cases of each kind."""

COUNT = sum(TIMES[library] * len(kinds) for library, kinds in KINDS.items())


def main() -> None:
    """Write the files."""
    HERE.mkdir(exist_ok=True)
    for library, kinds in KINDS.items():
        frozen = {}
        for kind, draw in kinds.items():
            for number in range(TIMES[library]):
                name = f"{kind}-{number}"
                case = draw(np.random.default_rng(zlib.crc32(f"{library} {name}".encode())))
                frozen[name] = case, ASK[library](case)
        save(HERE / f"{library}.npz", frozen)
        print(f"{library}: {len(frozen)} cases, {(HERE / f'{library}.npz').stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
