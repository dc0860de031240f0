"""How seqkit itself is built: its kernels once for every instruction set, then those of its cells.

The kernels of the built-in cells are made like those of any other package, once the rest is there to trace the cells.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import Extension

from seqkit.build.kernels import BuildKernels, KernelExtension
from seqkit.build.toolchain import headers, include_dir, objects

CORE = "seqkit/_core"
HEADERS = [f"{CORE}/{path.name}" for path in headers()]


def compiled_cells() -> KernelExtension:
    """The extension with the kernels of the built-in cells."""
    cells = {
        **{"simple_rnn": "SimpleRNNCell", "lstm": "LSTMCell", "peephole": "PeepholeCell", "gru": "GRUCell"},
        **{"projected_lstm": "ProjectedLSTMCell"},
    }
    return KernelExtension("seqkit._core.compiled", [f"seqkit.cells.{file}:{cell}" for file, cell in cells.items()])


class BuildCore(BuildKernels):
    """The command ``build_ext`` of seqkit's own setup.py."""

    def build_extensions(self) -> None:
        """Build everything, the kernels of the built-in cells last."""
        extensions: dict[str, Extension] = {extension.name: extension for extension in self.extensions}
        folder = Path(self.build_temp)
        extensions["seqkit._core.machine"].extra_objects += objects(self.compiler, folder / "kernels")
        training = objects(self.compiler, folder / "training", Path(include_dir(), "training.inc.c"))
        extensions["seqkit._core.updates"].extra_objects += training
        super().build_extensions()

    def import_path(self) -> list[str]:
        """A copy of the package as far as it is built."""
        folder = Path(self.build_temp, "built").resolve()
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree("seqkit", folder / "seqkit", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
        shutil.copytree(
            Path(self.build_lib, CORE),
            folder / CORE,
            ignore=shutil.ignore_patterns("compiled.*", "*.py"),
            dirs_exist_ok=True,
        )
        return [str(folder)]
