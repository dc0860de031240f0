"""A cell from outside of seqkit beside the built-in one: ``python benchmarks/from_outside.py``.

The LSTM's equations are written to a package of its own, which is built with seqkit.build in a temporary folder, and
run compiled and interpreted.  Without further ado they would find the kernels of the built-in LSTM, which are known by
what they compute; here those are hidden.  All three run in turns, in one process, on one thread, to the
same bits.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import numpy as np

import seqkit
from seqkit._core import calls

CELL = '''
from seqkit import Cell

class Outside(Cell):
    """Long short-term memory."""
    gates, states = ("i", "f", "g", "o"), ("h", "c")
    kernels = "outside._kernels"

    def step(self, x, U, s, p):
        i = self.recurrent_activation(x.i + U.i @ s.h)
        f = self.recurrent_activation(x.f + U.f @ s.h)
        g = self.activation(x.g + U.g @ s.h)
        o = self.recurrent_activation(x.o + U.o @ s.h)
        c = f * s.c + i * g
        return {"h": o * self.activation(c), "c": c}

class Interpreted(Outside):
    kernels = ""
'''
SETUP = """
from setuptools import setup
from seqkit.build import BuildKernels, KernelExtension

kernels = KernelExtension("outside._kernels", cells=["outside:Outside"])
setup(name="outside", packages=["outside"], ext_modules=[kernels], cmdclass={"build_ext": BuildKernels})
"""
CASES = "1x32,2x64,8x64,8x128,32x64,32x128,32x256,128x64,128x128"
Run = Callable[[], object]


def build(folder: Path) -> None:
    """Build the package, and have it imported from there."""
    (folder / "outside").mkdir()
    (folder / "outside" / "__init__.py").write_text(CELL)
    (folder / "setup.py").write_text(SETUP)
    command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise click.ClickException(f"the package cannot be built:\n{done.stderr}")
    sys.path.insert(0, str(folder))


@contextmanager
def without_built_in_kernels() -> Iterator[None]:
    """Programs that are made meanwhile find no kernels of seqkit."""
    known, calls.BUILT_IN = calls.BUILT_IN, None  # type: ignore[attr-defined]
    try:
        yield
    finally:
        calls.BUILT_IN = known  # type: ignore[attr-defined]


def runs(batch: int, units: int, steps: int, training: bool) -> list[Run]:
    """What is timed: a call of the built-in LSTM, of the one compiled outside, of the interpreted one."""
    from outside import Interpreted, Outside  # type: ignore[import-not-found]

    x = np.random.default_rng(0).standard_normal((batch, steps, units), dtype=np.float32)
    layers = [seqkit.LSTM(units, return_sequences=True, unit_forget_bias=False)]
    layers += [seqkit.Recurrent(cell, units, return_sequences=True) for cell in (Outside, Interpreted)]
    found = [call(layers[0], x, training)]
    with without_built_in_kernels():
        found += [call(layer, x, training) for layer in layers[1:]]
    plans = [layer.plan(x.shape, training).kernels for layer in layers]
    assert plans[1:] == ["kernels of outside 0.0.0", "no kernels were compiled for these equations"], plans
    for layer in layers[1:]:
        for name, grad in layers[0].grads.items():
            assert np.array_equal(grad, layer.grads[name])
        assert np.array_equal(layer(x), layers[0](x))
    return found


def call(layer: seqkit.Recurrent, x: np.ndarray, training: bool) -> Run:
    """A call of a layer, which has been made once."""
    layer.build(x.shape[-1], seed=0)

    def infer() -> object:
        return layer(x)

    def train() -> object:
        y, cache = layer.forward(x, training=True)
        return layer.backward(y, cache, input_grad=False)

    run = train if training else infer
    run()
    return run


def times(found: list[Run], rounds: int, seconds: float) -> list[float]:
    """Seconds of each, in turns: the least of the medians of the rounds."""
    medians: list[list[float]] = [[] for _ in found]
    for _ in range(rounds):
        for run, median in zip(found, medians, strict=True):
            turn, end = [], time.perf_counter() + seconds
            while time.perf_counter() < end or len(turn) < 3:
                began = time.perf_counter()
                run()
                turn.append(time.perf_counter() - began)
            median.append(statistics.median(turn))
    return list(map(min, medians))


@click.command()
@click.option("--cases", default=CASES, show_default=True, help="Sequences x units.")
@click.option("--time", "steps", default=100, show_default=True, type=click.IntRange(1), help="Steps of a sequence.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1), help="Turns of each.")
@click.option("--seconds", default=0.1, show_default=True, type=click.FloatRange(0), help="Length of a turn.")
def main(cases: str, steps: int, rounds: int, seconds: float) -> None:
    """Time an LSTM from outside, compiled and interpreted, beside the built-in one."""
    seqkit.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder))
        click.echo("| B | H | | built-in, us | compiled outside | interpreted |\n|---|---|---|---|---|---|")
        for case in cases.split(","):
            batch, units = map(int, case.split("x"))
            for training in (False, True):
                own, compiled, interpreted = times(runs(batch, units, steps, training), rounds, seconds)
                mode = "training" if training else "inference"
                ratios = f"{compiled / own:.2f} | {interpreted / own:.2f}"
                click.echo(f"| {batch} | {units} | {mode} | {own * 1e6:.0f} | {ratios} |")


if __name__ == "__main__":
    main()
