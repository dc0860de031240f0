"""RTNeural's files beside Keras, whose models they are written from: the same arrays in the same order."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")

from seqkit.interop import from_rtneural  # noqa: E402
from seqkit.interop.proof import prove  # noqa: E402
from seqkit.interop.rtneural import read  # noqa: E402

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

TYPES = {
    **{"LSTM": "lstm", "GRU": "gru", "Dense": "dense", "TimeDistributed": "time-distributed-dense"},
    **{"PReLU": "prelu", "Activation": "activation"},
}


def random_model(seed: int) -> Any:
    rng = np.random.default_rng(seed)
    layers = [keras.layers.Input((None, int(rng.integers(1, 4))))]
    for _ in range(rng.integers(1, 5)):
        units, name = int(rng.integers(2, 9)), str(rng.choice(["linear", "tanh", "relu", "sigmoid", "softmax", "elu"]))
        dense = keras.layers.Dense(units, activation=name)
        choices = [
            keras.layers.LSTM(units, return_sequences=True),
            keras.layers.GRU(units, return_sequences=True),
            dense,
            keras.layers.TimeDistributed(keras.layers.Dense(units, activation=name)),
            keras.layers.PReLU(shared_axes=[1]),
            keras.layers.Activation(name),
        ]
        layers.append(choices[rng.integers(len(choices))])
    model = keras.Sequential(layers)
    model.set_weights([rng.normal(size=array.shape, scale=0.7) for array in model.get_weights()])
    return model


def written(model: Any) -> dict[str, Any]:
    """What RTNeural's script writes: output shapes, names of activations, `get_weights` as lists."""
    layers = []
    for layer in model.layers:
        inner = getattr(layer, "layer", layer)
        activation = keras.activations.serialize(inner.activation) if hasattr(inner, "activation") else ""
        layers.append(
            {
                "type": TYPES[type(layer).__name__],
                "activation": "" if activation == "linear" else activation,
                "shape": [None, None, layer.output.shape[-1]],
                "weights": [array.tolist() for array in layer.get_weights()],
            }
        )
    return {"in_shape": [None, None, model.input_shape[-1]], "layers": layers}


@pytest.mark.parametrize("seed", range(30))
def test_keras(tmp_path: Path, seed: int) -> None:
    model = random_model(seed)
    path = tmp_path / "m.json"
    path.write_text(json.dumps(written(model)))
    x = np.random.default_rng(seed).normal(size=(3, 12, model.input_shape[-1])).astype(np.float32)
    expected = model.predict(x, verbose=0)
    error = np.abs(from_rtneural(path).predict(x) - expected).max() / max(1, np.abs(expected).max())
    assert error < 2e-6
    assert prove(read(path)).error < 5e-6


@pytest.mark.parametrize("seed", range(10))
def test_pytorch(tmp_path: Path, seed: int) -> None:
    """State dicts as JSON, the form of RTNeural's torch_helpers.h."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    features, units, kind = int(rng.integers(1, 4)), int(rng.integers(2, 9)), ("LSTM", "GRU")[seed % 2]
    torch.manual_seed(seed)
    recurrent = getattr(torch.nn, kind)(features, units, num_layers=seed % 3 + 1, batch_first=True)
    dense = torch.nn.Linear(units, 2)
    document = {f"rec.{name}": array.tolist() for name, array in recurrent.state_dict().items()}
    document |= {f"lin.{name}": array.tolist() for name, array in dense.state_dict().items()}
    path = tmp_path / "m.json"
    path.write_text(json.dumps(document))
    mapping = {"layers": [{"kind": kind.lower(), "prefix": "rec"}, {"kind": "linear", "prefix": "lin"}]}
    x = rng.normal(size=(3, 12, features)).astype(np.float32)
    with torch.no_grad():
        expected = dense(recurrent(torch.from_numpy(x))[0]).numpy()
    np.testing.assert_allclose(from_rtneural(path, mapping=mapping).predict(x), expected, rtol=0, atol=1e-6)
    assert prove(read(path, mapping=mapping)).oracle.startswith("PyTorch")
