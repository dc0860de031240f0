"""``seqkit info``."""

from __future__ import annotations

import platform
from typing import Any

import click

from seqkit.cli.console import print_json, print_table
from seqkit.doctor.package import installed


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def info(as_json: bool) -> None:
    """Show versions, the instruction set in use, and threads.

    These facts belong in every report of a fault or a speed.  `seqkit doctor` judges them.

    \b
    Examples:
      seqkit info
      seqkit info --json
    """
    facts = environment()
    if as_json:
        print_json(facts)
    else:
        print_table([(name.replace("_", " "), _words(value)) for name, value in facts.items()])


def environment() -> dict[str, Any]:
    """What the speed and the results of this installation depend on."""
    import numpy

    from seqkit import _core

    return {
        "seqkit": installed("seqkit"),
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "matplotlib": installed("matplotlib"),
        "platform": platform.platform(),
        "instruction_set": _core.isa,
        "supported_instruction_sets": list(_core.supported_isas()),
        "openmp": bool(_core.openmp),
        "threads": _core.num_threads(),
    }


def _words(value: Any) -> str:
    if value is None:
        return "not installed"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else str(value)
