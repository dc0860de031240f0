"""Freeze what PyTorch and ONNX Runtime compute, as ``tests/vectors/*.npz``.

Run by hand, in the folder ``tests``, where torch==2.13.0, onnx and onnxruntime are installed::

    python -m vectors.make_vectors

``torch_peer.py`` and ``onnx_peer.py`` run the other libraries; their `from_torch` and `from_onnx`
say how the other library's weights become seqkit's.  What a file holds is told in ``peer_cases.py``.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from peer_cases import Spec, save
from vectors.onnx_peer import onnx_case
from vectors.torch_peer import torch_case

TORCH = "2.13.0"
HERE = Path(__file__).parent
BOTH = ("forward", "reverse")
RAGGED, WITH_EMPTY = (3, 6, 1, 5), (3, 6, 0, 1)  # PyTorch rejects a length of 0
STACK = {"layers": 2, "inputs": 3, "units": 5}

TORCH_SHAPES: dict[str, dict[str, Any]] = {
    "forward": {},
    "bidirectional": {"directions": BOTH},
    "stacked": STACK,
    "stacked-no-state": {**STACK, "initial": False},
    "stacked-bidirectional": {**STACK, "directions": BOTH},
    "ragged": {"lengths": RAGGED},
    "ragged-stacked-bidirectional": {**STACK, "lengths": RAGGED, "directions": BOTH},
}
FLOAT32 = ("ragged",)
"""Where PyTorch's float32 is kept too.  Only there, for size: the tests hold seqkit's float32 to the
float64 numbers of every case anyway."""

ONNX_SHAPES: dict[str, dict[str, Any]] = {
    "forward": {},
    "ragged-reverse": {"lengths": WITH_EMPTY, "directions": ("reverse",)},
    "bidirectional": {"directions": BOTH},
    "ragged-bidirectional": {"lengths": WITH_EMPTY, "directions": BOTH},
}
TORCH_SIZES = {"lstm": (5, 7), "gru": (3, 6), "rnn_tanh": (5, 6), "rnn_relu": (3, 5)}
ONNX_SIZES = {"peephole": (5, 6), "gru_reset_before": (5, 6)}
ONNX_AGAIN = {"lstm": (3, 5), "gru": (3, 5)}  # PyTorch has them too; here they prove the dialect


def _specs(sizes: dict[str, tuple[int, int]], shapes: dict[str, dict[str, Any]]) -> dict[str, Spec]:
    return {
        f"{cell}-{shape}": Spec(cell, **{"inputs": inputs, "units": units, **options})
        for cell, (inputs, units) in sizes.items()
        for shape, options in shapes.items()
    }


FROZEN: dict[str, dict[str, Spec]] = {
    "torch": {
        **_specs(TORCH_SIZES, TORCH_SHAPES),
        "lstm-wide": Spec("lstm", inputs=3, units=17, batch=3, time=5, lengths=(4, 1, 5)),
        "gru-wide": Spec("gru", inputs=3, units=33, batch=3, time=5),
    },
    "onnx": {
        **_specs(ONNX_SIZES, ONNX_SHAPES),
        **_specs(ONNX_AGAIN, {"ragged-bidirectional": ONNX_SHAPES["ragged-bidirectional"]}),
    },
}
"""Every frozen case by peer and name; its file is ``<peer>-<name>.npz``."""


def main() -> None:
    """Write every file of `FROZEN`, the same bytes each time."""
    import torch

    if torch.__version__.partition("+")[0] != TORCH:
        raise SystemExit(f"the vectors are frozen with PyTorch {TORCH}, this is {torch.__version__}")
    for peer, run in {"torch": torch_case, "onnx": onnx_case}.items():
        for name, spec in FROZEN[peer].items():
            rng = np.random.default_rng(zlib.crc32(name.encode()))
            case = run(spec, rng)
            if peer == "torch" and name.partition("-")[2] not in FLOAT32:
                del case.expected["float32"]
            save(HERE / f"{peer}-{name}.npz", case)
    sizes = [path.stat().st_size for path in HERE.glob("*.npz")]
    print(f"{sum(sizes):,} bytes in {len(sizes)} files")


if __name__ == "__main__":
    main()
