"""``python -m seqkit.build module:Class``: the kernels that would be generated, to begin a hand-written one with."""

from __future__ import annotations

import argparse
import sys


def main(arguments: list[str] | None = None) -> None:
    """Print the kernels of one program of a cell, as C."""
    from seqkit.build.printing import load, programs_of
    from seqkit.equations.emit import kernels
    from seqkit.errors import SeqkitError

    parser = argparse.ArgumentParser(prog="python -m seqkit.build", description=main.__doc__)
    parser.add_argument("cell", help="the cell class, module:Class")
    parser.add_argument("program", nargs="?", default="inference", choices=("inference", "training", "gradient"))
    options = parser.parse_args(arguments)
    try:
        found = next(p for p in programs_of(load(options.cell)) if p.name == options.program)
    except SeqkitError as error:
        sys.exit(f"seqkit.build: {error}")
    for stage, text in enumerate(kernels(found.tables).values()):
        print(f"/* {options.cell}, {options.program}, stage {stage} */\n{text}", end="")


if __name__ == "__main__":
    main()
