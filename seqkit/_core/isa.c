/* Which kernels this processor can run; the first is the best. */
#include "kernels.h"
#include <stddef.h>
#include <string.h>
#ifdef SK_X86
#include <cpuid.h>
#endif

typedef struct {
    const char *name, *feature; /* what the processor must have beside the instruction set, or "" */
    const sk_kernels *kernels;
} sk_choice;

#ifdef SK_X86
enum { AVXVNNI = 1 << 4, AVX512BF16 = 1 << 5 }; /* EAX of leaf 7, subleaf 1; not all compilers know their names */

static int leaf7_has(unsigned feature)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & feature) != 0;
}
#endif

static int supported(const char *name)
{
#ifdef SK_X86
    __builtin_cpu_init();
    if (!strcmp(name, "avx512"))
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (!strcmp(name, "avx2")) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (!strcmp(name, "avx512bf16")) return supported("avx512") && leaf7_has(AVX512BF16);
    if (!strcmp(name, "avx512vnni")) return __builtin_cpu_supports("avx512vnni");
#ifdef SK_AVX_VNNI
    if (!strcmp(name, "avxvnni")) return supported("avx2") && leaf7_has(AVXVNNI);
#endif
#endif
    return !strcmp(name, "base") || !*name;
}

static const sk_choice table[] = {
#ifdef SK_X86
    {"avx512", "", &sk_avx512_f32},
    {"avx512", "", &sk_avx512_f64},
    {"avx512", "avx512bf16", &sk_avx512_bf16_native},
    {"avx512", "", &sk_avx512_bf16},
    {"avx512", "avx512vnni", &sk_avx512_i8_native},
    {"avx512", "", &sk_avx512_i8},
    {"avx2", "", &sk_avx2_f32},
    {"avx2", "", &sk_avx2_f64},
    {"avx2", "", &sk_avx2_bf16},
#ifdef SK_AVX_VNNI
    {"avx2", "avxvnni", &sk_avx2_i8_native},
#endif
    {"avx2", "", &sk_avx2_i8},
#endif
    {"base", "", &sk_base_f32},
    {"base", "", &sk_base_f64},
    {"base", "", &sk_base_bf16},
    {"base", "", &sk_base_i8},
};
enum { CHOICES = sizeof table / sizeof *table };

/* Name of the n-th instruction set that can be used here, NULL past the last. */
const char *sk_isa_name(int n)
{
    for (int i = 0; i < CHOICES; i++)
        if ((i == 0 || strcmp(table[i].name, table[i - 1].name)) && supported(table[i].name) && n-- == 0)
            return table[i].name;
    return NULL;
}

/* The best kernels of an instruction set for a precision; without the `features` of some processors if 0. */
const sk_kernels *sk_isa_kernels(const char *name, const char *precision, int features)
{
    for (int i = 0; i < CHOICES; i++)
        if (!strcmp(table[i].name, name) && !strcmp(table[i].kernels->precision, precision) && supported(name) &&
            (features || !*table[i].feature) && supported(table[i].feature))
            return table[i].kernels;
    return NULL;
}

const char *const sk_operation_names[] = {
#define X(name) #name,
    SK_OPERATIONS(X) SK_ROW_OPERATIONS(X)
#undef X
};
const char *const sk_reduction_names[] = {
#define X(name) #name,
    SK_REDUCTIONS(X)
#undef X
};
