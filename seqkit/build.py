"""What ``setup.py`` needs: compilation for several instruction sets, in two steps.

First the extensions are built.  With them a second process traces the cells and prints their
pointwise kernels as C (``seqkit/equations/emit.py``); these are compiled with the flags of the
other kernels and linked into one more extension, ``seqkit._core.compiled``.

The top of this module imports nothing of the package, which is not built when it is read.
"""

from __future__ import annotations

import inspect
import itertools
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from setuptools import Extension
from setuptools.command.build_ext import build_ext

if TYPE_CHECKING:
    from seqkit.equations import Cell

CORE = "seqkit/_core"
X86 = platform.machine().lower() in ("x86_64", "amd64")
ISAS: dict[str, list[str]] = {"base": []}
if X86:
    ISAS["avx2"] = ["-mavx2", "-mfma"]
    ISAS["avx512"] = ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mprefer-vector-width=512"]

# Contraction is off because every rounding is written down; see seqkit/_core/vector.inc.c.
FLAGS = ["-O3", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-fvisibility=hidden"]
MACROS: list[tuple[str, str | None]] = [("SK_X86", "1")] if X86 else []
COMPILED = "seqkit._core.compiled"
TRAINING = "training.inc.c"
HEADERS = [
    *(f"{CORE}/{name}" for name in ("kernels.h", "kernels.inc.c", "kernels_both.inc.c", "vector.inc.c")),
    *(
        f"{CORE}/{name}"
        for name in (
            "products.inc.c",
            "lowprec.inc.c",
            "noise.inc.c",
            "dot.inc.c",
            "operations.inc.c",
            "reduce.inc.c",
            "threads.h",
            "training.h",
            TRAINING,
            "isa.c",
            *(f"kernels_{isa}.c" for isa in ISAS),
        )
    ),
]


class BuildCore(build_ext):
    """Compiles the kernels once per instruction set, and pointwise kernels when the rest is there."""

    extensions: list[Extension]

    def build_extensions(self) -> None:
        """Build everything, the extension of compiled kernels last."""
        extensions = {extension.name: extension for extension in self.extensions}
        compiled = extensions.pop(COMPILED)
        extensions["seqkit._core.machine"].extra_objects += self._objects(Path(self.build_temp))
        training = Path(self.build_temp, "training")
        extensions["seqkit._core.updates"].extra_objects += self._objects(training, [("SK_BODY", f'"{TRAINING}"')])
        self.extensions = list(extensions.values())
        super().build_extensions()
        folder = Path(self.build_temp, "compiled")
        source = self._generate(folder)
        compiled.extra_objects += self._objects(folder, [("SK_BODY", f'"{source.name}"')], [source])
        compiled.depends = [*compiled.depends, str(source)]
        self.extensions = [compiled]
        super().build_extensions()
        self.extensions = [*extensions.values(), compiled]

    def _objects(
        self, folder: Path, macros: list[tuple[str, str | None]] | None = None, sources: list[Path] | None = None
    ) -> list[str]:
        """Objects of one body of kernels, for all instruction sets."""
        sources = sources or []
        return [
            name
            for isa, flags in ISAS.items()
            for name in self.compiler.compile(
                [f"{CORE}/kernels_{isa}.c"],
                output_dir=str(folder),
                macros=[*MACROS, *(macros or [])],
                include_dirs=[CORE, *(str(source.parent) for source in sources)],
                extra_postargs=[*FLAGS, "-fPIC", *flags],
                depends=[*HEADERS, *map(str, sources)],
            )
        ]

    def _generate(self, folder: Path) -> Path:
        """Print the kernels with a copy of the package as far as it is built."""
        package = folder / "seqkit"
        shutil.rmtree(package, ignore_errors=True)
        shutil.copytree("seqkit", package, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
        built = shutil.ignore_patterns("compiled.*", "*.py")
        shutil.copytree(Path(self.build_lib, CORE), package / "_core", ignore=built, dirs_exist_ok=True)
        source = (folder / "compiled.inc.c").resolve()
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder.resolve()), *sys.path])}
        command = [
            sys.executable,
            "-P",
            "-c",
            f"from seqkit.build import write_kernels; write_kernels({str(source)!r})",
        ]
        subprocess.run(command, env=environment, check=True)
        return source


def compiled_extension() -> Extension:
    """The extension that holds the compiled kernels."""
    return Extension(COMPILED, [f"{CORE}/compiled.c"], include_dirs=[CORE], define_macros=MACROS, depends=HEADERS)


def write_kernels(path: str) -> None:
    """Write the kernels of the built-in cells, if they are others than those in the file."""
    from seqkit import registry
    from seqkit.equations.emit import kernel_file

    cells = [registry.cell_of(name) for name in registry.BUILT_IN if registry.is_cell(name)]
    text = kernel_file(tables for cell in cells for variant in variants(cell) for tables in programs(variant))
    if not Path(path).exists() or Path(path).read_text() != text:
        Path(path).write_text(text)


def variants(cell: Cell) -> Iterator[Cell]:
    """The cell with its default options and with its switches in all positions."""
    makers = [vars(base)["__init__"] for base in type(cell).__mro__ if "__init__" in vars(base)]
    options = [option for maker in makers for option in inspect.signature(maker).parameters.values()]
    switches = sorted({option.name for option in options if isinstance(option.default, bool)})
    for positions in itertools.product((True, False), repeat=len(switches)):
        chosen: dict[str, Any] = dict(zip(switches, positions, strict=True))
        yield type(cell)(**chosen)


def programs(cell: Cell) -> Iterator[dict[str, Any]]:
    """Tables of the programs of a cell: inference, training and gradient, with and without recurrent dropout, and
    training with zoneout of any of its states."""
    from seqkit.equations import derive, trace
    from seqkit.equations.layout import lay_out
    from seqkit.equations.lower import backward_tables, forward_tables
    from seqkit.equations.shapes import Shapes

    for masked, *drawn in itertools.product((False, True), *[(False, True)] * len(cell.states)):
        program = trace(cell, masked, dict.fromkeys(itertools.compress(cell.states, drawn)))
        layout, gradient = lay_out(program, Shapes(program, 1, 1), "float32", "float32"), derive(program)
        if not any(drawn):
            yield forward_tables(layout, [])
        yield forward_tables(layout, gradient.saved)
        yield backward_tables(layout, gradient).tables
