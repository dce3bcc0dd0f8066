/* The gradients of all layers as rows: median, a bar beside the others, and how it went over time. */
#include <math.h>
#include <string.h>

#include "cli/check_report.h"
#include "diagnose/robust.h"
#include "monitor/run_line.h"

enum { BAR = 8, EIGHTHS = 8, COLUMNS = 8 };

static bool has_matrices(const Record *record)
{
    for (int i = 0; i < record->parameters; i++)
        if (record->parameter[i].rank > 1)
            return true;
    return false;
}

static bool is_bias(const char *name)
{
    size_t length = strlen(name);
    return length >= 4 && !strcmp(name + length - 4, "bias");
}

/* Of a log that does not say which are matrices, all but biases. */
static bool is_shown(const RecordTensor *parameter, bool has_ranks)
{
    return has_ranks ? parameter->rank > 1 : !is_bias(parameter->name);
}

static bool names(const Finding *finding, const RecordTensor *parameter)
{
    for (int i = 0; i < finding->layer_count; i++)
        if (!strcmp(finding->layers[i], parameter->name) ||
            (*parameter->layer && !strcmp(finding->layers[i], parameter->layer)))
            return true;
    return false;
}

static const Finding *worst_of(const Diagnosis *diagnosis, const RecordTensor *parameter)
{
    const Finding *worst = NULL;
    for (int i = 0; i < diagnosis->findings; i++) {
        const Finding *finding = diagnosis->finding[i];
        if (!finding->is_known && (!worst || finding->severity > worst->severity) && names(finding, parameter))
            worst = finding;
    }
    return worst;
}

/* The decade of the column's largest value; a value that is not finite wins, so that one bad step is seen. NaN: there is no
 * value, infinite: one was not finite. */
static double column_of(RecordSeries series, int column)
{
    double highest = NAN;
    int first = (int)((int64_t)series.count * column / COLUMNS), last = (int)((int64_t)series.count * (column + 1) / COLUMNS);
    for (int i = first; i < (last > first ? last : first + 1) && i < series.count; i++) {
        double value = series.value[i];
        if (isinf(value) || (isnan(value) && !run_is_missing(value)))
            return INFINITY;
        if (value > 0)
            highest = fmax(highest, log10(value));
    }
    return highest;
}

/* Each row has a scale of its own, of two decades at least: what is flat stays in the middle. */
static const char *spark(Arena *arena, RecordSeries series, bool ascii)
{
    static const char *const blocks[] = {"\xe2\x96\x81", "\xe2\x96\x82", "\xe2\x96\x83", "\xe2\x96\x84",
                                         "\xe2\x96\x85", "\xe2\x96\x86", "\xe2\x96\x87", "\xe2\x96\x88"};
    static const char levels[] = "_.-~=+*#";
    double value[COLUMNS], low = NAN, high = NAN;
    for (int i = 0; i < COLUMNS; i++) {
        value[i] = series.count ? column_of(series, i) : NAN;
        if (isfinite(value[i])) {
            low = fmin(low, value[i]);
            high = fmax(high, value[i]);
        }
    }
    double span = fmax(high - low, 2), bottom = (high + low - span) / 2;
    Text text = text_new(arena);
    for (int i = 0; i < COLUMNS; i++) {
        int level = isfinite(value[i]) ? (int)lround((value[i] - bottom) / span * 7) : 0;
        if (isinf(value[i]))
            text_add(&text, ascii ? "!" : "\xc3\x97");
        else if (isnan(value[i]))
            text_add_char(&text, ' ');
        else if (ascii)
            text_add_char(&text, levels[level]);
        else
            text_add(&text, blocks[level]);
    }
    return text.at;
}

/* `share` of the longest bar, in eighths of a column. */
static const char *bar(Arena *arena, double share, bool ascii)
{
    static const char *const parts[] = {
        "", "\xe2\x96\x8f", "\xe2\x96\x8e", "\xe2\x96\x8d", "\xe2\x96\x8c", "\xe2\x96\x8b", "\xe2\x96\x8a", "\xe2\x96\x89"};
    Text text = text_new(arena);
    int eighths = isnan(share) ? 0 : (int)lround(share * BAR * EIGHTHS);
    eighths = isnan(share) || eighths > 1 ? eighths : 1;
    for (int i = 0; i < eighths / EIGHTHS; i++)
        text_add(&text, ascii ? "#" : "\xe2\x96\x88");
    if (ascii)
        text_add(&text, eighths % EIGHTHS ? "#" : "");
    else
        text_add(&text, parts[eighths % EIGHTHS]);
    return text.at;
}

static void add_bars(Arena *arena, CheckLayer *layers, int count, bool ascii)
{
    double low = NAN, high = NAN;
    for (int i = 0; i < count; i++)
        if (isfinite(layers[i].median) && layers[i].median > 0) {
            low = fmin(low, log10(layers[i].median));
            high = fmax(high, log10(layers[i].median));
        }
    double span = fmax(high - low, 2);
    for (int i = 0; i < count; i++) {
        bool is_positive = isfinite(layers[i].median) && layers[i].median > 0;
        layers[i].bar = bar(arena, is_positive ? 1 - (high - log10(layers[i].median)) / span : NAN, ascii);
    }
}

CheckLayer *check_layers(Arena *arena, const CheckSubject *subject, bool ascii, int *count)
{
    const Record *record = subject->record;
    *count = 0;
    if (!record)
        return NULL;
    bool has_ranks = has_matrices(record);
    CheckLayer *layers = ARENA_ARRAY(arena, CheckLayer, record->parameters);
    for (int i = 0; i < record->parameters; i++) {
        const RecordTensor *parameter = &record->parameter[i];
        if (!is_shown(parameter, has_ranks))
            continue;
        RecordSeries series = record_track(record, RECORD_GRADIENT_NORM, i);
        layers[(*count)++] = (CheckLayer){.name = check_line(arena, parameter->name),
                                          .median = series_median(series),
                                          .over_time = spark(arena, series, ascii),
                                          .worst = worst_of(subject->diagnosis, parameter)};
    }
    add_bars(arena, layers, *count, ascii);
    return layers;
}
