/* One barrier serves for everything: its phase counts up when all have arrived, and who waits, waits for the phase to change.
 * The start of a run is a second such counter. Waiting spins first, because a step's parts are microseconds long and a sleep
 * costs fifty; then it sleeps, because on a busy machine the one waited for may not have a processor. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "base/threads.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SPINS = 4000, CACHE_LINE = 64 };

typedef struct Worker {
    Threads *threads;
    pthread_t thread;
    int index;
} Worker;

struct Threads {
    int count, spins, started;
    Worker *workers; /* of the threads 1 ... count - 1 */
    void (*work)(void *context, int thread, int threads);
    void *context;
    bool is_closing;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* Each on a cache line of its own: arriving threads must not disturb those that spin. */
    _Alignas(CACHE_LINE) atomic_uint run;
    _Alignas(CACHE_LINE) atomic_uint phase;
    _Alignas(CACHE_LINE) atomic_uint arrived;
    _Alignas(CACHE_LINE) atomic_uint sleepers;
};

static void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Whoever goes to sleep counts itself first and then looks at the counter again; whoever changes the counter looks for
 * sleepers afterwards. All four are sequentially consistent, so one of the two sees the other. */
static void wait_for_change(Threads *threads, atomic_uint *counter, unsigned old)
{
    for (int i = 0; i < threads->spins; i++) {
        if (atomic_load_explicit(counter, memory_order_acquire) != old)
            return;
        pause_briefly();
    }
    pthread_mutex_lock(&threads->mutex);
    atomic_fetch_add(&threads->sleepers, 1);
    while (atomic_load(counter) == old)
        pthread_cond_wait(&threads->changed, &threads->mutex);
    atomic_fetch_sub(&threads->sleepers, 1);
    pthread_mutex_unlock(&threads->mutex);
}

static void change(Threads *threads, atomic_uint *counter)
{
    atomic_fetch_add(counter, 1);
    if (atomic_load(&threads->sleepers) == 0)
        return;
    pthread_mutex_lock(&threads->mutex);
    pthread_cond_broadcast(&threads->changed);
    pthread_mutex_unlock(&threads->mutex);
}

/* The phase is read before arriving: it cannot change as long as this thread is missing. */
void threads_meet(Threads *threads, int thread)
{
    (void)thread;
    if (threads->count == 1)
        return;
    unsigned phase = atomic_load(&threads->phase);
    if (atomic_fetch_add(&threads->arrived, 1) + 1 < (unsigned)threads->count) {
        wait_for_change(threads, &threads->phase, phase);
        return;
    }
    atomic_store(&threads->arrived, 0);
    change(threads, &threads->phase);
}

static void *worker_main(void *argument)
{
    Worker *worker = argument;
    Threads *threads = worker->threads;
    for (unsigned run = 0;; run++) {
        wait_for_change(threads, &threads->run, run);
        if (threads->is_closing)
            return NULL;
        threads->work(threads->context, worker->index, threads->count);
        threads_meet(threads, worker->index);
    }
}

void threads_run(Threads *threads, void (*work)(void *context, int thread, int threads), void *context)
{
    if (threads->count == 1) {
        work(context, 0, 1);
        return;
    }
    threads->work = work;
    threads->context = context;
    change(threads, &threads->run);
    work(context, 0, threads->count);
    threads_meet(threads, 0);
}

static void close_threads(void *context)
{
    Threads *threads = context;
    threads->is_closing = true;
    change(threads, &threads->run);
    for (int i = 0; i < threads->started; i++)
        pthread_join(threads->workers[i].thread, NULL);
    pthread_cond_destroy(&threads->changed);
    pthread_mutex_destroy(&threads->mutex);
}

/* Signals are the main thread's business: it stops training between two steps. */
static int start_worker(Worker *worker)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&worker->thread, NULL, worker_main, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure;
}

Threads *threads_new(Arena *arena, int count, Error *err)
{
    if (count < 1) {
        error_add(err, "the number of threads must be at least 1, got %d", count);
        return NULL;
    }
    Threads *threads = arena_try(arena, sizeof *threads); /* aligned to cache lines */
    if (!threads) {
        error_add(err, "there is not enough memory for threads");
        return NULL;
    }
    threads->count = count;
    /* With more threads than processors, the one waited for runs only when this one sleeps. */
    threads->spins = count <= threads_available() ? SPINS : 0;
    threads->workers = ARENA_ARRAY(arena, Worker, count);
    pthread_mutex_init(&threads->mutex, NULL);
    pthread_cond_init(&threads->changed, NULL);
    arena_defer(arena, close_threads, threads);
    for (int i = 0; i < count - 1; i++) {
        threads->workers[i] = (Worker){.threads = threads, .index = i + 1};
        int failure = start_worker(&threads->workers[i]);
        if (failure) {
            error_add(err, "thread %d of %d cannot be started: %s", i + 2, count, strerror(failure));
            error_hint(err, "--threads N asks for fewer");
            return NULL;
        }
        threads->started++;
    }
    return threads;
}

int threads_count(const Threads *threads)
{
    return threads->count;
}

/* The share of processors that a container is given, rounded up; 0 when there is no such limit. */
static int processor_quota(void)
{
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re");
    if (!file)
        return 0;
    long quota, period;
    int fields = fscanf(file, "%ld %ld", &quota, &period);
    fclose(file);
    return fields == 2 && quota > 0 && period > 0 ? (int)((quota + period - 1) / period) : 0;
}

int threads_available(void)
{
    cpu_set_t set;
    long count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : sysconf(_SC_NPROCESSORS_ONLN);
    int quota = processor_quota();
    if (quota > 0 && quota < count)
        count = quota;
    return count < 1 ? 1 : (int)count;
}
