/* cli/cmd_bench.c: the time of a training step, measured inside the process. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/command.h"
#include "cli/document.h"
#include "cli/figures.h"
#include "cli/table.h"
#include "monitor/monitor.h"
#include "train/trainer.h"

/* Of a run of many more steps than this the last ones count. */
enum { SAMPLE_LIMIT = 1 << 20, WARM_UP_STEPS = 5, LEAST_STEPS = 5, PROFILE_STEPS = 50 };

typedef struct Args {
    const char *config, *instruments;
    double seconds;
    bool profile;
    StringList sets;
} Args;

static const Option options[] = {
    {"CONFIG", 0, OPT_ARGUMENT, offsetof(Args, config),
     .help = "what to train (JSON); its length and validation do not matter"},
    {"set", 's', OPT_LIST, offsetof(Args, sets), .value = "KEY=VALUE", .help = "sets a key of the config; may be repeated"},
    {"seconds", 0, OPT_NUMBER, offsetof(Args, seconds), .value = "S", .standard = "2", .low = 0.001, .high = 86400,
     .help = "how long to measure"},
    {"instruments", 0, OPT_STRING, offsetof(Args, instruments), .value = "A,B,...", .standard = "none",
     .help = "what is measured meanwhile: all, none or names"},
    {"profile", 0, OPT_FLAG, offsetof(Args, profile), .help = "adds the time of each operator"},
    OPTIONS_END,
};

typedef struct Bench {
    Trainer *trainer;
    Observer observer;
    StepReport last;
    StringList instruments;
    double *sample; /* seconds of each step */
    int64_t steps;  /* timed */
} Bench;

static void report_stepped(void *context, const StepReport *report, const ClipResult *clip)
{
    (void)clip;
    ((Bench *)context)->last = *report;
}

static bool observe_stepped(void *context, const StepReport *report, bool measured, const ClipResult *clip, Error *err)
{
    (void)measured;
    (void)err;
    report_stepped(context, report, clip);
    return true;
}

static void name_instruments(Arena *arena, const char *list, StringList *names)
{
    const char *help, *cost;
    int all = monitor_instrument_count();
    names->at = ARENA_ARRAY(arena, const char *, (size_t)all + strlen(list) + 1);
    if (!strcmp(list, "none"))
        return;
    for (int i = 0; !strcmp(list, "all") && i < all; i++)
        names->at[names->count++] = monitor_instrument_row(i, &help, &cost);
    for (const char *at = list; strcmp(list, "all") != 0;) {
        size_t length = strcspn(at, ",");
        names->at[names->count++] = arena_strndup(arena, at, length);
        if (!at[length])
            break;
        at += length + 1;
    }
}

/* The config with its length taken away, and the instruments that were asked for. */
static Config *read_config(Command *cmd, const Args *args, const StringList *instruments)
{
    const char **sets = ARENA_ARRAY(cmd->arena, const char *, args->sets.count + 3);
    int count = 0;
    for (; count < args->sets.count; count++)
        sets[count] = args->sets.at[count];
    Text list = text_new(cmd->arena);
    text_add(&list, "monitor.instruments=[");
    for (int i = 0; i < instruments->count; i++) {
        text_add(&list, i ? "," : "");
        text_add_quoted(&list, instruments->at[i]);
    }
    text_add_char(&list, ']');
    sets[count++] = list.at;
    sets[count++] = "train.epochs=null";
    sets[count++] = "train.steps=1000000000000";
    return config_read(cmd->arena, args->config, sets, count, cmd->err);
}

static bool build(Command *cmd, const Args *args, Bench *bench)
{
    Threads *threads;
    name_instruments(cmd->arena, args->instruments, &bench->instruments);
    Config *config = read_config(cmd, args, &bench->instruments);
    Monitor *monitor = config ? monitor_new(cmd->arena, config, cmd->err) : NULL;
    if (!monitor || !command_threads(cmd, &threads))
        return false;
    config->data.validation.samples = 0;
    monitor_listen(monitor, &(MonitorListener){.context = bench, .stepped = report_stepped});
    bench->observer = (Observer){.context = bench, .stepped = observe_stepped};
    const Observer *observer = bench->instruments.count ? monitor_observer(monitor) : &bench->observer;
    bench->trainer = trainer_new(cmd->arena, config, threads, observer, cmd->err);
    bench->sample = ARENA_ARRAY(cmd->arena, double, SAMPLE_LIMIT);
    return bench->trainer != NULL;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* A step that is not finite takes its time like any other. */
static bool step(Command *cmd, Bench *bench)
{
    return trainer_step(bench->trainer, cmd->err) != TRAIN_FAILED;
}

static bool measure(Command *cmd, Bench *bench, double seconds)
{
    double begin = now();
    for (int i = 0; i < WARM_UP_STEPS || now() - begin < seconds / 10; i++)
        if (!step(cmd, bench))
            return false;
    begin = now();
    for (double before = begin; bench->steps < LEAST_STEPS || before - begin < seconds; bench->steps++) {
        if (!step(cmd, bench))
            return false;
        double after = now();
        bench->sample[bench->steps % SAMPLE_LIMIT] = after - before;
        before = after;
    }
    return true;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* By linear interpolation, in microseconds; the samples are in order. */
static double quantile(const Bench *bench, double part)
{
    int64_t count = bench->steps < SAMPLE_LIMIT ? bench->steps : SAMPLE_LIMIT;
    double place = part * (double)(count - 1);
    int64_t below = (int64_t)place, above = below + 1 < count ? below + 1 : below;
    return 1e6 * (bench->sample[below] + (place - (double)below) * (bench->sample[above] - bench->sample[below]));
}

static void print_document(Command *cmd, const Bench *bench, const ProfileRow *rows, int row_count)
{
    Arena *arena = cmd->arena;
    Json *result = json_new(arena, JSON_OBJECT);
    document_add_number(arena, result, "median_us", quantile(bench, 0.5));
    document_add_number(arena, result, "p10_us", quantile(bench, 0.1));
    document_add_number(arena, result, "p90_us", quantile(bench, 0.9));
    document_add_number(arena, result, "steps", (double)bench->steps);
    document_add_number(arena, result, "threads", (double)cmd->common.threads);
    Json *names = document_add(arena, result, "instruments", JSON_ARRAY);
    for (int i = 0; i < bench->instruments.count; i++)
        json_add_item(names, json_new_string(arena, bench->instruments.at[i]));
    document_add_string(arena, result, "kernel", variant_name(variant_best()));
    document_add_number(arena, result, "loss", bench->last.loss);
    document_add_number(arena, result, "grad_norm", bench->last.grad_norm);
    Json *profile = rows ? document_add(arena, result, "profile", JSON_ARRAY) : NULL;
    for (int i = 0; rows && i < row_count; i++) {
        Json *row = json_new(arena, JSON_OBJECT);
        document_add_string(arena, row, "operation", rows[i].name);
        document_add_number(arena, row, "us", 1e6 * rows[i].seconds);
        document_add_number(arena, row, "share", rows[i].share);
        document_add_number(arena, row, "count", rows[i].count);
        json_add_item(profile, row);
    }
    document_print(arena, result, cmd->out.stream);
}

static void print_text(Command *cmd, const Bench *bench, const ProfileRow *rows, int row_count)
{
    char median[FIGURE_SIZE], low[FIGURE_SIZE], high[FIGURE_SIZE], loss[FIGURE_SIZE], norm[FIGURE_SIZE];
    Text text = text_new(cmd->arena);
    text_printf(&text, "median %s us  p10 %s us  p90 %s us  %s  %s  kernel %s  instruments ",
                figure(median, quantile(bench, 0.5), 4), figure(low, quantile(bench, 0.1), 4),
                figure(high, quantile(bench, 0.9), 4), figure_of(cmd->arena, (double)bench->steps, "step"),
                figure_of(cmd->arena, (double)cmd->common.threads, "thread"), variant_name(variant_best()));
    for (int i = 0; i < bench->instruments.count; i++)
        text_printf(&text, i ? ",%s" : "%s", bench->instruments.at[i]);
    text_printf(&text, "%s  loss %s  |grad| %s\n", bench->instruments.count ? "" : "none", figure(loss, bench->last.loss, 4),
                figure(norm, bench->last.grad_norm, 4));
    Table table = table_new(cmd->arena, "rrrl");
    for (int i = 0; rows && i < row_count; i++) {
        table_printf(&table, "%.2f us", 1e6 * rows[i].seconds);
        table_printf(&table, "%.1f%%", 100 * rows[i].share);
        table_printf(&table, "%d x", rows[i].count);
        table_add(&table, rows[i].name);
    }
    table_write(&table, &text);
    fputs(text.at, cmd->out.stream);
}

static int bench(Command *cmd, const void *parsed)
{
    const Args *args = parsed;
    Bench bench = {0};
    if (!build(cmd, args, &bench) || !measure(cmd, &bench, args->seconds))
        return EXIT_FAILED;
    size_t count = (size_t)(bench.steps < SAMPLE_LIMIT ? bench.steps : SAMPLE_LIMIT);
    qsort(bench.sample, count, sizeof *bench.sample, ascending);
    const ProfileRow *rows = NULL;
    int row_count = args->profile ? trainer_profile(bench.trainer, PROFILE_STEPS, cmd->arena, &rows) : 0;
    if (bench.last.skipped)
        command_note(cmd, "note: the last step is not finite (loss %g) and was not taken", bench.last.loss);
    if (cmd->common.json)
        print_document(cmd, &bench, rows, row_count);
    else
        print_text(cmd, &bench, rows, row_count);
    return EXIT_HEALTHY;
}

const CommandRow cmd_bench = {
    .name = "bench",
    .help = "time the training steps of a config; nothing is written",
    .options = options,
    .args_size = sizeof(Args),
    .run = bench,
    .example = "gradtool bench configs/spiral.json --seconds 5 --instruments gradients,updates",
};
