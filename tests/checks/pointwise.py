"""What every built-in cell computes, as digests: python -m checks.pointwise [library of compiled kernels].

Bits are compared between processes that differ in SEQKIT_ISA or SEQKIT_POINTWISE.
"""

from __future__ import annotations

import hashlib
import importlib.util
import itertools
import json
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from checks.subjects import registered
from seqkit import _core, registry
from seqkit._core import calls
from seqkit.testing.data import Data, fill, run

BATCHES = ([9], [4, 1, 7, 0, 7], [n * 5 % 9 for n in range(33)])
OPTIONS: tuple[dict[str, Any], ...] = ({}, {"use_bias": False}, {"recurrent_dropout": 0.3}, {"go_backwards": True})


def layers(names: list[str]) -> Iterator[tuple[str, Any]]:
    """Built layers of each cell with each option, of sizes that do and do not fill their panels."""
    for name, dtype in itertools.product(names, ("float32", "float64")):
        options = (*OPTIONS, {"reset_after": False}) if name == "gru" else OPTIONS
        for number, option in enumerate(options):
            units = (5, 40, 33, 64, 18)[number]
            layer = registry.create(name, units, return_sequences=True, **option)
            yield f"{name} {option} {dtype}", fill(layer.build(7, seed=0, dtype=dtype))


def programs(layer: Any) -> Iterator[_core.Program]:
    """Inference, training and backward, with and without dropped states."""
    for execution in dict.fromkeys((layer.execution, layer._training)):
        yield execution.inference
        yield execution.gradient.forward_program
        yield execution.gradient.backward_program


def digests(names: list[str]) -> Iterator[tuple[str, str]]:
    """Name and digest of every array that inference, training, streams and backward give."""
    for label, layer in layers(names):
        for lengths in BATCHES:
            layer.restore_random_state({"seed": 5, "row": 0})
            data = Data.draw(layer, lengths)
            found = run(layer, data)
            found["inference"], cache = layer.forward(data.x, data.lengths, data.state, training=False)
            found["step"], _ = layer.step(data.x[:, 0], cache.state)
            for name, array in found.items():
                digest = hashlib.sha256(array.tobytes()).hexdigest() if np.isfinite(array).all() else "not finite"
                yield f"{label}, batch {len(lengths)}: {name}", digest


def take_kernels(library: str) -> None:
    """Use the kernels of another library, which must have all that is asked of it."""
    spec = importlib.util.spec_from_file_location("compiled", library)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    calls.BUILT_IN = _core.KernelTable(module)


def main(names: list[str], library: str | None = None) -> None:
    """Print which instruction set runs, whether everything is compiled, and the digests."""
    if library:
        take_kernels(library)
    compiled = {
        provider is not None
        for _, layer in layers(names)
        for program in programs(layer)
        for provider in program.providers
    }
    print(json.dumps({"isa": _core.isa, "compiled": sorted(compiled), "digests": dict(digests(names))}))


if __name__ == "__main__":
    main(sys.argv[1].split(",") if len(sys.argv) > 1 else registered(), *sys.argv[2:])
