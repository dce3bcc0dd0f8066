#include "monitor/precision_log.h"

#include <math.h>
#include <string.h>

static PrecisionRow *row_new(PrecisionLog *log, const char *name)
{
    if (log->count == log->capacity) {
        int larger = log->capacity ? 2 * log->capacity : 16;
        size_t one = sizeof *log->rows;
        log->rows = arena_grow(log->arena, log->rows, (size_t)log->capacity * one, (size_t)larger * one);
        log->capacity = larger;
    }
    PrecisionRow *row = ARENA_NEW(log->arena, PrecisionRow);
    row->name = arena_strdup(log->arena, name);
    log->rows[log->count++] = row;
    return row;
}

/* Events come in the same order in each step, so the row after the last one is nearly always the right one. */
static PrecisionRow *row_of(PrecisionLog *log, const char *name)
{
    for (int i = 0; i < log->count; i++) {
        int place = (log->next + i) % log->count;
        if (strcmp(log->rows[place]->name, name) == 0) {
            log->next = place + 1;
            return log->rows[place];
        }
    }
    return row_new(log, name);
}

/* A count of a log, whatever is written there. */
static uint64_t count_of(double value)
{
    return value > 0 ? (uint64_t)fmin(value, 0x1p62) : 0;
}

/* What lies beyond float32's exponents is counted in the bin at that end. */
static void read_counts(const RunHistogram *from, ExponentHistogram *into)
{
    *into = (ExponentHistogram){.zeros = count_of(round(run_histogram_zeros(from))), .nonfinite = count_of(from->nonfinite)};
    for (int i = 0; i < from->count; i++) {
        int exponent = from->first + i;
        exponent = exponent < EXPONENT_FIRST ? EXPONENT_FIRST : exponent > EXPONENT_LAST ? EXPONENT_LAST : exponent;
        into->count[exponent - EXPONENT_FIRST] += count_of(from->counts[i]);
    }
}

void precision_log_add(PrecisionLog *log, int64_t step, const RunHistogram *histogram)
{
    ExponentHistogram counts;
    if (histogram->of[0] && strcmp(histogram->of, "gradients") != 0)
        return;
    if (log->has_step && log->step != step)
        precision_log_end(log);
    if (log->total.steps == 0 && !log->has_step)
        log->first_step = step;
    log->step = log->last_step = step;
    log->has_step = true;
    read_counts(histogram, &counts);
    precision_loss_add(&row_of(log, histogram->name)->loss, step, &counts);
    exponents_add(&log->current, &counts);
}

void precision_log_end(PrecisionLog *log)
{
    if (log->has_step)
        precision_loss_add(&log->total, log->step, &log->current);
    memset(&log->current, 0, sizeof log->current);
    log->has_step = false;
}
