"""Compiled kernels that a package brings along for its own cells.

A cell names the extension module that holds them (``Cell.kernels``); it is imported when a layer of
the cell is first built.  A module that is missing, broken or built against another seqkit leaves the
cell interpreted, to the same bits: there is one warning, and ``layer.plan`` says why.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cache
from importlib import import_module

from seqkit._core import POINTWISE, KernelTable
from seqkit.equations import Cell
from seqkit.errors import BuildError, PluginWarning


@dataclass(frozen=True)
class Kernels:
    """The table of a package's compiled kernels, or why there is none."""

    table: KernelTable | None = None
    problem: str = ""


def kernels_of(cell: Cell | type[Cell]) -> Kernels:
    """The kernels that come with the package of a cell.

    Examples
    --------
    >>> from seqkit.cells.lstm import LSTMCell
    >>> kernels_of(LSTMCell)
    Kernels(table=None, problem='')
    """
    return _load(cell.kernels) if cell.kernels and POINTWISE == "compiled" else Kernels()


@cache
def _load(module: str) -> Kernels:
    """The kernels of an extension module; warns, once, where it cannot be used."""
    package = module.partition(".")[0]
    try:
        return Kernels(KernelTable(import_module(module)))
    except BuildError as error:
        problem = (
            f"{error}. Its cells are interpreted: slower, to the same bits; rebuild {package} to have them compiled."
        )
    except (Exception, SystemExit) as error:
        problem = (
            f"the compiled kernels {module} cannot be imported ({type(error).__name__}: {error}). "
            f"The cells of {package} are interpreted: slower, to the same bits; reinstall it to have them compiled."
        )
    warnings.warn(problem, PluginWarning, stacklevel=2)
    return Kernels(problem=problem)
