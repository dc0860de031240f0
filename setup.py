"""The compiled core.  Everything else about the package is in pyproject.toml.

The kernels are one C source, compiled once per instruction set with its own flags and chosen
when seqkit is imported; nothing here depends on the processor of the build machine.
SEQKIT_NO_OPENMP=1 builds without threads.
"""

import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import numpy as np
from Cython.Build import cythonize
from setuptools import Extension, setup

sys.path.insert(0, str(Path(__file__).parent))
from seqkit.build import FLAGS, MACROS
from seqkit.build.core import CORE, HEADERS, BuildCore, compiled_cells

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


openmp = openmp_flags()
extensions = [
    Extension(
        f"seqkit._core.{path.stem}",
        [f"{CORE}/{path.name}"],
        include_dirs=[CORE, np.get_include()],
        define_macros=[*MACROS, ("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
        depends=HEADERS,
        extra_compile_args=[*FLAGS, *openmp],
        extra_link_args=openmp,
    )
    for path in sorted(Path(__file__).parent.joinpath(CORE).glob("*.pyx"))
]
setup(
    ext_modules=[*cythonize(extensions, compiler_directives=DIRECTIVES), compiled_cells()],
    cmdclass={"build_ext": BuildCore},
)
