"""Random Keras models, saved in every format and run here and there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_models import RandomModel

from seqkit.interop.keras.read import read

pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore"),  # Keras' own
]
MODELS = 100


@pytest.fixture(scope="module")
def keras() -> Any:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    return pytest.importorskip("keras")


def saved(model: Any, folder: Path, seed: int) -> tuple[Path, Path | None]:
    """A file of the model, and one of its configuration where it needs it."""
    name = ("m.keras", "m.h5", "m.weights.h5")[seed % 3]
    if name != "m.weights.h5":
        model.save(folder / name)
        return folder / name, None
    model.save_weights(folder / name)
    (folder / "m.json").write_text(model.to_json())
    return folder / name, folder / "m.json"


@pytest.mark.parametrize("tens", range(MODELS // 10))
def test_random_models(keras: Any, tens: int, tmp_path: Path) -> None:
    for seed in range(10 * tens, 10 * tens + 10):
        made = RandomModel(keras, seed)
        imported = read(*saved(made.model, tmp_path, seed))
        peer = imported.peer() if seed % 4 == 0 else None  # it is made anew, which takes its time
        for draw in range(1 + (seed % 4 in (0, 2))):  # other masks
            inputs = imported.draw(np.random.default_rng([seed, draw]))
            expected = keras.ops.convert_to_numpy(made.model(inputs["x"], training=False))
            found = imported.run(inputs)["y"]
            scale = max(1.0, float(np.abs(expected).max()))
            tolerance = 1e-6 * scale  # Keras with PyTorch multiplies in float32 in models of float64, too
            assert found.dtype == made.dtype
            np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance, err_msg=f"seed {seed}")
            exact = imported.reference().run(inputs)["y"]
            bound = {"float32": tolerance, "float64": 1e-13 * scale}[made.dtype]
            np.testing.assert_allclose(found, exact, rtol=0, atol=bound, err_msg=f"reference, seed {seed}")
            if peer is not None:
                there = peer.run(inputs)["y"]
                np.testing.assert_allclose(there, expected, rtol=0, atol=tolerance, err_msg=f"peer, seed {seed}")
        keras.backend.clear_session()


@pytest.mark.parametrize("seed", [2, 3, 6, 7, 10, 11, 22, 23, 26, 27, 30, 31])
def test_gradients_are_those_of_pytorch(keras: Any, seed: int, tmp_path: Path) -> None:
    """Of the input, through masks and all layers, which is of every weight on the way, too."""
    if keras.backend.backend() != "torch":
        pytest.skip("Keras runs on another backend")
    torch = pytest.importorskip("torch")
    made = RandomModel(keras, seed, dropout=False)
    imported = read(*saved(made.model, tmp_path, seed))
    x = imported.draw(np.random.default_rng(seed))["x"]
    there = torch.tensor(x, requires_grad=True)
    y = made.model(there, training=False)
    w = np.random.default_rng(1).normal(size=tuple(y.shape)).astype(np.float32)
    (y * torch.tensor(w)).sum().backward()
    found, caches = imported.model.forward(x, training=True)
    np.testing.assert_allclose(found, y.detach().numpy(), rtol=0, atol=1e-6 * max(1.0, float(y.abs().max())))
    dx = imported.model.backward(w, caches, input_grad=True)
    expected = there.grad.numpy()
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(dx, expected, rtol=0, atol=5e-6 * scale)
