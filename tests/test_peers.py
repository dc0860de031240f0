"""seqkit against PyTorch and ONNX Runtime running here, on networks and data drawn afresh.

These complete ``test_vectors.py`` where the peers are installed: other sizes, other lengths, other weights.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from peer_cases import Case, Spec
from peer_check import TOLERANCE, check
from vectors.onnx_peer import onnx_case
from vectors.torch_peer import torch_case

pytestmark = pytest.mark.peers

SEEDS = range(6)
DIRECTIONS = (("forward",), ("forward", "reverse"), ("reverse",))


def draw_spec(cell: str, structure: dict[str, Any], shortest: int, rng: np.random.Generator) -> Spec:
    """A random data size; `shortest` is the least length that the peer takes."""
    batch, time = (int(size) for size in rng.integers(1, 7, 2))  # float32 errors grow with the terms of a sum
    ragged = tuple(int(length) for length in rng.integers(shortest, time + 1, batch))
    return Spec(
        cell,
        inputs=int(rng.integers(1, 20)),
        units=int(rng.integers(1, 40)),
        batch=batch,
        time=time,
        lengths=ragged if rng.random() < 0.7 else None,
        initial=bool(rng.random() < 0.7),
        **structure,
    )


def compare(make: Callable[[Spec, np.random.Generator], Case], spec: Spec, rng: np.random.Generator) -> None:
    case = make(spec, rng)
    for dtype in TOLERANCE:
        check(case, dtype)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn_tanh", "rnn_relu"])
def test_pytorch(cell: str, seed: int) -> None:
    pytest.importorskip("torch", reason="PyTorch is not installed")
    rng = np.random.default_rng([seed, *cell.encode()])
    structure = {"directions": DIRECTIONS[seed % 2], "layers": 1 + seed % 3}
    compare(torch_case, draw_spec(cell, structure, 1, rng), rng)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("cell", ["peephole", "lstm", "gru", "gru_reset_before"])
def test_onnx_runtime(cell: str, seed: int) -> None:
    for module in ("onnx", "onnxruntime", "torch"):
        pytest.importorskip(module, reason=f"{module} is not installed")
    rng = np.random.default_rng([seed, *cell.encode()])
    compare(onnx_case, draw_spec(cell, {"directions": DIRECTIONS[seed % 3]}, 0, rng), rng)
