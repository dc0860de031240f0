"""Layers that are no cells beside PyTorch's: ``python benchmarks/layers.py``, where both are installed.

Training is outputs and all gradients.  Each library runs in a process of its own, because two pools of threads in one
disturb each other, and turns alternate.  That both compute the same is for the tests to say (`pytest -m peers`).

Legend: B batch, T time, F features, U filters, K kernel size, H heads.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, NamedTuple

import numpy as np

TURN, ROUNDS = 0.2, 7
"""Seconds of a turn, and turns of each library; the first one is not counted."""
Pass = Callable[[], None]


class Case(NamedTuple):
    """A layer and the shape (B, T, F) of what it reads."""

    layer: str
    shape: tuple[int, int, int]
    options: tuple[int, ...] = ()

    def __str__(self) -> str:
        named = {"conv1d": "U{} K{}", "attention": "H{}", "norm": ""}[self.layer].format(*self.options)
        return f"{self.layer} B{self.shape[0]} T{self.shape[1]} F{self.shape[2]} {named}".strip()


CASES = (
    Case("norm", (32, 100, 64)),
    Case("norm", (32, 100, 256)),
    Case("norm", (8, 1000, 512)),
    Case("norm", (1, 1, 256)),
    Case("conv1d", (32, 100, 1), (32, 5)),
    Case("conv1d", (32, 100, 12), (64, 5)),
    Case("conv1d", (32, 100, 64), (64, 3)),
    Case("attention", (32, 100, 64), (4,)),
    Case("attention", (8, 400, 128), (8,)),
)


def in_seqkit(case: Case, x: np.ndarray) -> Pass:
    """Training of the layer in seqkit."""
    import seqkit

    seqkit.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    layer: Any
    if case.layer == "norm":
        layer = seqkit.LayerNorm()
    elif case.layer == "conv1d":
        layer = seqkit.Conv1D(*case.options, padding="same", activation="relu")
    else:
        layer = seqkit.MultiHeadAttention(case.options[0], case.shape[2] // case.options[0])
    layer.build(case.shape[2], seed=0)
    dy = np.ones_like(layer(x))

    def train() -> None:
        _, cache = layer.forward(x)
        layer.backward(dy, cache)

    return train


def in_torch(case: Case, x: np.ndarray) -> Pass:
    """Training of the layer in PyTorch; a convolution reads (B, F, T), as it likes best."""
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    given = torch.from_numpy(x).requires_grad_()
    if case.layer == "norm":
        module = torch.nn.LayerNorm(case.shape[2])
    elif case.layer == "conv1d":
        given = torch.from_numpy(np.ascontiguousarray(x.swapaxes(1, 2))).requires_grad_()
        filters, size = case.options
        module = torch.nn.Sequential(torch.nn.Conv1d(case.shape[2], filters, size, padding="same"), torch.nn.ReLU())
    else:
        module = torch.nn.MultiheadAttention(case.shape[2], case.options[0], batch_first=True)

    def outputs() -> Any:
        return module(given, given, given, need_weights=False)[0] if case.layer == "attention" else module(given)

    dy = torch.ones_like(outputs())

    def train() -> None:
        module.zero_grad(set_to_none=True)
        given.grad = None
        outputs().backward(dy)

    return train


LIBRARIES: dict[str, Callable[[Case, np.ndarray], Pass]] = {"seqkit": in_seqkit, "torch": in_torch}


def work(library: str) -> None:
    """A turn for every number of a case on standard input; write the median of its seconds."""
    np.empty(31 * 2**20, np.uint8)  # freed at once: glibc keeps what is freed for both, as importing seqkit makes it do
    passes: dict[int, Pass] = {}
    for line in sys.stdin:
        number = int(line)
        if number not in passes:
            x = np.random.default_rng(0).standard_normal(CASES[number].shape, dtype=np.float32)
            passes[number] = LIBRARIES[library](CASES[number], x)
        seconds, end = [], time.perf_counter() + TURN
        while time.perf_counter() < end:
            began = time.perf_counter()
            passes[number]()
            seconds.append(time.perf_counter() - began)
        print(statistics.median(seconds), flush=True)


def turn(process: subprocess.Popen[str], number: int) -> float:
    """Seconds of one more turn of a process."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{number}\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        sys.exit(f"a process ended with {process.wait()}.")
    return float(line)


def main() -> None:
    """Print the time of a training pass in both libraries, and PyTorch's divided by seqkit's."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--threads", default=1, type=int, help="threads of each library (default 1)")
    parser.add_argument("--work", choices=list(LIBRARIES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        return work(options.work)
    environment = os.environ | {"OMP_NUM_THREADS": str(options.threads)}
    pipe = subprocess.PIPE
    with ExitStack() as stack:
        processes = [
            subprocess.Popen(
                [sys.executable, __file__, "--work", name], stdin=pipe, stdout=pipe, text=True, env=environment
            )
            for name in LIBRARIES
        ]
        for process in processes:
            stack.callback(process.kill)
        print("case                           seqkit_us   torch_us  ratio")
        for number, case in enumerate(CASES):
            turns = [[turn(process, number) for process in processes] for _ in range(ROUNDS)][1:]
            ratio = statistics.median(theirs / own for own, theirs in turns)
            own, theirs = (statistics.median(column) * 1e6 for column in zip(*turns, strict=True))
            print(f"{case!s:29}  {own:10.1f} {theirs:10.1f}  {ratio:5.2f}")


if __name__ == "__main__":
    main()
