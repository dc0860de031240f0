"""Training with every cell, against the same cell as a PyTorch module that loops over time.

``python benchmarks/zoo.py [NAME ...]``: forward and backward pass with all gradients, float32, in
turns, each library in a process of its own; see README.md of this package for figures.

Legend: B batch, T time, H units and input features.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
BATCH, TIME, UNITS = 32, 100, 128
LEAST = 0.05  # seconds of a turn: what is shorter is repeated


def arrays(features: int, outputs: int) -> tuple[np.ndarray, np.ndarray]:
    """Input and gradient of the output; raw inputs, which come last, are positive."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((BATCH, TIME, features), dtype=np.float32)
    x[..., UNITS:] = np.abs(x[..., UNITS:])
    return x, rng.standard_normal((BATCH, TIME, outputs), dtype=np.float32)


def prepare(library: str, name: str, threads: int, hoisted: bool) -> Callable[[], object]:
    """One training pass."""
    from cells import CELLS, features_of

    import seqkit

    layer = seqkit.Recurrent(CELLS[name], UNITS, return_sequences=True)
    layer.build(features_of(layer.cell, UNITS), seed=0)
    x, dy = arrays(layer.input_size, layer.output_size)
    if library == "seqkit":
        seqkit.set_num_threads(threads)

        def train() -> object:
            layer.zero_grads()
            _, cache = layer.forward(x)
            return layer.backward(dy, cache)

        return train

    import torch
    from torch_loops import LOOPS

    torch.set_num_threads(threads)
    state = tuple(torch.tensor(s) for s in layer.forward(x, training=False)[1].state)
    state = tuple(torch.zeros_like(s) for s in state)
    loop = LOOPS[name](dict(layer.params), hoisted=hoisted)
    x_, dy_ = torch.tensor(x, requires_grad=True), torch.tensor(dy)

    def train_loop() -> object:
        loop.zero_grad()
        x_.grad = None
        return loop(x_, state)[0].backward(dy_)

    return train_loop


def work(library: str, name: str, threads: int, hoisted: bool) -> None:
    """Run a turn for every line of standard input; write the seconds of a pass."""
    train = prepare(library, name, threads, hoisted)
    train()
    for _ in sys.stdin:
        passes, began = 0, time.perf_counter()
        while not passes or time.perf_counter() - began < LEAST:
            train()
            passes += 1
        print(json.dumps((time.perf_counter() - began) / passes), flush=True)


def race(name: str, threads: int, rounds: int, hoisted: bool) -> dict[str, float]:
    """Median seconds of each library."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    runners = {
        library: subprocess.Popen(
            [sys.executable, __file__, "--work", library, "--threads", str(threads), *["--hoisted"] * hoisted, name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )
        for library in ("torch", "seqkit")
    }  # fmt: skip
    seconds: dict[str, list[float]] = {library: [] for library in runners}
    for number in range(rounds + 1):
        for library, runner in runners.items():
            assert runner.stdin is not None
            assert runner.stdout is not None
            runner.stdin.write("\n")
            runner.stdin.flush()
            taken = json.loads(runner.stdout.readline())
            if number:  # the first turn warms up
                seconds[library].append(taken)
    for runner in runners.values():
        runner.communicate()
    return {library: statistics.median(taken) for library, taken in seconds.items()}


def main() -> None:
    """Print a table, and the geometric mean of the ratios."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="cells (default: all)")
    parser.add_argument("--threads", type=int, default=1, help="threads of both libraries (default 1)")
    parser.add_argument("--rounds", type=int, default=7, help="turns of which the median is taken (default 7)")
    parser.add_argument("--hoisted", action="store_true", help="PyTorch's input products before the loop")
    parser.add_argument("--work", choices=("torch", "seqkit"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work, options.names[0], options.threads, options.hoisted)
        return
    from cells import CELLS

    ratios = []
    print(f"| cell | PyTorch loop, ms | seqkit, ms | ratio |   B{BATCH} T{TIME} H{UNITS}, threads: {options.threads}")
    print("|---|---|---|---|")
    for name in options.names or CELLS:
        taken = race(name, options.threads, options.rounds, options.hoisted)
        ratios.append(taken["torch"] / taken["seqkit"])
        print(f"| {name} | {1e3 * taken['torch']:.1f} | {1e3 * taken['seqkit']:.2f} | {ratios[-1]:.1f} |", flush=True)
    print(f"\ngeometric mean {math.exp(statistics.fmean(map(math.log, ratios))):.1f}, least {min(ratios):.1f}")


if __name__ == "__main__":
    main()
