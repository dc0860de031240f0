"""Compiled kernels for a ``setup.py``: seqkit's own, and that of any package with cells.

The pointwise part of a cell runs interpreted anywhere.  A package that has a compiler at hand when it is
built can have it compiled, for every instruction set, from the very same equations::

    from setuptools import setup
    from seqkit.build import BuildKernels, KernelExtension

    kernels = KernelExtension("my_package._kernels", cells=["my_package.cells:MyCell"])
    setup(ext_modules=[kernels], cmdclass={"build_ext": BuildKernels})

The cell names the module: ``kernels = "my_package._kernels"``.  See docs/compiled-cells.md.

``toolchain`` has compiler flags and headers, ``kernels`` the extension and its build, ``printing`` what a
second process does that traces the cells, ``core`` how seqkit itself is built.  Nothing here imports anything of the
package at its top: setup.py reads it before the package is built.
"""

from seqkit.build.kernels import BuildKernels, KernelExtension
from seqkit.build.toolchain import FLAGS, ISAS, MACROS, X86, include_dir

__all__ = ["FLAGS", "ISAS", "MACROS", "X86", "BuildKernels", "KernelExtension", "include_dir"]
