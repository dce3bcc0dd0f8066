#include "support_run.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support_test.h"

int bench_set_up(void **state)
{
    Arena *arena = arena_new(NULL);
    Bench *bench = ARENA_NEW(arena, Bench);
    bench->arena = arena;
    bench->err = error_new(arena);
    strcpy(bench->folder, "/tmp/gradtool-test-XXXXXX");
    openblas_set_num_threads(1);
    *state = bench;
    return mkdtemp(bench->folder) ? 0 : -1;
}

int bench_tear_down(void **state)
{
    Bench *bench = *state;
    file_remove_folder(bench->folder);
    arena_free(bench->arena);
    return 0;
}

static void check_no_error(const Bench *bench)
{
    if (error_count(bench->err)) {
        error_print(bench->err, stderr, false);
        fail_msg("%s", error_message(bench->err, 0));
    }
}

const char *bench_file(Bench *bench, const char *name, const char *content)
{
    const char *path = path_join(bench->arena, bench->folder, name);
    file_write(path, content, strlen(content), bench->err);
    check_no_error(bench);
    return path;
}

static Training training_build(Bench *bench, const char *config, const char *const *sets, int threads)
{
    Training training = {NULL, NULL, NULL, NULL};
    Threads *team = threads > 1 ? threads_new(bench->arena, threads, bench->err) : NULL;
    int count = 0;
    while (sets && sets[count])
        count++;
    training.config = config_read(bench->arena, config, sets, count, bench->err);
    check_no_error(bench);
    training.monitor = monitor_new(bench->arena, training.config, bench->err);
    check_no_error(bench);
    training.trainer = trainer_new(bench->arena, training.config, team, monitor_observer(training.monitor), bench->err);
    check_no_error(bench);
    return training;
}

Training training_start(Bench *bench, const char *config, const char *const *sets, int threads, const char *name)
{
    Training training = training_build(bench, config, sets, threads);
    training.folder = monitor_open(training.monitor, path_join(bench->arena, bench->folder, name), bench->err);
    check_no_error(bench);
    return training;
}

Training training_resume(Bench *bench, const char *config, const char *const *sets, int threads, const char *name,
                         Resumption *resumption)
{
    const char *folder = path_join(bench->arena, bench->folder, name);
    Training training = training_build(bench, config ? config : path_join(bench->arena, folder, "config.json"), sets, threads);
    training.folder = folder;
    monitor_resume(training.monitor, folder, training.trainer, resumption, bench->err);
    check_no_error(bench);
    return training;
}

void training_finish(Bench *bench, Training *training, TrainStatus expected)
{
    TrainStatus status = trainer_run(training->trainer, NULL, bench->err);
    check_no_error(bench);
    monitor_close(training->monitor, status, trainer_steps_done(training->trainer), trainer_seconds(training->trainer),
                  bench->err);
    check_no_error(bench);
    assert_string_equal(train_status_name(status), train_status_name(expected));
}

Training training_run(Bench *bench, const char *config, const char *const *sets, int threads, const char *name)
{
    Training training = training_start(bench, config, sets, threads, name);
    training_finish(bench, &training, TRAIN_COMPLETED);
    return training;
}

static const char *read_file(Bench *bench, const Training *training, const char *name, size_t *count)
{
    Bytes bytes = {NULL, 0};
    file_read(bench->arena, path_join(bench->arena, training->folder, name), &bytes, bench->err);
    check_no_error(bench);
    if (count)
        *count = bytes.count;
    return (const char *)bytes.at;
}

const char *training_log(Bench *bench, const Training *training)
{
    const char *log = read_file(bench, training, "log.jsonl", NULL);
    Text text = text_new(bench->arena);
    for (const char *at; (at = strstr(log, "\"seconds\":")); log = at + strcspn(at, ",}"))
        text_add_bytes(&text, log, (size_t)(at - log));
    text_add(&text, log);
    return text.at;
}

const char *training_events(Bench *bench, const Training *training, const char *kind)
{
    const char *mark = arena_printf(bench->arena, "{\"event\":\"%s\",", kind);
    Text text = text_new(bench->arena);
    for (const char *line = training_log(bench, training); *line;) {
        size_t length = strcspn(line, "\n") + 1;
        if (!strncmp(line, mark, strlen(mark)))
            text_add_bytes(&text, line, length);
        line += length;
    }
    return text.at;
}

void assert_same_run(Bench *bench, const Training *a, const Training *b)
{
    size_t bytes[2];
    assert_string_equal(training_log(bench, a), training_log(bench, b));
    const char *weights[] = {read_file(bench, a, "model.safetensors", &bytes[0]),
                             read_file(bench, b, "model.safetensors", &bytes[1])};
    assert_int_equal(bytes[0], bytes[1]);
    assert_memory_equal(weights[0], weights[1], bytes[0]);
}

void assert_same_events(Bench *bench, const Training *a, const Training *b, const char *kind)
{
    const char *events = training_events(bench, a, kind);
    assert_true(*events);
    assert_string_equal(events, training_events(bench, b, kind));
}

float *training_state(Bench *bench, const Training *training, size_t *count)
{
    const Model *model = training->config->model;
    size_t total = 0;
    for (int i = 0; i < model->states; i++)
        total += model->state[i]->kind == PARAMETER_COUNTER ? 1 : shape_count(model->state[i]->shape);
    float *values = ARENA_ARRAY(bench->arena, float, total);
    *count = total;
    for (int i = 0; i < model->states; i++) {
        const Parameter *p = model->state[i];
        size_t own = p->kind == PARAMETER_COUNTER ? 1 : shape_count(p->shape);
        if (p->kind == PARAMETER_COUNTER)
            *values = (float)p->counter;
        else
            memcpy(values, p->data, sizeof(float) * own);
        values += own;
    }
    return values - total;
}

double training_last(Bench *bench, const Training *training, RunEventKind kind, const char *key)
{
    RunReader *reader = run_reader_open(bench->arena, training->folder, bench->err);
    check_no_error(bench);
    RunEvent event = {.kind = RUN_EVENT_OTHER};
    double last = run_missing();
    while (run_reader_next(reader, &event, bench->err) && event.kind != RUN_EVENT_NONE)
        if (event.kind == kind)
            last = run_event_number(&event, key);
    check_no_error(bench);
    return last;
}
