"""The well-known first program of recurrent networks, in three libraries: ``python benchmarks/first_program.py``.

An LSTM of 50 units and a dense layer of one learn to continue a series: windows of 30 values, 10,000
samples, batches of 32, Adam, mean squared error.  Each library runs in a process of its own; epochs
take turns, so that what else the machine does touches all of them.  See README.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

WINDOW, SAMPLES, UNITS, BATCH = 30, 10_000, 50, 32
Epoch = Callable[[], float]
"""Trains for an epoch and gives its mean loss."""


def windows() -> tuple[np.ndarray, np.ndarray]:
    """A noisy sum of two waves as windows (S, 30, 1) and the value after each (S, 1)."""
    t = np.arange(SAMPLES + WINDOW, dtype=np.float64)
    noise = np.random.default_rng(0).normal(scale=0.1, size=t.size)
    series = (np.sin(0.07 * t) + 0.5 * np.sin(0.31 * t) + noise).astype(np.float32)
    view = np.lib.stride_tricks.sliding_window_view(series, WINDOW + 1)
    return np.ascontiguousarray(view[:, :WINDOW, None]), np.ascontiguousarray(view[:, WINDOW:])


def in_seqkit() -> Epoch:
    """The program in seqkit."""
    import seqkit

    x, y = windows()
    model = seqkit.Sequential([seqkit.LSTM(UNITS), seqkit.Dense(1)], seed=0)
    model.compile(optimizer="adam", loss="mse")
    return lambda: model.fit(x, y, batch_size=BATCH, verbose=0).history["loss"][0]


def in_keras() -> Epoch:
    """The program in Keras on TensorFlow, with the defaults of `compile` and `fit`."""
    os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    import keras

    x, y = windows()
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.LSTM(UNITS), keras.layers.Dense(1)])
    model.compile(optimizer="adam", loss="mse")
    return lambda: float(model.fit(x, y, batch_size=BATCH, verbose=0).history["loss"][0])


def in_torch() -> Epoch:
    """The program as a plain loop in PyTorch, with whole batches taken by a permutation."""
    import torch

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = torch.nn.LSTM(1, UNITS, batch_first=True)
            self.dense = torch.nn.Linear(UNITS, 1)

        def forward(self, x: Any) -> Any:
            return self.dense(self.lstm(x)[0][:, -1])

    torch.manual_seed(0)
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    x, y = map(torch.from_numpy, windows())
    network = Network()
    optimizer, loss_of = torch.optim.Adam(network.parameters(), eps=1e-7), torch.nn.MSELoss()

    def epoch() -> float:
        losses = []
        for rows in torch.randperm(SAMPLES).split(BATCH):
            optimizer.zero_grad()
            loss = loss_of(network(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
            losses.append(loss.item() * len(rows))
        return sum(losses) / SAMPLES

    return epoch


LIBRARIES: dict[str, Callable[[], Epoch]] = {"seqkit": in_seqkit, "keras": in_keras, "torch": in_torch}


def work(library: str) -> None:
    """Run an epoch for every line of standard input; write its seconds and loss."""
    epoch = LIBRARIES[library]()
    for _ in sys.stdin:
        began = time.perf_counter()
        loss = epoch()
        print(json.dumps([time.perf_counter() - began, loss]), flush=True)


@dataclass
class Runner:
    """A library in a process of its own."""

    library: str
    process: subprocess.Popen[str]

    @classmethod
    def start(cls, library: str, python: str, threads: int) -> Runner:
        """Start the process and wait for nothing."""
        environment = os.environ | {"OMP_NUM_THREADS": str(threads), "TF_NUM_INTRAOP_THREADS": str(threads)}
        command = [python, str(Path(__file__).resolve()), "--work", library]
        pipe = subprocess.PIPE
        return cls(library, subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment))

    def epoch(self) -> tuple[float, float]:
        """Seconds and loss of one more epoch."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.library}: the process ended with {self.process.wait()}.")
        seconds, loss = json.loads(line)
        return seconds, loss


def race(runners: list[Runner], epochs: int) -> Iterator[tuple[str, float, float]]:
    """Median seconds of an epoch and the last loss; the first epoch, which compiles and warms up, is not counted."""
    seconds: dict[str, list[float]] = {runner.library: [] for runner in runners}
    loss: dict[str, float] = {}
    for number in range(epochs + 1):
        for runner in runners:
            taken, loss[runner.library] = runner.epoch()
            if number:
                seconds[runner.library].append(taken)
    for runner in runners:
        yield runner.library, statistics.median(seconds[runner.library]), loss[runner.library]


def main() -> None:
    """Train the first program in seqkit and in other libraries, epoch by epoch in turns."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--epochs", default=5, type=int, help="epochs that are measured (default 5)")
    parser.add_argument("--threads", default=2, type=int, help="threads of every library (default 2)")
    parser.add_argument("--keras", metavar="PYTHON", help="an interpreter that has keras and tensorflow-cpu")
    parser.add_argument("--torch", metavar="PYTHON", help="an interpreter that has torch")
    parser.add_argument("--work", choices=list(LIBRARIES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        return work(options.work)
    pythons = {"seqkit": sys.executable, "keras": options.keras, "torch": options.torch}
    with ExitStack() as stack:
        runners = [Runner.start(name, python, options.threads) for name, python in pythons.items() if python]
        for runner in runners:
            stack.callback(runner.process.kill)
        results = list(race(runners, options.epochs))
    own = results[0][1]
    print(f"LSTM({UNITS}), Dense(1), {SAMPLES} windows of {WINDOW}, batches of {BATCH}, {options.threads} threads")
    print("library  epoch_s  ratio  last_loss")
    for name, seconds, loss in results:
        print(f"{name:7}  {seconds:7.3f}  {seconds / own:5.2f}  {loss:9.5f}")


if __name__ == "__main__":
    main()
