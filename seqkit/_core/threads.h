/* The one door to OpenMP, and what a thread must set up: what Cython cannot say. */
#ifndef SEQKIT_THREADS_H
#define SEQKIT_THREADS_H
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#ifdef _OPENMP
#include <omp.h>
#endif
#ifdef __SSE2__
#include <immintrin.h>
#endif

static inline int sk_openmp(void)
{
#ifdef _OPENMP
    return _OPENMP;
#else
    return 0;
#endif
}

typedef void (*sk_work)(void *context, int64_t thread, int64_t threads);

/* The control word of floating-point arithmetic, and its bits that flush subnormals to zero, those read and written. */
#if defined __SSE2__
enum { SK_FLUSH = 0x8040 };
static inline uint64_t sk_control(void) { return _mm_getcsr(); }
static inline void sk_set_control(uint64_t control) { _mm_setcsr((unsigned)control); }
static inline void sk_pause(void) { _mm_pause(); }
#elif defined __aarch64__
enum { SK_FLUSH = 1 << 24 };
static inline uint64_t sk_control(void)
{
    uint64_t control;
    __asm__ volatile("mrs %0, fpcr" : "=r"(control));
    return control;
}
static inline void sk_set_control(uint64_t control) { __asm__ volatile("msr fpcr, %0" : : "r"(control)); }
static inline void sk_pause(void) { __asm__ volatile("yield"); }
#else
enum { SK_FLUSH = 0 };
static inline uint64_t sk_control(void) { return 0; }
static inline void sk_set_control(uint64_t control) { (void)control; }
static inline void sk_pause(void) {}
#endif

/* Runs work with subnormals flushed to zero on this thread, restored afterwards. */
static inline void sk_work_flushing(sk_work work, void *context, int64_t thread, int64_t threads)
{
    uint64_t control = sk_control();
    sk_set_control(control | SK_FLUSH);
    work(context, thread, threads);
    sk_set_control((sk_control() & ~(uint64_t)SK_FLUSH) | (control & SK_FLUSH));
}

/* The pool of an OpenMP runtime does not survive fork: a child of a process that has used it
 * runs serially, on a path without any OpenMP in it. */
static inline void sk_parallel(sk_work work, void *context, int64_t threads)
{
#ifdef _OPENMP
    static pid_t pool_owner = 0;
    if (threads > 1 && (pool_owner == 0 || pool_owner == getpid())) {
        pool_owner = getpid();
#pragma omp parallel num_threads((int)threads)
        sk_work_flushing(work, context, omp_get_thread_num(), omp_get_num_threads());
        return;
    }
#endif
    sk_work_flushing(work, context, 0, 1);
}

/* How far each thread of a team is; a counter for each, on cache lines of their own. */
typedef struct {
    int64_t count;
    char padding[56];
} sk_progress;

static inline void sk_publish(sk_progress *own, int64_t count)
{
    __atomic_store_n(&own->count, count, __ATOMIC_RELEASE);
}

/* Waits until all of the team have come to `count`; spins, then yields.  0 if `stopped` is set meanwhile. */
static inline int sk_await(sk_progress *team, int64_t members, int64_t count, const int *stopped)
{
    enum { SPINS = 2000 };
    for (int64_t member = 0; member < members; member++)
        for (int spins = 0; __atomic_load_n(&team[member].count, __ATOMIC_ACQUIRE) < count; spins++) {
            if (__atomic_load_n(stopped, __ATOMIC_RELAXED)) return 0;
            if (spins > SPINS) sched_yield();
            else sk_pause();
        }
    return 1;
}

/* One more thread has ended its share of a region; whether `threads` have. */
static inline void sk_end(int64_t *ended) { __atomic_add_fetch(ended, 1, __ATOMIC_RELEASE); }
static inline int sk_ended(const int64_t *ended, int64_t threads)
{
    return __atomic_load_n(ended, __ATOMIC_ACQUIRE) >= threads;
}

static inline void sk_yield(void) { sched_yield(); }

static inline double sk_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static inline void *sk_aligned(int64_t bytes)
{
    return aligned_alloc(64, ((size_t)bytes + 63) / 64 * 64);
}

/* The same on whole huge pages where the system gives them, so that address translation takes no time. */
static inline void *sk_huge_pages(int64_t bytes)
{
    const size_t page = (size_t)1 << 21, size = ((size_t)bytes + page - 1) / page * page;
    void *memory = aligned_alloc(page, size);
#ifdef MADV_HUGEPAGE
    if (memory) madvise(memory, size, MADV_HUGEPAGE);
#endif
    return memory;
}
#endif
