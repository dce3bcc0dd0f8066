/* Trains the configs below tests/data/reference and compares every logged number with PyTorch's (tools/make_reference_logs.py).
 *
 * What is allowed is that of tools/compare_pytorch.py, which gives the reasons: relative to each number's natural scale (a
 * mean's is the rms of its tensor, an extreme's the largest magnitude), growing with the step as rounding does, and for a
 * gradient that is zero but for rounding (a bias before a batch normalisation) the rounding of the sum it comes from. */
#include "support_test.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support_run.h"
#include "tensor/tensor_file.h"

#define REFERENCE TEST_DATA "reference/"
#define EPSILON 1.2e-7 /* of float32 */

enum { CASE_LIMIT = 64, EVENT_LIMIT = 4096, FAILURE_LIMIT = 10 };

typedef struct Log {
    const RunHeader *header;
    RunEvent event[EVENT_LIMIT];
    int count;
} Log;

/* What is allowed: relative to a number's scale, in the first step; of a sum over the batch, times the root of its length; of
 * the values in a histogram. */
typedef struct Tolerance {
    double relative, noise, bins;
} Tolerance;

static const Tolerance tolerances[PRECISION_COUNT] = {
    [PRECISION_FLOAT32] = {2e-5, 4 * EPSILON, 2e-3},
    [PRECISION_BFLOAT16] = {0x1p-6, 0x1p-8, 2e-2},
    [PRECISION_FLOAT16] = {0x1p-9, 0x1p-11, 2e-2},
};

typedef struct Comparison {
    Arena *arena;
    const Model *model;
    const Log *theirs;
    Tolerance tolerance;
    const char *what; /* is compared now, for messages */
    int failures;
} Comparison;

static void report(Comparison *c, const char *field, int index, const char *name, double ours, double theirs, double allowed)
{
    if (c->failures++ < FAILURE_LIMIT)
        print_error("%s: %s[%d] %s is %.9g, PyTorch has %.9g, allowed is a difference of %.2g\n", c->what, field, index, name,
                    ours, theirs, allowed);
}

static bool same(double x, double y)
{
    return run_is_missing(x) || run_is_missing(y) ? run_is_missing(x) && run_is_missing(y) : x == y || (isnan(x) && isnan(y));
}

static void compare(Comparison *c, const char *field, int index, const char *name, double ours, double theirs, double allowed)
{
    if (!same(ours, theirs) && !(fabs(ours - theirs) <= allowed))
        report(c, field, index, name, ours, theirs, allowed);
}

static double growth(const Comparison *c, int64_t step)
{
    return c->tolerance.relative * (1 + 0.2 * (double)(step > 1 ? step - 1 : 0));
}

/* Events are valid until the next is read; these stay. */
static RunEvent keep_event(Arena *arena, const RunEvent *event)
{
    RunEvent kept = *event;
    RunField *fields = ARENA_ARRAY(arena, RunField, event->field_count);
    for (int i = 0; i < event->field_count; i++) {
        fields[i] = event->fields[i];
        fields[i].key = arena_strdup(arena, fields[i].key);
        if (fields[i].string)
            fields[i].string =
                arena_strndup(arena, fields[i].string, fields[i].length ? fields[i].length : strlen(fields[i].string));
        double *numbers = ARENA_ARRAY(arena, double, fields[i].count);
        if (fields[i].count)
            memcpy(numbers, fields[i].numbers, sizeof *numbers * (size_t)fields[i].count);
        fields[i].numbers = numbers;
    }
    kept.name = arena_strdup(arena, event->name);
    kept.fields = fields;
    return kept;
}

static Log *read_log(Bench *bench, const char *folder)
{
    Log *log = ARENA_NEW(bench->arena, Log);
    RunReader *reader = run_reader_open(bench->arena, folder, bench->err);
    RunEvent event;
    if (!reader)
        fail_msg("%s", error_message(bench->err, 0));
    log->header = run_reader_header(reader);
    while (run_reader_next(reader, &event, bench->err) && event.kind != RUN_EVENT_NONE) {
        assert_true(log->count < EVENT_LIMIT);
        log->event[log->count++] = keep_event(bench->arena, &event);
    }
    if (error_count(bench->err))
        fail_msg("%s", error_message(bench->err, 0));
    return log;
}

/* The same kind, step, micro-batch and tensor: what identifies an event. */
static bool same_event(const RunEvent *a, const RunEvent *b)
{
    const char *x = run_event_string(a, "name"), *y = run_event_string(b, "name");
    return !strcmp(a->name, b->name) && a->step == b->step &&
           same(run_event_number(a, "micro"), run_event_number(b, "micro")) && (x && y ? !strcmp(x, y) : x == y);
}

static const RunEvent *find_event(const Log *log, const char *name, int64_t step)
{
    for (int i = 0; i < log->count; i++)
        if (!strcmp(log->event[i].name, name) && log->event[i].step == step)
            return &log->event[i];
    return NULL;
}

static const char *describe(Arena *arena, const RunEvent *event)
{
    Text text = text_new(arena);
    text_printf(&text, "event %s, step %lld", event->name, (long long)event->step);
    if (run_event_field(event, "micro"))
        text_printf(&text, ", micro-batch %g", run_event_number(event, "micro"));
    if (run_event_string(event, "name"))
        text_printf(&text, ", %s", run_event_string(event, "name"));
    return text.at;
}

static bool is_per_layer(const RunEvent *event)
{
    return !strncmp(event->name, "activation", strlen("activation"));
}

static double number_at(const RunEvent *event, const char *key, int index)
{
    int count = 0;
    const double *numbers = event ? run_event_numbers(event, key, &count) : NULL;
    return numbers && index < count ? numbers[index] : run_missing();
}

/* The rounding of a parameter's gradient, as the sum over the batch that it is. */
static double rounding(const Comparison *c, int parameter, int64_t step)
{
    const RunEvent *layers = find_event(c->theirs, "activation_gradients", step), *own = find_event(c->theirs, "step", step);
    for (int i = 0; layers && own && i < c->model->leaves; i++)
        if (!strcmp(layer_path(c->model->leaf[i]), c->model->parameter[parameter]->layer)) {
            double norm = number_at(layers, "norm", i);
            return run_is_missing(norm) ? 0 : c->tolerance.noise * sqrt(run_event_number(own, "samples")) * norm;
        }
    return 0;
}

static double allowed_at(const Comparison *c, const RunEvent *event, const char *key, int i)
{
    double value = number_at(event, key, i), norm = number_at(event, "norm", i), rate = growth(c, event->step);
    bool per_layer = is_per_layer(event);
    if (!strcmp(key, "nonfinite"))
        return 0;
    if (!strcmp(event->name, "updates")) {
        double gradient = number_at(find_event(c->theirs, "gradients", event->step), "norm", i);
        bool is_noise = !strcmp(key, "ratio") && gradient <= 10 * rounding(c, i, event->step);
        return is_noise ? INFINITY : rate * fabs(value) + EPSILON;
    }
    double samples = run_event_number(find_event(c->theirs, "step", event->step), "samples");
    double count = per_layer ? samples * (double)shape_count(layer_output(c->model->leaf[i]))
                             : (double)shape_count(c->model->parameter[i]->shape);
    if (!strcmp(key, "zeros"))
        return fmax(1e-3, 1.5 / count);
    double noise = per_layer ? 0 : rounding(c, i, event->step), rms = norm / sqrt(count);
    if (!strcmp(key, "norm"))
        return rate * norm + noise;
    if (!strcmp(key, "min") || !strcmp(key, "max"))
        return rate * fmax(fabs(number_at(event, "min", i)), fabs(number_at(event, "max", i))) + noise;
    return (rate + EPSILON) * rms + noise;
}

static void compare_array(Comparison *c, const RunEvent *ours, const RunEvent *theirs, const RunField *field)
{
    int count = 0;
    const double *values = run_event_numbers(ours, field->key, &count);
    int expected = is_per_layer(theirs) ? c->model->leaves : c->model->parameters;
    if (!values || count != field->count || count != expected) {
        report(c, field->key, -1, "has a number of values that", count, field->count, 0);
        return;
    }
    for (int i = 0; i < count; i++) {
        const char *name = is_per_layer(theirs) ? layer_path(c->model->leaf[i]) : c->model->parameter[i]->name;
        compare(c, field->key, i, name, values[i], field->numbers[i], allowed_at(c, theirs, field->key, i));
    }
}

/* A rounding moves a value by one bin at most: the cumulative counts may differ by a few. */
static void compare_histogram(Comparison *c, const RunEvent *ours, const RunEvent *theirs)
{
    enum { LOWEST = -160, HIGHEST = 140 };
    RunHistogram x = run_event_histogram(ours), y = run_event_histogram(theirs);
    double total = y.zeros, gap = 0, most = 0;
    for (int i = 0; i < y.count; i++)
        total += y.counts[i];
    for (int bin = LOWEST; bin < HIGHEST; bin++) {
        gap += bin >= x.first && bin < x.first + x.count ? x.counts[bin - x.first] : 0;
        gap -= bin >= y.first && bin < y.first + y.count ? y.counts[bin - y.first] : 0;
        most = fmax(most, fabs(gap));
    }
    compare(c, "exponents", 0, "(largest cumulative difference)", most, 0,
            fmax(c->tolerance.bins > 1e-2 ? 3.5 : 1.5, c->tolerance.bins * total));
    compare(c, "zeros", 0, "", x.zeros, y.zeros, fmax(1.5, 1e-3 * total));
    assert_string_equal(x.of, y.of);
}

static double allowed_number(const Comparison *c, const RunEvent *event, const char *key, double value)
{
    static const char *const exact[] = {"step", "epoch", "micro", "of", "samples", "skipped", "scale"};
    for (size_t i = 0; i < sizeof exact / sizeof *exact; i++)
        if (!strcmp(key, exact[i]))
            return 0;
    return !strcmp(key, "lr") ? 1e-8 * fabs(value) : growth(c, event->step) * fabs(value) + 1e-7;
}

static void compare_event(Comparison *c, const RunEvent *ours, const RunEvent *theirs)
{
    c->what = describe(c->arena, theirs);
    if (theirs->kind == RUN_EVENT_HISTOGRAM) {
        compare_histogram(c, ours, theirs);
        return;
    }
    for (int i = 0; i < theirs->field_count; i++) {
        const RunField *field = &theirs->fields[i], *own = run_event_field(ours, field->key);
        if (!strcmp(field->key, "seconds"))
            continue;
        if (!own)
            fail_msg("%s: no %s", c->what, field->key);
        if (field->type == RUN_FIELD_NUMBERS)
            compare_array(c, ours, theirs, field);
        else if (field->type == RUN_FIELD_STRING)
            assert_string_equal(own->string, field->string);
        else
            compare(c, field->key, 0, "", own->number, field->number, allowed_number(c, theirs, field->key, field->number));
    }
}

static void compare_headers(const RunHeader *ours, const RunHeader *theirs)
{
    assert_int_equal(ours->steps, theirs->steps);
    assert_string_equal(ours->loss, theirs->loss);
    assert_int_equal(ours->parameter_count, theirs->parameter_count);
    assert_int_equal(ours->layer_count, theirs->layer_count);
    for (int i = 0; i < theirs->parameter_count; i++) {
        assert_string_equal(ours->parameters[i].name, theirs->parameters[i].name);
        assert_string_equal(ours->parameters[i].layer, theirs->parameters[i].layer);
        assert_int_equal(ours->parameters[i].rank, theirs->parameters[i].rank);
        assert_memory_equal(ours->parameters[i].shape, theirs->parameters[i].shape,
                            sizeof(int64_t) * (size_t)theirs->parameters[i].rank);
    }
    for (int i = 0; i < theirs->layer_count; i++) {
        assert_string_equal(ours->layers[i].name, theirs->layers[i].name);
        assert_string_equal(ours->layers[i].type, theirs->layers[i].type);
    }
}

/* The k-th event of a kind is the same in both logs; kinds may stand in another order within a step. */
static void compare_logs(Comparison *c, const Log *ours, const Log *theirs)
{
    bool *taken = ARENA_ARRAY(c->arena, bool, ours->count);
    for (int i = 0; i < theirs->count; i++) {
        int found = 0;
        while (found < ours->count && (taken[found] || strcmp(ours->event[found].name, theirs->event[i].name) != 0))
            found++;
        if (found == ours->count || !same_event(&ours->event[found], &theirs->event[i]))
            fail_msg("expected %s, found %s", describe(c->arena, &theirs->event[i]),
                     found < ours->count ? describe(c->arena, &ours->event[found]) : "none");
        taken[found] = true;
        compare_event(c, &ours->event[found], &theirs->event[i]);
    }
    for (int i = 0; i < ours->count; i++)
        if (!taken[i] && ours->event[i].kind != RUN_EVENT_CHECKPOINT)
            fail_msg("PyTorch has no %s", describe(c->arena, &ours->event[i]));
}

static float *floats_of(Bench *bench, const FileTensor *tensor)
{
    float *values = ARENA_ARRAY(bench->arena, float, shape_count(tensor->shape));
    assert_true(tensor_file_floats(tensor, values, bench->err));
    return values;
}

static void compare_weights(Bench *bench, Comparison *c, const char *our_folder, const char *their_folder)
{
    const TensorFile *ours =
        tensor_file_read(bench->arena, path_join(bench->arena, our_folder, "model.safetensors"), bench->err);
    const TensorFile *theirs =
        tensor_file_read(bench->arena, path_join(bench->arena, their_folder, "model.safetensors"), bench->err);
    assert_non_null(ours);
    assert_non_null(theirs);
    assert_int_equal(ours->count, theirs->count);
    c->what = "model.safetensors";
    for (int i = 0; i < theirs->count; i++) {
        const FileTensor *y = &theirs->tensor[i], *x = NULL;
        for (int k = 0; k < ours->count && !x; k++)
            x = strcmp(ours->tensor[k].name, y->name) ? NULL : &ours->tensor[k];
        if (!x || !shape_equal(x->shape, y->shape))
            fail_msg("%s is missing or has another shape", y->name);
        size_t count = shape_count(y->shape);
        float *a = floats_of(bench, x), *b = floats_of(bench, y);
        double square = 0;
        for (size_t k = 0; k < count; k++)
            square += (double)b[k] * (double)b[k];
        double allowed = 2 * growth(c, c->theirs->header->steps) * sqrt(square / (double)count) + 2 * EPSILON;
        for (size_t k = 0; k < count; k++)
            compare(c, y->name, (int)k, "", (double)a[k], (double)b[k], allowed);
    }
}

/* cmocka gives a test its initial state, here the folder's name, in the place where the setup puts the bench. */
static int set_up(void **state)
{
    const char *name = *state;
    if (bench_set_up(state) != 0)
        return -1;
    Bench *bench = *state;
    bench_file(bench, "name", name);
    return 0;
}

static void training_agrees_with_pytorch(void **state)
{
    Bench *bench = *state;
    Bytes name;
    assert_true(file_read(bench->arena, path_join(bench->arena, bench->folder, "name"), &name, bench->err));
    const char *folder = path_join(bench->arena, REFERENCE, (const char *)name.at);
    Training training = training_run(bench, path_join(bench->arena, folder, "config.json"), NULL, 1, "run");
    const Log *ours = read_log(bench, training.folder), *theirs = read_log(bench, folder);
    Comparison c = {.arena = bench->arena,
                    .model = training.config->model,
                    .theirs = theirs,
                    .tolerance = tolerances[training.config->precision.type]};
    compare_headers(ours->header, theirs->header);
    compare_logs(&c, ours, theirs);
    compare_weights(bench, &c, training.folder, folder);
    if (c.failures)
        fail_msg("%d numbers differ", c.failures);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct CMUnitTest *)a)->name, ((const struct CMUnitTest *)b)->name);
}

int main(void)
{
    static struct CMUnitTest tests[CASE_LIMIT];
    size_t count = 0;
    Arena *arena = arena_new(NULL);
    DIR *folder = opendir(REFERENCE);
    for (struct dirent *entry; folder && (entry = readdir(folder)) && count < CASE_LIMIT;) {
        if (entry->d_name[0] == '.')
            continue;
        char *name = arena_strdup(arena, entry->d_name);
        tests[count++] = (struct CMUnitTest){arena_printf(arena, "%s agrees with PyTorch", name), training_agrees_with_pytorch,
                                             set_up, bench_tear_down, name};
    }
    if (folder)
        closedir(folder);
    qsort(tests, count, sizeof *tests, by_name);
    int failed = count ? _cmocka_run_group_tests("reference", tests, count, NULL, NULL) : 1;
    arena_free(arena);
    return failed;
}
