"""``seqkit convert`` where the other libraries are installed: they are whom it compares with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import seqkit

torch = pytest.importorskip("torch")
onnxruntime = pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.peers

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(seqkit.__file__).parents[1]), "KERAS_BACKEND": "torch"}


def proofs(folder: Path, *arguments: str) -> list[tuple[str, float]]:
    """Whom both files were compared with, and the largest error."""
    program = [sys.executable, "-m", "seqkit", "convert", *arguments, "--json"]
    result = subprocess.run(program, capture_output=True, text=True, env=ENVIRONMENT, cwd=folder, timeout=60)
    assert result.returncode == 0, result.stderr
    found: list[dict[str, Any]] = json.loads(result.stdout)["proofs"]
    return [(proof["compared_with"].split()[0], max(one["error"] for one in proof["outputs"])) for proof in found]


def test_pytorch_to_onnx_and_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    torch.save(torch.nn.LSTM(3, 8, num_layers=2, bidirectional=True).state_dict(), tmp_path / "m.pt")
    (read, first), (written, second) = proofs(tmp_path, "m.pt", "m.onnx")
    assert (read, written) == ("PyTorch", "ONNX")
    assert max(first, second) < 2e-6
    (read, first), (written, second) = proofs(tmp_path, "m.onnx", "m.safetensors")
    assert (read, written) == ("ONNX", "the")
    assert (first < 2e-6, second) == (True, 0)
    (read, first), (written, second) = proofs(tmp_path, "m.safetensors", "again.onnx")
    assert (read, written) == ("ONNX", "ONNX")
    assert max(first, second) < 2e-6


def test_keras_to_rtneural(tmp_path: Path) -> None:
    program = (
        "import keras; keras.utils.set_random_seed(0); m = keras.Sequential([keras.layers.Input((None, 2)), "
        "keras.layers.LSTM(6, return_sequences=True), keras.layers.Dense(1, 'tanh')]); m.save('m.keras')"
    )
    pytest.importorskip("keras")
    subprocess.run([sys.executable, "-c", program], check=True, env=ENVIRONMENT, cwd=tmp_path, timeout=60)
    (read, first), (written, second) = proofs(tmp_path, "m.keras", "m.json")
    assert (read, written) == ("Keras", "RTNeural's")
    assert max(first, second) < 2e-6
