/* The Python module of compiled pointwise kernels: `kernels(isa, dtype)` gives them by name.
 *
 * Linked with the objects that the build makes of the generated source (see seqkit/build.py), one
 * for each instruction set; seqkit._core.calls asks for kernels when it makes a program.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "kernels.h"
#include <string.h>

#define TABLES(isa) extern const sk_compiled compiled_##isa##_f32[], compiled_##isa##_f64[];
#define ENTRY(isa) {#isa, compiled_##isa##_f32, compiled_##isa##_f64},

TABLES(base)
#ifdef SK_X86
TABLES(avx2)
TABLES(avx512)
#endif

static const struct {
    const char *isa;
    const sk_compiled *f32, *f64;
} tables[] = {
#ifdef SK_X86
    ENTRY(avx512) ENTRY(avx2)
#endif
    ENTRY(base)
};

static PyObject *named(const sk_compiled *kernels)
{
    PyObject *found = PyDict_New();
    for (; found && kernels->name; kernels++) {
        PyObject *pointer = PyCapsule_New((void *)kernels->run, SK_COMPILED, NULL);
        if (!pointer || PyDict_SetItemString(found, kernels->name, pointer) < 0) Py_CLEAR(found);
        Py_XDECREF(pointer);
    }
    return found;
}

static PyObject *kernels(PyObject *module, PyObject *arguments)
{
    const char *isa, *dtype;
    if (!PyArg_ParseTuple(arguments, "ss", &isa, &dtype)) return NULL;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (!strcmp(tables[i].isa, isa)) return named(strcmp(dtype, "float64") ? tables[i].f32 : tables[i].f64);
    return PyDict_New();
}

static PyMethodDef methods[] = {
    {"kernels", kernels, METH_VARARGS, "kernels(isa, dtype): compiled pointwise kernels by name, as capsules."},
    {0},
};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "compiled", "Pointwise kernels generated from equations when the package was built.", -1, methods,
};

PyMODINIT_FUNC PyInit_compiled(void) { return PyModule_Create(&definition); }
