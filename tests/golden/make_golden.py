"""Model files of every format version, each with inputs and the outputs that it gave when it was made.

Run by the version of seqkit that first wrote a format version, and never again: the files must stay readable as they
are.  ``python tests/golden/make_golden.py 1`` made those of version 1, ``... 2`` those of version 2.
"""

from __future__ import annotations

import copy
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

import seqkit

FOLDER = Path(__file__).parent


def put(name: str, model: seqkit.Sequential, x: np.ndarray, **more: np.ndarray) -> None:
    """Write a model and what it gives; the lengths reach from 0 to all steps."""
    model.save(FOLDER / f"{name}.safetensors")
    lengths = np.array([x.shape[1], 0, 2])
    np.savez(FOLDER / f"{name}.npz", x=x, lengths=lengths, y=model.predict(x, lengths=lengths), **more)


def version_1() -> None:
    """Models of layers, and one in the middle of its training."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(3, 5, 3)).astype(np.float32)
    shape = {"input_shape": (None, 3)}
    put("1-lstm", seqkit.Sequential([seqkit.LSTM(4, return_sequences=True, **shape), seqkit.Dense(2, "softmax")], 1), x)
    both = seqkit.Bidirectional(seqkit.GRU(3, reset_after=False, **shape), "ave", seqkit.LSTM(3, go_backwards=True))
    put("1-bidirectional", seqkit.Sequential([both, seqkit.Dense(2)], 2, "float64"), x.astype(float))
    layers = [seqkit.Embedding(7, 3), seqkit.PeepholeLSTM(4, return_sequences=True), seqkit.Dropout(0.5)]
    ids = rng.integers(7, size=(3, 5))
    put("1-embedding", seqkit.Sequential([*layers, seqkit.SimpleRNN(3), seqkit.Dense(1)], 3), ids)
    trained = seqkit.Sequential([seqkit.GRU(4, dropout=0.2, **shape), seqkit.Dense(2)], 4)
    trained.compile(seqkit.AdamW(0.01, global_clipnorm=1.0), "mse", ["mae"])
    targets = rng.normal(size=(3, 2))
    trained.fit(x, targets, epochs=3, batch_size=2)
    trained.metadata = {"task": "forecast", "notes": ["\u00e4", 1.5, None]}
    put("1-training", trained, x, targets=targets, later=later(trained, x, targets))
    checkpoint(x, targets)


def later(model: seqkit.Sequential, x: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """What a copy gives after two more epochs: with it come the optimizer and the random numbers."""
    model = copy.deepcopy(model)
    model.fit(x, targets, epochs=2, batch_size=2)
    return model.predict(x)


def checkpoint(x: np.ndarray, targets: np.ndarray) -> None:
    """Training that is interrupted in the middle of an epoch, and what it comes to when it goes on."""

    def model() -> seqkit.Sequential:
        model = seqkit.Sequential([seqkit.LSTM(3, zoneout=0.1, input_shape=(None, 3)), seqkit.Dense(2)], 5)
        model.compile(seqkit.Adam(0.01), "mse")
        return model

    with tempfile.TemporaryDirectory() as folder:
        saving = seqkit.Checkpoint(folder, every=1, unit="batches", keep=None)
        model().fit(x, targets, epochs=2, batch_size=2, seed=6, callbacks=saving)
        file = Path(folder, "step-0000000003.safetensors")
        shutil.copy(file, FOLDER / "1-checkpoint.safetensors")
    whole = model()
    whole.fit(x, targets, epochs=4, batch_size=2, seed=6)
    np.savez(FOLDER / "1-checkpoint.npz", x=x, targets=targets, later=whole.predict(x))


def version_2() -> None:
    """The graph of an ONNX file: ids are looked up, summed over time where asked, and go through a linear layer."""
    from seqkit.interop.onnx.graph_model import GraphModel
    from seqkit.interop.onnx.messages import Graph, Model, Node, Value

    rng = np.random.default_rng(2)
    weights = {"table": (7, 3), "w": (3, 4), "b": (4,)}
    constants = {name: rng.normal(size=shape).astype(np.float32) for name, shape in weights.items()}
    constants |= {"axes": np.array([1]), "scale": np.array(0.5, np.float32)}
    nodes = [
        Node("Gather", ["table", "ids"], ["steps"]),
        Node("Mul", ["steps", "scale"], ["scaled"]),
        Node("ReduceSum", ["scaled", "axes"], ["sums"], {"keepdims": 0}),
        Node("Gemm", ["sums", "w", "b"], ["z"]),
        Node("Tanh", ["z"], ["y"]),
    ]
    inputs = [Value("ids", np.dtype(np.int64), ("batch", "time")), Value("scale", np.dtype(np.float32), ())]
    outputs = [Value("y", np.dtype(np.float32), ("batch", 4)), Value("sums", np.dtype(np.float32), ("batch", 3))]
    graph = Graph("golden", nodes, inputs, outputs, constants)
    model = GraphModel(Model(graph, {"": 17}, 8, "golden", {"author": "somebody"}))
    seqkit.interop.save(model, FOLDER / "2-graph.safetensors")
    ids = rng.integers(7, size=(3, 5))
    given = {"ids": ids, "scale": np.array(0.25, np.float32)}
    kept = {"default": model.run({"ids": ids}), "scaled": model.run(given)}
    results = {f"{case} {name}": array for case, found in kept.items() for name, array in found.items()}
    np.savez(FOLDER / "2-graph.npz", **given, **results)


if __name__ == "__main__":
    {"1": version_1, "2": version_2}[sys.argv[1]]()
