"""What the benchmarks measure, for asv and for ``compare.py``.

Everything here is a literal: the same figures are taken of old and new versions, and a table
that came from the installed version would compare different things.  ``tests/test_benchmarks.py``
fails when a built-in cell is not in the list.  Append; what is changed loses its history.

Legend: B batch, T time, H units, of which there are as many as input features.
"""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

CELLS = ["simple_rnn", "lstm", "gru", "peephole"]
SHAPES = {
    "infer": ["B1 T100 H128", "B32 T100 H64", "B32 T100 H256"],
    "train": ["B1 T100 H128", "B32 T100 H64", "B32 T100 H256"],
    "step": ["B1 T1 H128", "B32 T1 H128"],
}
"""Sizes by mode; what a call is in each mode, `seqkit bench` defines."""


def checkout(name):
    """A module of ``seqkit/bench`` of this checkout, whatever version of seqkit is installed.

    What is measured, and how, is the same for every version; only the engine is another one.
    """
    path = Path(__file__).resolve().parents[2] / "seqkit" / "bench" / f"{name}.py"
    spec = spec_from_file_location(f"checkout_{name}", path)
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def case(cell, mode, shape):
    """The case of a shape such as "B32 T100 H64"."""
    batch, time, units = (int(part[1:]) for part in shape.split())
    return checkout("cases").Case(cell, mode, batch, time, units, units)
