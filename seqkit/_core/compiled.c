/* A Python module of compiled pointwise kernels: its attribute `kernels` is a capsule, see pointwise.h.
 *
 * Linked with the objects that the build makes of the generated source (seqkit/build/kernels.py), one
 * for each instruction set.  SK_INIT is the name of its PyInit function; SK_PACKAGE and SK_BUILT_AGAINST are strings.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "pointwise.h"

#define TABLES(isa) extern const sk_compiled compiled_##isa##_f32[], compiled_##isa##_f64[];
#define ENTRY(isa) {#isa, compiled_##isa##_f32, compiled_##isa##_f64},

TABLES(base)
#ifdef SK_X86
TABLES(avx2)
TABLES(avx512)
#endif

static const sk_kernel_set sets[] = {
#ifdef SK_X86
    ENTRY(avx512) ENTRY(avx2)
#endif
    ENTRY(base) {0},
};

static const sk_kernel_module kernels = {SK_ABI, SK_PACKAGE, SK_BUILT_AGAINST, sets};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "kernels", "Pointwise kernels generated from equations when the package was built.", -1,
};

PyMODINIT_FUNC SK_INIT(void)
{
    PyObject *module = PyModule_Create(&definition), *capsule = PyCapsule_New((void *)&kernels, SK_CAPSULE, NULL);
    if (!module || !capsule || PyModule_AddObjectRef(module, "kernels", capsule) < 0) Py_CLEAR(module);
    Py_XDECREF(capsule);
    return module;
}
