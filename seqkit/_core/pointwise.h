/* What the engine and compiled pointwise kernels agree on, those of other packages included: the ABI.
 *
 * Raise SK_ABI when a structure changes here, or an operation (operations.inc.c, vector.inc.c) gives
 * other bits: kernels compiled before are then interpreted until their package is built again.
 * tests/test_abi.py notices.  A new operation leaves old kernels as they are.
 */
#ifndef SEQKIT_POINTWISE_H
#define SEQKIT_POINTWISE_H
#include <stdint.h>

#define SK_ABI 1
#define SK_CAPSULE "seqkit.pointwise" /* name of the capsules that hold an sk_kernel_module */

typedef struct {
    int32_t operation, target, a, b, c; /* slots */
} sk_instruction;

/* Where a value of the program lies: element (panel p, row r) is at base + p*panel + r*row.
 * A block that starts at row r0 begins at base + p*panel + r0*block. */
typedef struct {
    char *base;
    int64_t panel, row, block;
} sk_slot;

typedef struct {
    const sk_instruction *code;
    int64_t count;
    const sk_slot *slots;
    int64_t panel, first_row, rows, vectors; /* this block; vectors per panel */
    int64_t units;                           /* of the layer: where rows of user arrays end */
    char *const *user_rows;                  /* rows of y or dy, NULL: skip or zero */
    int64_t by_panel;                        /* a single row: its panels stand in for rows, from first_row on */
} sk_block;

typedef void (*sk_pointwise)(const sk_block *block);

/* A compiled kernel: does what the interpreter does with one list of instructions.  Tables end with name NULL. */
typedef struct {
    const char *name; /* see seqkit/equations/emit.py */
    sk_pointwise run;
} sk_compiled;

/* The kernels of one instruction set.  Lists end with isa NULL. */
typedef struct {
    const char *isa;
    const sk_compiled *f32, *f64;
} sk_kernel_set;

/* What the attribute `kernels` of an extension module holds, in a capsule.  `abi`, `package` and `built_against` are
 * for ever where they are: they are read to say why the rest is not. */
typedef struct {
    int64_t abi;               /* SK_ABI of the headers it was compiled with */
    const char *package;       /* name and version of its distribution */
    const char *built_against; /* version of seqkit */
    const sk_kernel_set *sets;
} sk_kernel_module;

#endif
