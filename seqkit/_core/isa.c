/* Which kernels this processor can run; the first is the best. */
#include "kernels.h"
#include <stddef.h>
#include <string.h>

typedef struct {
    const char *name;
    const sk_kernels *f32, *f64;
} sk_isa;

static int supported(const char *name)
{
#ifdef SK_X86
    __builtin_cpu_init();
    if (!strcmp(name, "avx512"))
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (!strcmp(name, "avx2")) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return !strcmp(name, "base");
}

static const sk_isa table[] = {
#ifdef SK_X86
    {"avx512", &sk_avx512_f32, &sk_avx512_f64},
    {"avx2", &sk_avx2_f32, &sk_avx2_f64},
#endif
    {"base", &sk_base_f32, &sk_base_f64},
};

/* Name of the n-th instruction set that can be used here, NULL past the last. */
const char *sk_isa_name(int n)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (supported(table[i].name) && n-- == 0) return table[i].name;
    return NULL;
}

const sk_kernels *sk_isa_kernels(const char *name, int is_double)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (!strcmp(table[i].name, name) && supported(name)) return is_double ? table[i].f64 : table[i].f32;
    return NULL;
}

const char *const sk_operation_names[] = {
#define X(name) #name,
    SK_OPERATIONS(X) SK_ROW_OPERATIONS(X)
#undef X
};
