"""Recurrent ONNX files beside ONNX Runtime: seconds of a call, one library after the other, each in its own process.

python benchmarks/onnx_files.py [threads] [seconds of a case]

Two layers of 256 units; each library reads the same file.  Ratios are ONNX Runtime's time over ours.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import seqkit
from seqkit.bench.timing import interleave, take_turn
from seqkit.interop.onnx.graph_model import GraphModel
from seqkit.interop.onnx.messages import Graph, Model, Node, Value, decode, encode

UNITS, LAYERS, OPSET, IR_VERSION = 256, 2, 14, 8
GATES = {"LSTM": 4, "GRU": 3}
ROUNDS = 6
Run = Callable[[], Any]


class Case(NamedTuple):
    """A file and what it is run on."""

    operator: str
    directions: int
    features: int
    batch: int
    time: int

    def __str__(self) -> str:
        name = f"{self.operator} bidirectional" if self.directions == 2 else self.operator
        return f"{name:19} I{self.features:<4} B{self.batch:<3} T{self.time:<4}"


def cases() -> Iterator[Case]:
    """Every case of the table."""
    for operator, directions in (("LSTM", 1), ("LSTM", 2), ("GRU", 1)):
        for features in (64, 256):
            for batch in (1, 32):
                for time in (1, 10, 100):
                    yield Case(operator, directions, features, batch, time)


def file_of(case: Case) -> bytes:
    """The ONNX file, as PyTorch's exporter arranges it: Y of a layer is squeezed, or reshaped, to X of the next."""
    rng, count = np.random.default_rng(0), case.directions
    nodes, x, size = [], "X", case.features
    constants = {"axis": np.array([1])} if count == 1 else {"shape": np.array([0, 0, -1])}
    attributes: dict[str, Any] = {"hidden_size": UNITS, "direction": "bidirectional" if count == 2 else "forward"}
    if case.operator == "GRU":
        attributes["linear_before_reset"] = 1
    rows = GATES[case.operator] * UNITS
    for layer in range(LAYERS):
        shapes = {"W": (count, rows, size), "R": (count, rows, UNITS), "B": (count, 2 * rows)}
        weights = {f"{name}{layer}": rng.uniform(-0.06, 0.06, shape) for name, shape in shapes.items()}
        constants |= {name: array.astype(np.float32) for name, array in weights.items()}
        y, joined = f"Y{layer}", f"joined{layer}"
        nodes.append(Node(case.operator, [x, *weights], [y], attributes))
        if count == 1:
            nodes.append(Node("Squeeze", [y, "axis"], [joined]))
        else:
            nodes.append(Node("Transpose", [y], [f"turned{layer}"], {"perm": [0, 2, 1, 3]}))
            nodes.append(Node("Reshape", [f"turned{layer}", "shape"], [joined]))
        x, size = joined, count * UNITS
    float32 = np.dtype("float32")
    given, made = Value("X", float32, ("time", "batch", case.features)), Value(x, float32, ("time", "batch", size))
    return encode(Model(Graph(str(case), nodes, [given], [made], constants), {"": OPSET}, IR_VERSION))


def input_of(case: Case) -> np.ndarray:
    """X (T, B, I)."""
    return np.random.default_rng(1).standard_normal((case.time, case.batch, case.features), dtype=np.float32)


def ours(case: Case, path: str) -> Run:
    """A call of seqkit."""
    model, x = GraphModel(decode(Path(path).read_bytes())), input_of(case)
    return lambda: model.run({"X": x})


def theirs(case: Case, path: str, threads: int) -> Run:
    """A call of ONNX Runtime."""
    runtime: Any = import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session, x = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"]), input_of(case)
    names = [value.name for value in session.get_outputs()]
    return lambda: dict(zip(names, session.run(None, {"X": x}), strict=True))


def serve(threads: int) -> None:
    """The other process: for each line a case is prepared, or timed for some seconds."""
    run: Run = dict
    for line in sys.stdin:
        *place, last = line.split()
        if place:
            run = theirs(Case(place[0], *map(int, place[1:])), last, threads)
            (y,) = run().values()
            np.save(f"{last}.npy", y)
            print("ready", flush=True)
        else:
            print(*take_turn(run, float(last)), flush=True)


def compare(case: Case, folder: str, other: subprocess.Popen[str], seconds: float) -> tuple[float, float, float]:
    """Seconds of a call of ONNX Runtime and of seqkit, and the largest difference of their outputs."""
    path = f"{folder}/model.onnx"
    Path(path).write_bytes(file_of(case))

    def ask(request: str) -> list[str]:
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdin.write(f"{request}\n")
        other.stdin.flush()
        return other.stdout.readline().split()

    ask(" ".join(map(str, (*case, path))))
    run = ours(case, path)
    (y,) = run().values()
    difference = float(abs(np.load(f"{path}.npy") - y).max())
    turns = {
        "theirs": lambda seconds: list(map(float, ask(str(seconds)))),
        "ours": lambda seconds: take_turn(run, seconds),
    }
    found = interleave(turns, seconds, ROUNDS)
    return found["theirs"].median, found["ours"].median, difference


def main(threads: int, seconds: float) -> None:
    """Print the table."""
    seqkit.set_num_threads(threads)
    command = [sys.executable, __file__, "--serve", str(threads)]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other,
    ):
        print(f"{threads} thread(s), microseconds of a call\n{'':35}{'ONNX Runtime':>14}{'seqkit':>10}{'ratio':>8}")
        for case in cases():
            a, b, difference = compare(case, folder, other, seconds)
            print(f"{case!s:35}{1e6 * a:14.1f}{1e6 * b:10.1f}{a / b:8.2f}   {difference:.0e}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(int(sys.argv[2]))
    else:
        parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("threads", type=int, nargs="?", default=1)
        parser.add_argument("seconds", type=float, nargs="?", default=0.5, help="of a case")
        main(**vars(parser.parse_args()))
