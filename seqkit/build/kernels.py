"""The extension that holds compiled kernels, and the command that builds it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from setuptools import Extension
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, SetupError

from seqkit.build.toolchain import MACROS, headers, include_dir, objects

BODY = "generated.inc.c"  # a name that no header of seqkit has


class KernelExtension(Extension):
    """An extension module of pointwise kernels, made from the equations of cells.

    For every cell: inference, training and gradient, with its switches (options that are true or false) in all
    positions, with and without recurrent dropout and zoneout; compiled for every instruction set, float32 and float64.

    Parameters
    ----------
    name : str
        Dotted name of the module, which the cells give as their attribute ``kernels``.
    cells : sequence of str
        Cell classes, "module:Class".
    written : sequence of str
        C files with kernels written by hand, relative to setup.py.  Each takes the place of the generated one of the
        same name; ``python -m seqkit.build`` prints one to begin with.
    **options
        As of :class:`setuptools.Extension`.  With ``optional=True`` a package installs without a compiler, too: its
        cells are then interpreted.

    Examples
    --------
    >>> KernelExtension("my_package._kernels", cells=["my_package.cells:MyCell"], optional=True).name
    'my_package._kernels'
    """

    def __init__(self, name: str, cells: Sequence[str], written: Sequence[str] = (), **options: Any) -> None:
        super().__init__(name, [], depends=list(written), **options)
        self.cells, self.written = list(cells), [os.path.abspath(path) for path in written]


class BuildKernels(build_ext):
    """The command ``build_ext`` for packages that have a :class:`KernelExtension`, which is built last."""

    extensions: list[Extension]
    parallel: int | None

    def build_extensions(self) -> None:
        """Build everything, on all processors."""
        self.parallel = self.parallel or os.cpu_count()
        every = self.extensions
        generated = [extension for extension in every if isinstance(extension, KernelExtension)]
        self.extensions = [extension for extension in every if not isinstance(extension, KernelExtension)]
        super().build_extensions()
        self.extensions = [extension for extension in generated if self._compile_kernels(extension)]
        super().build_extensions()
        self.extensions = every

    def get_source_files(self) -> list[str]:
        """The package's own sources; setuptools takes no others (an editable install asks when all is compiled)."""
        return [path for path in super().get_source_files() if not os.path.isabs(path)]

    def import_path(self) -> list[str]:
        """Where the cells are imported from: the sources of the package, which is not installed yet."""
        root = (self.distribution.package_dir or {}).get("", ".")
        return [os.path.abspath(root)]

    def _compile_kernels(self, extension: KernelExtension) -> bool:
        """Print and compile the kernels; whether that worked, where it need not."""
        folder = Path(self.build_temp, extension.name).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        self._print_kernels(extension, folder / BODY)
        try:
            extension.extra_objects = objects(self.compiler, folder, folder / BODY)
        except CompileError as error:
            if not extension.optional:
                raise
            self.warn(f"{extension.name} cannot be compiled ({error}); its cells will be interpreted.")
            return False
        package = f"{self.distribution.get_name()} {self.distribution.get_version()}"
        extension.sources = [str(Path(include_dir(), "compiled.c"))]
        extension.include_dirs = [include_dir()]
        extension.depends += [*map(str, headers()), str(folder / BODY)]
        extension.define_macros = [
            *MACROS,
            ("SK_INIT", f"PyInit_{extension.name.rpartition('.')[2]}"),
            ("SK_PACKAGE", f'"{package}"'),
            ("SK_BUILT_AGAINST", f'"{import_module("seqkit").__version__}"'),
        ]
        return True

    def _print_kernels(self, extension: KernelExtension, path: Path) -> None:
        """Have another process trace the cells and print their kernels as C."""
        order = {"module": extension.name, "cells": extension.cells, "written": extension.written, "path": str(path)}
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([*self.import_path(), *sys.path])}
        call = f"from seqkit.build.printing import write_kernels; write_kernels(**{json.dumps(order)})"
        if subprocess.run([sys.executable, "-P", "-c", call], env=environment).returncode:
            raise SetupError(f"{extension.name}: the kernels of {', '.join(extension.cells)} were not made; see above.")
