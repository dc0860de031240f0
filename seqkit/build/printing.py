"""Printing kernels: what a build does in a process of its own, because it imports the cells."""

from __future__ import annotations

import inspect
import itertools
import re
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from seqkit.equations import Cell

WRITTEN = re.compile(r"FN\(run_([0-9a-f]{16})\)")
MOST_ZONED_OUT = 2  # states of which every choice is compiled; of more of them, none and all


class Lowered(NamedTuple):
    """A program of a cell: "inference", "training" or "gradient"."""

    name: str
    tables: dict[str, Any]


def write_kernels(module: str, cells: Sequence[str], written: Sequence[str], path: str) -> None:
    """Write the kernels of cells to a file, if they are others than those in it, or leave with a message."""
    from seqkit.equations.emit import kernel_file
    from seqkit.errors import SeqkitError

    try:
        tables = [program.tables for cell in cells for program in programs_of(load(cell, module))]
        text = kernel_file(tables, written_kernels(written))
    except SeqkitError as error:
        sys.exit(f"seqkit.build: {error}")
    if not Path(path).exists() or Path(path).read_text() != text:
        Path(path).write_text(text)


def load(name: str, module: str = "") -> type[Cell]:
    """The cell class that "module:Class" names; with `module`, it must say that its kernels are there."""
    from seqkit.equations import Cell
    from seqkit.errors import BuildError

    where, _, attribute = name.partition(":")
    own = module.startswith("seqkit.")  # whose kernels every cell may use
    try:
        found = getattr(import_module(where), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise BuildError(f"cell {name!r} cannot be imported: {error}; write it as 'module:Class'.") from error
    if not (isinstance(found, type) and issubclass(found, Cell)):
        raise BuildError(f"{name!r} is {found!r}; expected a subclass of seqkit.Cell.")
    if module and not own and found.kernels != module:
        raise BuildError(f"{name}: its attribute kernels is {found.kernels!r}; set it to {module!r}.")
    return found


def written_kernels(paths: Sequence[str]) -> dict[str, str]:
    """Files of kernels written by hand, by the names of the kernels."""
    from seqkit.errors import BuildError

    found = {}
    for path in paths:
        names = set(WRITTEN.findall(Path(path).read_text()))
        if len(names) != 1:
            raise BuildError(f"{path}: a file holds one kernel, FN(run_<16 hexadecimal digits>); found {len(names)}.")
        found[names.pop()] = path
    return found


def programs_of(cell: type[Cell]) -> Iterator[Lowered]:
    """Programs of a cell with its default options and with its switches in all positions."""
    makers = [vars(base)["__init__"] for base in cell.__mro__ if "__init__" in vars(base)]
    options = [option for maker in makers for option in inspect.signature(maker).parameters.values()]
    switches = sorted({option.name for option in options if isinstance(option.default, bool)})
    for positions in itertools.product((True, False), repeat=len(switches)):
        chosen: dict[str, Any] = dict(zip(switches, positions, strict=True))
        yield from programs(cell(**chosen))


def programs(cell: Cell) -> Iterator[Lowered]:
    """Inference, training and gradient, with and without recurrent dropout, and training with zoneout."""
    from seqkit.equations import derive, trace
    from seqkit.equations.layout import lay_out
    from seqkit.equations.lower import backward_tables, forward_tables
    from seqkit.equations.shapes import Shapes

    for masked, drawn in itertools.product((False, True), zoned_out(cell.states)):
        program = trace(cell, masked, dict.fromkeys(drawn))
        layout, gradient = lay_out(program, Shapes(program, 1, 1), "float32", "float32"), derive(program)
        if not drawn:
            yield Lowered("inference", forward_tables(layout, []))
        yield Lowered("training", forward_tables(layout, gradient.saved))
        yield Lowered("gradient", backward_tables(layout, gradient).tables)


def zoned_out(states: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Choices of states for zoneout."""
    if len(states) > MOST_ZONED_OUT:
        return [(), states]
    return [tuple(itertools.compress(states, drawn)) for drawn in itertools.product((False, True), repeat=len(states))]
