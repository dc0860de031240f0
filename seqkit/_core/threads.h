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

/* Runs work with subnormals flushed to zero on this thread, restored afterwards. */
static inline void sk_work_flushing(sk_work work, void *context, int64_t thread, int64_t threads)
{
#ifdef __SSE2__
    unsigned int control = _mm_getcsr();
    _mm_setcsr(control | 0x8040); /* FTZ and DAZ */
    work(context, thread, threads);
    _mm_setcsr((_mm_getcsr() & ~0x8040u) | (control & 0x8040u));
#else
    work(context, thread, threads);
#endif
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
#ifdef __SSE2__
            else _mm_pause();
#endif
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
