/* cli/inspect_precision.c: what number formats would lose of a run's gradients, from the histograms in its log. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/document.h"
#include "cli/figures.h"
#include "cli/inspect.h"
#include "cli/table.h"
#include "monitor/precision_log.h"

/* Shares that underflow at which a reader should look, and worry. */
static const double underflow_notable = 0.05, underflow_large = 0.2;

typedef struct Findings {
    const char *folder, *name;
    const char *trained_in; /* "float32" */
    PrecisionLog log;
    int64_t step;                         /* asked for; 0: all */
    int64_t step_before, step_after;      /* the nearest ones with a histogram; 0: none */
    double scale_smallest, scale_largest; /* that the run used; NaN: none logged */
} Findings;

static const char *trained_in(Arena *arena, const char *folder)
{
    const char *path = path_join(arena, folder, "config.json");
    const Json *config = file_exists(path) ? json_read_file(arena, path, error_new(arena)) : NULL;
    const Json *type = json_member(json_member(config, "precision"), "type");
    return type && type->type == JSON_STRING ? type->string : "float32";
}

static void take_histogram(Findings *findings, const RunEvent *event)
{
    RunHistogram histogram = run_event_histogram(event);
    if (findings->step == 0 || event->step == findings->step)
        precision_log_add(&findings->log, event->step, &histogram);
    else if (event->step < findings->step)
        findings->step_before = event->step;
    else if (!findings->step_after)
        findings->step_after = event->step;
}

static bool read_findings(Command *cmd, Findings *findings)
{
    RunReader *reader = run_reader_open(cmd->arena, findings->folder, cmd->err);
    if (!reader)
        return false;
    findings->name = run_reader_header(reader)->name;
    for (;;) {
        RunEvent event;
        if (!run_reader_next(reader, &event, cmd->err))
            return false;
        if (event.kind == RUN_EVENT_NONE)
            break;
        if (event.kind == RUN_EVENT_HISTOGRAM)
            take_histogram(findings, &event);
        if (event.kind == RUN_EVENT_STEP) {
            double scale = run_event_step(&event).scale;
            findings->scale_smallest = fmin(findings->scale_smallest, scale);
            findings->scale_largest = fmax(findings->scale_largest, scale);
        }
    }
    precision_log_end(&findings->log);
    return true;
}

static bool check_findings(const Findings *findings, Error *err)
{
    if (findings->log.count)
        return true;
    if (!findings->step_before && !findings->step_after) {
        error_add(err, "the log of %s has no histogram of a gradient", findings->folder);
        return error_hint(err, "set monitor.histogram_every, such as --set monitor.histogram_every=50, and train again");
    }
    error_add(err, "the log of %s has no histogram of step %" PRId64, findings->folder, findings->step);
    if (findings->step_before && findings->step_after)
        return error_hint(err, "the nearest ones are of steps %" PRId64 " and %" PRId64, findings->step_before,
                          findings->step_after);
    return error_hint(err, "the nearest one is of step %" PRId64,
                      findings->step_before ? findings->step_before : findings->step_after);
}

/* ---- text ---- */

/* "12.3%"; "0%" and "100%" are exact. */
static const char *share_text(Arena *arena, double share)
{
    double percent = 100 * share;
    if (percent > 0 && percent < 0.1)
        return arena_printf(arena, "%.1g%%", percent);
    if (percent < 100 && percent >= 99.95)
        return ">99.9%";
    return percent > 0 && percent < 100 ? arena_printf(arena, "%.1f%%", percent) : arena_printf(arena, "%.0f%%", percent);
}

static void add_share(Table *table, uint64_t part, uint64_t whole)
{
    table_add(table, whole ? share_text(table->arena, loss_share(part, whole)) : "-");
}

static void add_row(Command *cmd, Table *table, const char *name, const PrecisionLoss *loss, NumberFormat format)
{
    const Terminal *out = &cmd->out;
    FormatLoss plain = format_loss(&loss->sum, format, 0);
    BestScale scale = precision_loss_scale(loss, format);
    double underflow = loss_share(plain.underflow, plain.counted);
    table_add(table, name);
    add_share(table, plain.underflow, plain.counted);
    if (underflow > underflow_notable)
        table_paint(table, underflow > underflow_large ? terminal_red(out) : terminal_yellow(out), terminal_plain(out));
    add_share(table, plain.subnormal, plain.counted);
    add_share(table, plain.overflow, plain.counted);
    if (plain.overflow)
        table_paint(table, terminal_red(out), terminal_plain(out));
    if (!plain.counted) {
        for (int i = 0; i < 3; i++)
            table_add(table, "-");
        return;
    }
    table_printf(table, "2^%d", scale.best);
    table_add(table, share_text(cmd->arena, scale.lost));
    if (scale.low == scale.high)
        table_add(table, "none");
    else
        table_printf(table, "2^%d to 2^%d", scale.low, scale.high);
}

static void add_format(Command *cmd, const Findings *findings, NumberFormat format, Text *text)
{
    static const char *const heads[] = {"parameter", "underflow", "subnormal", "overflow", "loss scale", "lost", "as good"};
    const FormatRange *range = &format_range[format];
    Table table = table_new(cmd->arena, "lrrrrrl");
    text_printf(text, "\n%s%s%s  smallest 2^%d, full digits from 2^%d, largest %.6g\n", terminal_bold(&cmd->out), range->name,
                terminal_plain(&cmd->out), range->smallest, range->normal, range->largest);
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        table_add(&table, heads[i]);
    const PrecisionLoss *total = &findings->log.total;
    FormatLoss plain = format_loss(&total->sum, format, 0);
    bool loses_nothing = !plain.underflow && !plain.subnormal && !plain.overflow;
    for (int i = 0; i < findings->log.count && !loses_nothing; i++)
        add_row(cmd, &table, findings->log.rows[i]->name, &findings->log.rows[i]->loss, format);
    add_row(cmd, &table, "all", total, format);
    table_write(&table, text);
    if (loses_nothing)
        text_printf(text, "%s fits every value of every parameter\n", range->name);
    if (total->worst[format].share > 0 && total->steps > 1)
        text_printf(text, "worst is step %" PRId64 ", which loses %s without a loss scale\n", total->worst[format].step,
                    share_text(cmd->arena, total->worst[format].share));
}

/* Zeros and what is not finite are no loss of the format, but a reader must know of them. */
static void add_nonfinite(Command *cmd, const Findings *findings, Text *text)
{
    const PrecisionLog *log = &findings->log;
    const char *between = "";
    if (!log->total.sum.nonfinite)
        return;
    text_printf(text, "%snot finite%s, and not counted below:", terminal_red(&cmd->out), terminal_plain(&cmd->out));
    for (int i = 0; i < log->count; i++) {
        uint64_t count = log->rows[i]->loss.sum.nonfinite;
        if (!count)
            continue;
        text_printf(text, "%s %s of %s", between, figure_of(cmd->arena, (double)count, "value"), log->rows[i]->name);
        between = ",";
    }
    text_add_char(text, '\n');
}

static void add_training(Command *cmd, const Findings *findings, Text *text)
{
    if (!strcmp(findings->trained_in, "float32"))
        return;
    text_printf(text, "trained in %s", findings->trained_in);
    const char *low = figure_count(cmd->arena, findings->scale_smallest);
    const char *high = figure_count(cmd->arena, findings->scale_largest);
    if (findings->scale_largest > findings->scale_smallest)
        text_printf(text, " at loss scales from %s to %s", low, high);
    else if (findings->scale_largest > 1)
        text_printf(text, " at loss scale %s", high);
    text_add(text, ": the log holds gradients unscaled, and what training itself lost is among their zeros\n");
}

static uint64_t values_of(const ExponentHistogram *histogram)
{
    return exponents_below(histogram, EXPONENT_LAST + 1) + histogram->zeros + histogram->nonfinite;
}

static void print_text(Command *cmd, const Findings *findings)
{
    const PrecisionLog *log = &findings->log;
    Text text = text_new(cmd->arena);
    text_printf(&text, "%s%s%s  %s\n", terminal_bold(&cmd->out), findings->name[0] ? findings->name : "run",
                terminal_plain(&cmd->out), findings->folder);
    uint64_t values = values_of(&log->total.sum);
    if (log->total.steps > 1)
        text_printf(&text, "gradients of %s from %" PRId64 " to %" PRId64,
                    figure_of(cmd->arena, (double)log->total.steps, "step"), log->first_step, log->last_step);
    else
        text_printf(&text, "gradients of step %" PRId64, log->first_step);
    text_printf(&text, ", before clipping: %s, %s exactly zero\n", figure_of(cmd->arena, (double)values, "value"),
                share_text(cmd->arena, loss_share(log->total.sum.zeros, values)));
    add_training(cmd, findings, &text);
    add_nonfinite(cmd, findings, &text);
    for (int format = 0; format < FORMAT_COUNT; format++)
        add_format(cmd, findings, (NumberFormat)format, &text);
    text_printf(&text,
                "\n%sShares are of the values that are neither zero nor non-finite, at loss scale 1.\n"
                "underflow   becomes zero\n"
                "subnormal   keeps fewer digits\n"
                "overflow    is beyond the largest number; of the power of two that holds it, all is counted\n"
                "loss scale  loses least; lost is what it still loses, where a step that overflows is lost whole%s\n",
                terminal_dim(&cmd->out), terminal_plain(&cmd->out));
    fwrite(text.at, 1, text.length, cmd->out.stream);
}

/* ---- document ---- */

static Json *document_format(Arena *arena, const PrecisionLoss *loss, NumberFormat format)
{
    FormatLoss plain = format_loss(&loss->sum, format, 0);
    BestScale scale = precision_loss_scale(loss, format);
    FormatLoss scaled = format_loss(&loss->sum, format, scale.best);
    Json *row = json_new(arena, JSON_OBJECT);
    document_add_number(arena, row, "underflow", loss_share(plain.underflow, plain.counted));
    document_add_number(arena, row, "subnormal", loss_share(plain.subnormal, plain.counted));
    document_add_number(arena, row, "overflow", loss_share(plain.overflow, plain.counted));
    document_add_number(arena, row, "edge", loss_share(plain.edge, plain.counted));
    if (loss->worst[format].share > 0)
        document_add_number(arena, row, "worst_step", (double)loss->worst[format].step);
    else
        json_add_member(arena, row, "worst_step", json_new(arena, JSON_NULL));
    document_add_number(arena, row, "worst_lost", loss->worst[format].share);
    Json *best = document_add(arena, row, "loss_scale", JSON_OBJECT);
    document_add_number(arena, best, "scale", exp2(scale.best));
    document_add_number(arena, best, "exponent", scale.best);
    document_add_number(arena, best, "lowest_exponent", scale.low);
    document_add_number(arena, best, "highest_exponent", scale.high);
    document_add_number(arena, best, "lost", scale.lost);
    document_add_number(arena, best, "underflow", loss_share(scaled.underflow, scaled.counted));
    document_add_number(arena, best, "subnormal", loss_share(scaled.subnormal, scaled.counted));
    document_add_number(arena, best, "overflow", loss_share(scaled.overflow, scaled.counted));
    return row;
}

static Json *document_row(Arena *arena, const char *name, const PrecisionLoss *loss)
{
    Json *row = json_new(arena, JSON_OBJECT);
    uint64_t values = values_of(&loss->sum);
    if (name)
        document_add_string(arena, row, "name", name);
    document_add_number(arena, row, "steps", (double)loss->steps);
    document_add_number(arena, row, "values", (double)values);
    document_add_number(arena, row, "nonzero", (double)exponents_below(&loss->sum, EXPONENT_LAST + 1));
    document_add_number(arena, row, "zeros", loss_share(loss->sum.zeros, values));
    document_add_number(arena, row, "nonfinite", (double)loss->sum.nonfinite);
    for (int format = 0; format < FORMAT_COUNT; format++)
        json_add_member(arena, row, format_range[format].key, document_format(arena, loss, (NumberFormat)format));
    return row;
}

static void print_document(Command *cmd, const Findings *findings)
{
    Arena *arena = cmd->arena;
    const PrecisionLog *log = &findings->log;
    Json *result = json_new(arena, JSON_OBJECT);
    document_add_string(arena, result, "kind", "precision");
    document_add_string(arena, result, "name", findings->name);
    document_add_string(arena, result, "run", findings->folder);
    document_add_string(arena, result, "trained_in", findings->trained_in);
    document_add_number(arena, result, "first_step", (double)log->first_step);
    document_add_number(arena, result, "last_step", (double)log->last_step);
    Json *formats = document_add(arena, result, "formats", JSON_OBJECT);
    for (int format = 0; format < FORMAT_COUNT; format++) {
        const FormatRange *range = &format_range[format];
        Json *row = document_add(arena, formats, range->key, JSON_OBJECT);
        document_add_number(arena, row, "smallest_exponent", range->smallest);
        document_add_number(arena, row, "normal_exponent", range->normal);
        document_add_number(arena, row, "largest", range->largest);
    }
    Json *parameters = document_add(arena, result, "parameters", JSON_ARRAY);
    for (int i = 0; i < log->count; i++)
        json_add_item(parameters, document_row(arena, log->rows[i]->name, &log->rows[i]->loss));
    json_add_member(arena, result, "all", document_row(arena, NULL, &log->total));
    document_print(arena, result, cmd->out.stream);
}

int inspect_precision(Command *cmd, const char *folder, int64_t step)
{
    Findings findings = {.folder = folder, .step = step, .scale_smallest = NAN, .scale_largest = NAN};
    findings.log.arena = cmd->arena;
    if (!read_findings(cmd, &findings) || !check_findings(&findings, cmd->err))
        return EXIT_FAILED;
    findings.trained_in = trained_in(cmd->arena, folder);
    if (cmd->common.json)
        print_document(cmd, &findings);
    else
        print_text(cmd, &findings);
    return EXIT_HEALTHY;
}
