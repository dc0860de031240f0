"""Compiled pointwise kernels: those of seqkit and those of other packages.

a. An extension module offers its kernels as the attribute `kernels`, a capsule (pointwise.h).  What does not
   fit is refused with the reason before anything but its first fields is read.
b. A kernel is known by its name, a hash of what it does (see seqkit.equations.emit), so a kernel is never taken
   for equations that it was not made for.
c. Only the instruction set that runs is taken: another one would give other bits.
"""

import os
from importlib import import_module

from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_IsValid
from libc.stdint cimport uintptr_t

from seqkit._core.pointwise cimport SK_ABI, SK_CAPSULE, sk_compiled, sk_kernel_module, sk_kernel_set, sk_pointwise

from seqkit._core.machine import isa
from seqkit.errors import BuildError

ABI = SK_ABI


cdef class KernelTable:
    """The kernels of an extension module for the instruction set that runs.

    Raises BuildError where the module has none that can be run here.
    """

    def __cinit__(self, module):
        self.keep = module
        self.kernels = {}
        capsule = getattr(module, "kernels", None)
        if not PyCapsule_IsValid(capsule, SK_CAPSULE):
            raise BuildError(f"{module.__name__} has no attribute 'kernels' made by seqkit.build")
        cdef const sk_kernel_module *found = <const sk_kernel_module *>PyCapsule_GetPointer(capsule, SK_CAPSULE)
        self.package = (<bytes>found.package).decode()
        if found.abi != SK_ABI:
            against = (<bytes>found.built_against).decode()
            raise BuildError(
                f"{module.__name__} of {self.package} was built against seqkit {against} with kernel ABI {found.abi}, "
                f"and the installed seqkit has ABI {SK_ABI}"
            )
        cdef const sk_kernel_set *kernels = found.sets
        while kernels.isa is not NULL and (<bytes>kernels.isa).decode() != isa:
            kernels += 1
        if kernels.isa is NULL:
            raise BuildError(f"{module.__name__} of {self.package} was built without kernels for {isa}")
        self.take("float32", kernels.f32)
        self.take("float64", kernels.f64)

    cdef int take(self, str dtype, const sk_compiled *kernel) except -1:
        while kernel.name is not NULL:
            self.kernels[dtype, (<bytes>kernel.name).decode()] = <uintptr_t>kernel.run
            kernel += 1

    cdef sk_pointwise find(self, str dtype, str name) noexcept:
        """The kernel of this name, or NULL."""
        return <sk_pointwise><uintptr_t>self.kernels.get((dtype, name), 0)


def _wanted():
    wanted = os.environ.get("SEQKIT_POINTWISE", "")
    if wanted not in ("", "compiled", "interpreted"):
        raise BuildError(f"SEQKIT_POINTWISE={wanted!r} is not known; use 'compiled' (the default) or 'interpreted'.")
    return wanted or "compiled"


def _built_in():
    """The kernels of the built-in cells; none in a package that is just being built."""
    try:
        return KernelTable(import_module("seqkit._core.compiled"))
    except ModuleNotFoundError:
        return None
    except BuildError as error:
        raise BuildError(f"{error}; build seqkit again.") from None


POINTWISE = _wanted()
BUILT_IN = _built_in() if POINTWISE == "compiled" else None
