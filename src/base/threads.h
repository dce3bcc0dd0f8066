/* Threads that walk the same list of work in step.
 *
 * threads_run starts `work(context, thread, threads)` on every thread and returns when all have returned; inside, all meet
 * at threads_meet. Waiting spins briefly, then sleeps, so that a busy machine does not stall. Results must not depend on
 * the number of threads; that is the caller's business. */
#ifndef GRADTOOL_BASE_THREADS_H
#define GRADTOOL_BASE_THREADS_H

#include "base/arena.h"
#include "base/error.h"

typedef struct Threads Threads;

/* count >= 1; the caller is thread 0, so count - 1 threads are started. They end when the arena is freed.
 * A machine that gives fewer threads is an error. */
Threads *threads_new(Arena *arena, int count, Error *err);
int threads_count(const Threads *threads);
void threads_run(Threads *threads, void (*work)(void *context, int thread, int threads), void *context);
/* All threads of the run meet here; what each wrote before is seen by all after. */
void threads_meet(Threads *threads, int thread);
/* Processors this process may use. */
int threads_available(void);

#endif
