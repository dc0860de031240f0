/* What training does to whole arrays: updates of weights, sums of squares.
 * Beside kernels.h: those kernels run a layer, these train it. */
#ifndef SEQKIT_TRAINING_H
#define SEQKIT_TRAINING_H
#include <stdint.h>

#define SK_MEMORIES 3 /* arrays that a rule may keep for every weight */
#define SK_NUMBERS 6  /* that a rule is given */

/* Rules of optimizers.  The order is their number; seqkit._core.updates reads the names. */
#define SK_RULES(X) X(sgd) X(rmsprop) X(adam) X(amsgrad)
enum {
#define X(name) SK_RULE_##name,
    SK_RULES(X)
#undef X
    SK_RULE_COUNT
};
static const char *const sk_rule_names[] = {
#define X(name) #name,
    SK_RULES(X)
#undef X
};

/* What becomes of a gradient before a rule sees it: g = clip(scale * (g + ridge * w), -limit, limit). */
typedef struct {
    double ridge, scale, limit;
} sk_clip;

/* One step: changes weights and memory by the gradient; `n` are the numbers of the rule. */
typedef void (*sk_rule)(
    char *weights, const char *gradient, char *const *memory, int64_t count, const sk_clip *clip, const double *n);

typedef struct {
    const char *isa;
    int64_t size; /* bytes of a number */
    sk_rule rules[SK_RULE_COUNT];
    double (*square_sum)(const char *gradient, const char *weights, int64_t count, double ridge); /* of g + ridge * w */
    int (*finite)(const char *numbers, int64_t count);
} sk_training;

extern const sk_training sk_training_base_f32, sk_training_base_f64;
#ifdef SK_X86
extern const sk_training sk_training_avx2_f32, sk_training_avx2_f64;
extern const sk_training sk_training_avx512_f32, sk_training_avx512_f64;
#endif

/* All of them; NULL is last. */
static const sk_training *const sk_trainings[] = {
#ifdef SK_X86
    &sk_training_avx512_f32, &sk_training_avx512_f64, &sk_training_avx2_f32, &sk_training_avx2_f64,
#endif
    &sk_training_base_f32, &sk_training_base_f64, 0,
};
#endif
