/* A run that is killed anywhere, or whose disk fails anywhere, goes on to the same bits.
 *
 * Trainings run in processes of their own. The system calls by which they change the disk stand below, in the place of the C
 * library's: each is counted, and the one that is asked for fails, or is where the process is killed. */
#define _GNU_SOURCE
#include "support_test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/random.h"
#include "support_run.h"
#include "train/checkpoint_folder.h"

#define CONFIG                                                                                                                 \
    "{\"name\": \"tiny\", \"seed\": 3, \"model\": {\"input\": [2], \"layers\": [{\"type\": \"linear\", \"out\": 6},"           \
    "{\"type\": \"batchnorm\"}, {\"type\": \"relu\"}, {\"type\": \"dropout\", \"p\": 0.3}, {\"type\": \"linear\","             \
    "\"name\": \"head\", \"out\": 2}]}, \"data\": {\"type\": \"moons\", \"samples\": 50, \"validation\": 0.2},"                \
    "\"loss\": \"cross_entropy\", \"optimizer\": {\"type\": \"adam\", \"lr\": 0.01}, \"train\": {\"steps\": 8,"                \
    "\"batch_size\": 8, \"eval_every\": 4, \"checkpoint_every\": 3, \"checkpoint_keep\": 1}}"

#ifdef __has_feature
#define HAS_FEATURE(name) __has_feature(name)
#else
#define HAS_FEATURE(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || HAS_FEATURE(address_sanitizer) ||                         \
    HAS_FEATURE(thread_sanitizer)
enum { STRIDE = 5, KILLS = 60 }; /* a process takes ten times as long there */
#else
enum { STRIDE = 1, KILLS = 300 };
#endif

typedef enum Fault {
    FAULT_NONE,
    FAULT_FAIL,        /* this call: no space is left */
    FAULT_FAIL_ON,     /* and all that follow */
    FAULT_KILL,        /* before the call; of a write, in the middle */
    FAULT_KILL_BEHIND, /* when it has been made */
    FAULT_KINDS
} Fault;

/* What a child and its parent see of each other. */
typedef struct Shared {
    Fault fault;
    long at, calls;       /* the call that is struck, from 1; calls so far */
    int64_t resumed_from; /* -1: a new run */
    char message[512];
} Shared;

static Shared *shared;
static bool is_child;

/* A call begins: is it to fail? */
static bool is_struck(void)
{
    if (!is_child)
        return false;
    shared->calls++;
    if (shared->fault == FAULT_KILL && shared->calls == shared->at)
        raise(SIGKILL);
    return (shared->fault == FAULT_FAIL && shared->calls == shared->at) ||
           (shared->fault == FAULT_FAIL_ON && shared->calls >= shared->at);
}

/* A call ends. */
static long ended(long result)
{
    if (is_child && shared->fault == FAULT_KILL_BEHIND && shared->calls == shared->at)
        raise(SIGKILL);
    return result;
}

enum { FILES = 256, OUT_OF_ORDER = 3 };

/* What a power failure could take: files written but not synced, names in folders that are not. */
static bool is_dirty[FILES], is_listed, is_renamed;

static void keep_in_order(bool condition)
{
    if (is_child && !condition)
        _exit(OUT_OF_ORDER);
}

static void note_write(int file)
{
    keep_in_order(!is_renamed); /* what follows a checkpoint may rely on it */
    is_listed = false;
    if (file >= 0 && file < FILES)
        is_dirty[file] = true;
}

static void note_sync(int file)
{
    struct stat status;
    if (fstat(file, &status) == 0 && S_ISDIR(status.st_mode)) {
        is_listed = true;
        is_renamed = false;
    } else if (file >= 0 && file < FILES) {
        is_dirty[file] = false;
    }
}

/* A checkpoint gets its name when its files, their names and the log are on the disk. */
static void note_rename(const char *from)
{
    if (!strstr(path_name(from), ".tmp-"))
        return;
    for (int i = 0; i < FILES; i++)
        keep_in_order(!is_dirty[i]);
    keep_in_order(is_listed);
    is_renamed = true;
}

static int full(void)
{
    errno = ENOSPC;
    return -1;
}

ssize_t write(int file, const void *bytes, size_t count)
{
    if (is_child && shared->fault == FAULT_KILL && shared->calls + 1 == shared->at)
        syscall(SYS_write, file, bytes, count / 2);
    if (is_struck()) /* the last of the disk, then nothing */
        return shared->fault == FAULT_FAIL_ON && shared->calls == shared->at && count > 1
                   ? syscall(SYS_write, file, bytes, count / 2)
                   : full();
    note_write(file);
    return ended(syscall(SYS_write, file, bytes, count));
}

/* Nothing fails but the machine's power where this is missing: it takes time alone. */
int fsync(int file)
{
    if (is_struck()) {
        is_renamed = false; /* the writer has been told */
        return full();
    }
    note_sync(file);
    return (int)ended(fcntl(file, F_GETFD) < 0 ? -1 : 0);
}

int rename(const char *from, const char *to)
{
    if (is_struck())
        return full();
    note_rename(from);
    return (int)ended(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

int mkdir(const char *path, mode_t mode)
{
    return access(path, F_OK) != 0 && is_struck() ? full() : (int)ended(syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}

int ftruncate(int file, off_t length)
{
    return is_struck() ? full() : (int)ended(syscall(SYS_ftruncate, file, length));
}

int open(const char *path, int flags, ...)
{
    va_list list;
    va_start(list, flags);
    mode_t mode = flags & O_CREAT ? va_arg(list, mode_t) : 0;
    va_end(list);
    bool makes = flags & O_CREAT && access(path, F_OK) != 0;
    return makes && is_struck() ? full() : (int)ended(syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}

static bool train(Arena *arena, const char *config_path, const char *folder, Error *err)
{
    const char *own = path_join(arena, folder, "config.json");
    bool goes_on = file_exists(own);
    Config *config = config_read(arena, goes_on ? own : config_path, NULL, 0, err);
    Monitor *monitor = config ? monitor_new(arena, config, err) : NULL;
    Trainer *trainer = monitor ? trainer_new(arena, config, NULL, monitor_observer(monitor), err) : NULL;
    Resumption resumption = {.step = -1};
    if (!trainer ||
        !(goes_on ? monitor_resume(monitor, folder, trainer, &resumption, err) : monitor_open(monitor, folder, err) != NULL))
        return false;
    shared->resumed_from = resumption.step;
    if (resumption.is_finished)
        return true;
    TrainStatus status = trainer_run(trainer, NULL, err);
    return monitor_close(monitor, status, trainer_steps_done(trainer), trainer_seconds(trainer), err) &&
           status == TRAIN_COMPLETED;
}

/* Starts a training, or goes on with it where it has begun. */
static pid_t start(const char *config, const char *folder, Fault fault, long at)
{
    *shared = (Shared){.fault = fault, .at = at};
    fflush(NULL);
    pid_t child = fork();
    if (child)
        return child;
    is_child = true;
    Arena *arena = arena_new(NULL);
    Error *err = error_new(arena);
    bool done = train(arena, config, folder, err);
    shared->fault = FAULT_NONE;
    snprintf(shared->message, sizeof shared->message, "%s", error_message(err, 0));
    _exit(done ? EXIT_SUCCESS : 2);
}

/* Its exit status; of a killed one -1. */
static int finish(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status))
        assert_int_equal(WTERMSIG(status), SIGKILL);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A killed process may leave a folder without a config: then there is nothing to go on with. */
static void remove_unless_begun(Arena *arena, const char *folder)
{
    if (!file_exists(path_join(arena, folder, "config.json")))
        file_remove_folder(folder);
}

/* The step of the last checkpoint that the log tells of; -1: of none. */
static int64_t logged_checkpoint(Arena *arena, const char *folder)
{
    Bytes log;
    long long last = -1;
    if (!file_read(arena, path_join(arena, folder, "log.jsonl"), &log, error_new(arena)))
        return -1;
    for (const char *at = (const char *)log.at; (at = strstr(at, "{\"event\":\"checkpoint\"")); at++)
        sscanf(at, "{\"event\":\"checkpoint\",\"step\":%lld,\"path\":\"checkpoints", &last);
    return last;
}

/* No temporary file or folder is left, and just one checkpoint. */
static void check_tidy(Arena *arena, const char *folder)
{
    int count;
    const char *const *names = folder_list(arena, folder, &count);
    assert_int_equal(count, 4);
    assert_string_equal(names[0], "checkpoints");
    assert_string_equal(names[1], "config.json");
    assert_string_equal(names[2], "log.jsonl");
    assert_string_equal(names[3], "model.safetensors");
    names = folder_list(arena, path_join(arena, folder, "checkpoints"), &count);
    assert_int_equal(count, 1);
    assert_string_equal(names[0], "step-8");
}

/* The number of calls in a training without a fault. */
static long train_straight(const char *config, Training *into)
{
    assert_int_equal(finish(start(config, into->folder, FAULT_NONE, 0)), 0);
    return shared->calls;
}

static void check_fault(Bench *bench, const char *config, const Training *straight, Fault fault, long at)
{
    Bench inner = *bench;
    inner.arena = arena_new(bench->arena);
    const Training run = {.folder = path_join(inner.arena, bench->folder, "struck")};
    int status = finish(start(config, run.folder, fault, at));
    if (fault == FAULT_FAIL || fault == FAULT_FAIL_ON) {
        assert_int_equal(status, 2);
        if (!strstr(shared->message, run.folder) || !strstr(shared->message, "no space left"))
            fail_msg("call %ld: `%s`", at, shared->message);
    } else {
        assert_int_equal(status, -1);
    }
    int64_t kept = logged_checkpoint(inner.arena, run.folder);
    remove_unless_begun(inner.arena, run.folder);
    status = finish(start(config, run.folder, FAULT_NONE, 0));
    if (status)
        fail_msg("fault %d at call %ld: %s", fault, at, shared->message);
    assert_true(shared->resumed_from >= kept);
    assert_same_run(&inner, straight, &run);
    check_tidy(inner.arena, run.folder);
    file_remove_folder(run.folder);
    arena_free(inner.arena);
}

static void check_every_call(Bench *bench, Fault fault)
{
    const char *config = bench_file(bench, "tiny.json", CONFIG);
    Training straight = {.folder = path_join(bench->arena, bench->folder, "straight")};
    long calls = train_straight(config, &straight);
    assert_true(calls > 50);
    for (long at = 1; at <= calls; at += STRIDE)
        check_fault(bench, config, &straight, fault, at);
    file_remove_folder(straight.folder);
}

static void wherever_the_disk_is_full_once_the_run_fails_and_goes_on(void **state)
{
    check_every_call(*state, FAULT_FAIL);
}

static void wherever_the_disk_is_full_for_good_the_run_fails_and_goes_on(void **state)
{
    check_every_call(*state, FAULT_FAIL_ON);
}

static void wherever_it_is_killed_the_run_goes_on(void **state)
{
    check_every_call(*state, FAULT_KILL);
    check_every_call(*state, FAULT_KILL_BEHIND);
}

/* Killed after some of the calls, it is gone on with and killed again after as many. */
static void killed_again_and_again_the_run_comes_to_its_end(void **state)
{
    Bench *bench = *state;
    const char *config = bench_file(bench, "tiny.json", CONFIG);
    Training straight = {.folder = path_join(bench->arena, bench->folder, "straight")};
    const Training run = {.folder = path_join(bench->arena, bench->folder, "killed")};
    train_straight(config, &straight);
    for (long at = 36; at < 60; at += STRIDE) {
        int deaths = 0;
        remove_unless_begun(bench->arena, run.folder);
        while (finish(start(config, run.folder, at % 2 ? FAULT_KILL : FAULT_KILL_BEHIND, at)) != 0) {
            assert_string_equal(shared->message, "");
            assert_true(++deaths < 100);
            remove_unless_begun(bench->arena, run.folder);
        }
        assert_same_run(bench, &straight, &run);
        check_tidy(bench->arena, run.folder);
        file_remove_folder(run.folder);
    }
}

/* Hundreds of kills at any instant, a few in each run. */
static void killed_at_random_instants_the_run_comes_to_its_end(void **state)
{
    Bench *bench = *state;
    const char *config = bench_file(bench, "tiny.json", CONFIG);
    Training straight = {.folder = path_join(bench->arena, bench->folder, "straight")};
    const Training run = {.folder = path_join(bench->arena, bench->folder, "killed")};
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    train_straight(config, &straight);
    clock_gettime(CLOCK_MONOTONIC, &after);
    double whole = 1e6 * (double)(after.tv_sec - before.tv_sec) + 1e-3 * (double)(after.tv_nsec - before.tv_nsec);
    Random random = random_stream(1, RANDOM_PROBE, 0);
    for (int kills = 0, tries = 0; kills < KILLS; tries++) {
        pid_t child = start(config, run.folder, FAULT_NONE, 0);
        usleep((useconds_t)(whole * random_uniform(&random, (uint64_t)tries)));
        kill(child, SIGKILL);
        int status = finish(child);
        if (status > 0)
            fail_msg("after %d kills: %s", kills, shared->message);
        kills += status < 0;
        remove_unless_begun(bench->arena, run.folder);
        if (status)
            continue;
        assert_same_run(bench, &straight, &run);
        check_tidy(bench->arena, run.folder);
        file_remove_folder(run.folder);
    }
}

static int share(void **state)
{
    (void)state;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return shared == MAP_FAILED ? -1 : 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(wherever_the_disk_is_full_once_the_run_fails_and_goes_on),
        TEST(wherever_the_disk_is_full_for_good_the_run_fails_and_goes_on),
        TEST(wherever_it_is_killed_the_run_goes_on),
        TEST(killed_again_and_again_the_run_comes_to_its_end),
        TEST(killed_at_random_instants_the_run_comes_to_its_end),
    };
    return cmocka_run_group_tests(tests, share, NULL);
}
