"""The compiler: instruction sets, flags, and seqkit's C headers."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

X86 = platform.machine().lower() in ("x86_64", "amd64")
ISAS: dict[str, list[str]] = {"base": []}
if X86:
    ISAS["avx2"] = ["-mavx2", "-mfma"]
    ISAS["avx512"] = ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mprefer-vector-width=512"]

# Contraction is off because every rounding is written down; see seqkit/_core/vector.inc.c.
FLAGS = ["-O3", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-fvisibility=hidden"]
if "-g" not in os.environ.get("CFLAGS", ""):  # Python's own flags ask for it; it would be three quarters of a wheel
    FLAGS.append("-g0")
MACROS: list[tuple[str, str | None]] = [("SK_X86", "1")] if X86 else []


def include_dir() -> str:
    """Folder of the C headers that kernels are compiled with, those of the seqkit that is imported.

    Examples
    --------
    >>> (Path(include_dir()) / "pointwise.h").exists()
    True
    """
    return str(Path(__file__).resolve().parents[1] / "_core")


def headers() -> list[Path]:
    """The C files in it that others include, or compile with a body of their own."""
    patterns = ("*.h", "*.inc.c", "kernels_*.c", "compiled.c", "isa.c")
    return sorted(path for pattern in patterns for path in Path(include_dir()).glob(pattern))


def objects(compiler: Any, folder: Path, body: Path | None = None) -> list[str]:
    """Object files of one body of kernels, compiled for all instruction sets.

    Parameters
    ----------
    compiler : distutils.ccompiler.CCompiler
        The compiler of a ``build_ext`` command.
    folder : Path
        Where the objects go.
    body : path, optional
        What kernels_both.inc.c includes; by default the kernels of seqkit's core.
    """
    macros = [*MACROS, ("SK_BODY", f'"{body.name}"')] if body else MACROS
    folders = [include_dir(), *([str(body.parent)] if body else [])]
    return [name for isa in ISAS for name in _compile(compiler, folder, isa, macros, folders)]


def _compile(compiler: Any, folder: Path, isa: str, macros: Sequence[Any], folders: list[str]) -> list[str]:
    source = str(Path(include_dir(), f"kernels_{isa}.c"))
    found: list[str] = compiler.compile(
        [source],
        output_dir=str(folder),
        macros=list(macros),
        include_dirs=folders,
        extra_postargs=[*FLAGS, "-fPIC", *ISAS[isa]],
    )
    return found
