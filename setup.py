"""The compiled core.  Everything else about the package is in pyproject.toml.

The kernels are one C source, compiled once per instruction set with its own flags and chosen
when seqkit is imported; nothing here depends on the processor of the build machine.
SEQKIT_NO_OPENMP=1 builds without threads.
"""

import os
import platform
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

X86 = platform.machine().lower() in ("x86_64", "amd64")
ISAS = {"base": []}
if X86:
    ISAS["avx2"] = ["-mavx2", "-mfma"]
    ISAS["avx512"] = ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mprefer-vector-width=512"]

# Contraction is off because every rounding is written down; see seqkit/_core/vector.inc.c.
FLAGS = ["-O3", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-fvisibility=hidden"]
MACROS = [("SK_X86", "1")] if X86 else []
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "initializedcheck": False,
    "cdivision": True,
    "embedsignature": True,
}
OPENMP_PROBE = "#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n"


def openmp_flags() -> list[str]:
    """The compiler's OpenMP switch, after a look whether it works."""
    if os.environ.get("SEQKIT_NO_OPENMP", "") not in ("", "0"):
        return []
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "probe.c")
        source.write_text(OPENMP_PROBE)
        command = [*compiler, "-fopenmp", str(source), "-o", str(source.with_suffix(""))]
        try:
            done = subprocess.run(command, capture_output=True, text=True)
        except FileNotFoundError:
            sys.exit(
                f"seqkit needs a C compiler and {compiler[0]!r} was not found; install gcc (Debian: apt install gcc)."
            )
    if done.returncode:
        sys.exit(
            f"seqkit needs a C compiler with OpenMP; {' '.join(command[:-2])} failed:\n{done.stderr}\n"
            "Install gcc with libgomp (Debian: apt install gcc libc6-dev; macOS: brew install gcc and set CC), "
            "or build without threads: SEQKIT_NO_OPENMP=1 pip install ."
        )
    return ["-fopenmp"]


class BuildCore(build_ext):
    """Compiles the kernels once per instruction set and links them into seqkit._core.machine."""

    def build_extensions(self) -> None:
        machine = next(extension for extension in self.extensions if extension.name.endswith(".machine"))
        for isa, flags in ISAS.items():
            machine.extra_objects += self.compiler.compile(
                [f"{CORE}/kernels_{isa}.c"],
                output_dir=self.build_temp,
                macros=MACROS,
                include_dirs=[CORE],
                extra_postargs=[*FLAGS, "-fPIC", *flags],
                depends=HEADERS,
            )
        super().build_extensions()


CORE = "seqkit/_core"
HEADERS = [
    f"{CORE}/{name}"
    for name in (
        "kernels.h",
        "kernels.inc.c",
        "kernels_both.inc.c",
        "lowprec.inc.c",
        "dot.inc.c",
        "vector.inc.c",
        "threads.h",
        "isa.c",
    )
]
openmp = openmp_flags()
extensions = [
    Extension(
        f"seqkit._core.{name}",
        [f"{CORE}/{name}.pyx"],
        include_dirs=[CORE],
        define_macros=MACROS,
        depends=HEADERS,
        extra_compile_args=[*FLAGS, *openmp],
        extra_link_args=openmp,
    )
    for name in ("machine", "calls", "places", "steps", "engine", "weights", "products")
]
setup(ext_modules=cythonize(extensions, compiler_directives=DIRECTIVES), cmdclass={"build_ext": BuildCore})
